"""Where structures lie along the axes of the patient, and how far one lies to a side of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.ndimage import find_objects

from TotalSegmentatorEngine.imaging.geometry import Geometry, canonical_reorientation

RIGHT, FRONT, HEAD = 0, 1, 2
"""Axes of RAS, in whose direction a structure's places are counted."""
SAMPLE_MM = 3.0
"""Labels are looked at about as densely: what lies on which side needs no more, and a large CT takes a tenth of a
second."""
Counts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of one structure: how many of its sampled voxels lie at each position along RIGHT, FRONT and HEAD, positions growing
that way."""


@dataclass(frozen=True, eq=False)
class Places:
    """How many sampled voxels of each structure lie at each position along the three axes."""

    counts: Mapping[str, Counts]
    """By name, of those that have a sampled voxel; the same number of positions for all."""
    voxel_mm3: float
    """Of a sampled voxel."""

    def of(self, names: Iterable[str], axis: int) -> np.ndarray | None:
        """The counts of all structures of ``names`` together; None where there are none."""
        found = [self.counts[name][axis] for name in names]
        return np.sum(found, axis=0) if found else None

    def volume_mm3(self, names: Iterable[str]) -> float:
        return float(sum(self.counts[name][0].sum() for name in names)) * self.voxel_mm3


class InLayer(Protocol):
    """A structure of a result with layers."""

    name: str
    layer: int
    label: int


def places_of(labels: np.ndarray, geometry: Geometry, names: Mapping[int, str]) -> Places:
    """``labels``: unsigned whole numbers (k, j, i) on ``geometry``; ``names``: of those labels that count."""
    steps, voxel_mm3 = _steps(geometry)
    turned = canonical_reorientation(geometry).view(labels)  # [S, A, R]
    sampled = np.ascontiguousarray(turned[tuple(slice(step // 2, None, step) for step in steps)])
    boxes = dict(enumerate(find_objects(sampled), start=1))
    counts = {name: _counts(sampled, label, boxes[label]) for label, name in names.items() if boxes.get(label)}
    return Places(counts, voxel_mm3)


def places_in_layers(layers: Sequence[np.ndarray], geometry: Geometry, structures: Iterable[InLayer]) -> Places:
    """``structures``: which of ``layers``, each as ``labels`` of ``places_of``, and which value there means them."""
    counts: dict[str, Counts] = {}
    structures = list(structures)
    for number, labels in enumerate(layers):
        names = {each.label: each.name for each in structures if each.layer == number}
        counts.update(places_of(labels, geometry, names).counts if names else {})
    return Places(counts, sampled_voxel_mm3(geometry))


def sampled_voxel_mm3(geometry: Geometry) -> float:
    """Volume of a sampled voxel."""
    return _steps(geometry)[1]


def share_beyond(first: np.ndarray, second: np.ndarray) -> float:
    """The probability that a voxel of ``first`` lies further along the axis than one of ``second``: 1 where all of it
    does, 0 where nothing does, 1/2 where neither lies beyond the other. (The area under the ROC curve.)"""
    below = np.cumsum(second) - second / 2.0
    return float(np.dot(first, below) / (first.sum() * second.sum()))


def _steps(geometry: Geometry) -> tuple[list[int], float]:
    """Along S, A, R every so many voxels one is looked at, which stands for so many mm³."""
    spacing = canonical_reorientation(geometry).grid(geometry).spacing[::-1]
    steps = [max(1, int(SAMPLE_MM // length)) for length in spacing]
    return steps, geometry.voxel_mm3 * float(np.prod(steps))


def _counts(sampled: np.ndarray, label: int, box: tuple[slice, slice, slice]) -> Counts:
    inside = sampled[box] == label
    counts = []
    for axis in (2, 1, 0):
        along = np.zeros(sampled.shape[axis], np.int64)
        along[box[axis]] = inside.sum(axis=tuple({0, 1, 2} - {axis}))
        counts.append(along)
    return tuple(counts)
