"""Where structures lie along the axes of the patient, and how far one lies to a side of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Geometry, canonical_reorientation

RIGHT, FRONT, HEAD = 0, 1, 2
"""Axes of RAS, in whose direction a structure's places are counted."""
SAMPLE_MM = 3.0
"""Labels are looked at about as densely: what lies on which side needs no more, and a large CT takes a tenth of a
second."""
_LABELS = 256


@dataclass(frozen=True, eq=False)
class Places:
    """How many sampled voxels of each structure lie at each position along the three axes."""

    counts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    """By name: along RIGHT, FRONT and HEAD, positions growing that way; the same number of positions for all."""
    voxel_mm3: float
    """Of a sampled voxel."""

    def of(self, names: Iterable[str], axis: int) -> np.ndarray | None:
        """The counts of all structures of ``names`` together; None where there are none."""
        found = [self.counts[name][axis] for name in names]
        return np.sum(found, axis=0) if found else None

    def volume_mm3(self, names: Iterable[str]) -> float:
        return float(sum(self.counts[name][0].sum() for name in names)) * self.voxel_mm3


def places_of(labels: np.ndarray, geometry: Geometry, names: Mapping[int, str]) -> Places:
    """``labels``: uint8 (k, j, i) on ``geometry``; ``names``: of those labels that count."""
    turned = canonical_reorientation(geometry).view(labels)  # [S, A, R]
    spacing = [float(np.linalg.norm(column)) for column in _canonical_columns(geometry)]
    steps = [max(1, int(SAMPLE_MM // length)) for length in spacing]
    sampled = np.ascontiguousarray(turned[tuple(slice(step // 2, None, step) for step in steps)])
    flat = np.flatnonzero(sampled)
    values = sampled.ravel()[flat].astype(np.intp)
    along = []
    for index, size in zip(np.unravel_index(flat, sampled.shape), sampled.shape, strict=True):
        along.append(np.bincount(values * size + index, minlength=_LABELS * size).reshape(_LABELS, size))
    by_axis = (along[2], along[1], along[0])
    counts = {
        name: tuple(table[label] for table in by_axis) for label, name in names.items() if by_axis[0][label].any()
    }
    return Places(counts, float(np.prod(np.multiply(spacing, steps))))


def share_beyond(first: np.ndarray, second: np.ndarray) -> float:
    """The probability that a voxel of ``first`` lies further along the axis than one of ``second``: 1 where all of it
    does, 0 where nothing does, 1/2 where neither lies beyond the other. (The area under the ROC curve.)"""
    below = np.cumsum(second) - second / 2.0
    return float(np.dot(first, below) / (first.sum() * second.sum()))


def _canonical_columns(geometry: Geometry) -> list[np.ndarray]:
    """The matrix columns along S, A, R, in mm."""
    return [geometry.ijk_to_ras[:3, 2 - axis] for axis in canonical_reorientation(geometry).axes]
