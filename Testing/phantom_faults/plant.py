"""What a function that plants a fault looks like, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt

from phantom_faults.label_map import LabelMap, PlantedFault

Plant = Callable[[LabelMap, np.random.Generator], "PlantedFault | None"]
"""Draws one fault, or gives None where the map has no place for it."""


def drawn(names: Sequence[str], rng: np.random.Generator) -> str | None:
    """One of ``names``; None where there are none."""
    return str(rng.choice(list(names))) if names else None


def depth_mm(body: LabelMap, mask: np.ndarray) -> np.ndarray:
    """(k, j, i): mm from each voxel of the mask to the nearest one outside."""
    return distance_transform_edt(np.pad(mask, 1), sampling=_spacing(body))[1:-1, 1:-1, 1:-1]


def distance_mm(body: LabelMap, mask: np.ndarray) -> np.ndarray:
    """(k, j, i): mm from each voxel to the nearest one of the mask."""
    return distance_transform_edt(~mask, sampling=_spacing(body))


def deepest(body: LabelMap, name: str) -> tuple[np.ndarray, float]:
    """The place in RAS (mm) deepest within a structure, and its depth in mm."""
    depth = depth_mm(body, body.mask(name))
    index = np.unravel_index(np.argmax(depth), depth.shape)
    return body.ras(np.array(index)), float(depth[index])


def along(points: np.ndarray) -> np.ndarray:
    """Where each of the points (n, 3) lies along their longest direction, mm."""
    centred = points - points.mean(axis=0)
    _values, vectors = np.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, -1]


def as_mask(body: LabelMap, indices: np.ndarray) -> np.ndarray:
    """bool (k, j, i), true at ``indices`` (n, 3)."""
    mask = np.zeros(body.labels.shape, bool)
    mask[tuple(indices.T)] = True
    return mask


def _spacing(body: LabelMap) -> np.ndarray:
    """mm along k, j, i."""
    return np.linalg.norm(body.ijk_to_ras[:3, :3], axis=0)[::-1]
