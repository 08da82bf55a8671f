"""Tells whether a structure's voxels are still those that the engine made.

The digest does not depend on how the image around them is stored: a segmentation that went through Slicer comes back
with other extents, and a DICOM series can run the other way than the volume that Slicer made of it.
"""

from __future__ import annotations

import hashlib

import numpy as np

from .geometry import Geometry, canonical_reorientation

SAME_PLACE_MM = 0.1
"""Positions come back through files that round them; an edit moves a boundary by a whole voxel."""


def voxel_digest(voxels: np.ndarray, start: tuple[int, int, int], grid: Geometry) -> str:
    """RAS position in mm of a box's first voxel in canonical order, then a digest of the voxels in it.

    ``voxels``: bool (k, j, i), the structure's bounding box, whose first voxel is ``start`` (k, j, i) of ``grid``.
    """
    turn = canonical_reorientation(grid)
    ordered = turn.view(voxels)
    digest = hashlib.sha256(np.array(ordered.shape, "<i4").tobytes() + np.packbits(ordered).tobytes())
    first = [
        begin + (size - 1 if flip else 0)
        for begin, size, flip in zip(start, voxels.shape, _flips_of_kji(turn.axes, turn.flips), strict=True)
    ]
    position = grid.ijk_to_ras @ [*reversed(first), 1.0]
    return " ".join([*("{:.2f}".format(value + 0.0) for value in position[:3]), digest.hexdigest()[:32]])


def _flips_of_kji(axes: tuple[int, ...], flips: tuple[bool, ...]) -> list[bool]:
    """For each of k, j, i whether the canonical order runs against it; ``flips`` is in canonical order."""
    return [flips[axes.index(axis)] for axis in range(3)]


def is_same(one: str, other: str) -> bool:
    """Whether two digests are of the same voxels at the same place; False where one of them is none."""
    first, second = one.split(), other.split()
    if len(first) != 4 or len(second) != 4 or first[3] != second[3]:
        return False
    try:
        apart = [abs(float(a) - float(b)) for a, b in zip(first[:3], second[:3], strict=True)]
    except ValueError:
        return False
    return max(apart) <= SAME_PLACE_MM
