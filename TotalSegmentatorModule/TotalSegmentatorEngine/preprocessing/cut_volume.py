"""A box of a CT as a CT of its own, as the published program hands it on to a task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume

Box = tuple[slice, slice, slice]
"""Part of a CT's grid, along k, j, i."""


def box_of_extents(extents: Sequence[Sequence[int]], geometry: Geometry, margin_mm: float) -> Box | None:
    """The box of a CT's grid that holds all ``extents`` (each i_min, i_max, j_min, j_max, k_min, k_max, inclusive) and
    ``margin_mm`` on every side; None without extents.

    As TotalSegmentator 2.18 computes it (cropping.py): the margin is divided by the voxel size, which NIfTI stores as
    float32, and cut to whole voxels. So 20 mm are 24 voxels of 0.8 mm, not 25.
    """
    if not extents:
        return None
    lowest, highest = np.min(extents, axis=0)[0::2], np.max(extents, axis=0)[1::2]
    margins = (margin_mm / np.asarray(geometry.spacing, dtype=np.float32).astype(np.float64)).astype(int)
    sizes = geometry.shape[::-1]
    box = [
        slice(max(int(low) - int(margin), 0), min(int(high) + 1 + int(margin), size))
        for low, high, margin, size in zip(lowest, highest, margins, sizes, strict=True)
    ]
    return tuple(reversed(box))


def cut_geometry(geometry: Geometry, box: Box | None) -> Geometry:
    """The grid of a box; None: the whole grid."""
    if box is None:
        return geometry
    to_whole = np.eye(4)
    to_whole[:3, 3] = [part.start for part in reversed(box)]
    return Geometry(tuple(part.stop - part.start for part in box), geometry.ijk_to_ras @ to_whole)


def cut_volume(volume: Volume, box: Box | None) -> Volume:
    """The voxels of a box, as whole numbers: those between are truncated, as TotalSegmentator writes what it crops.

    The array is the CT's own memory where that holds whole numbers. None: the CT as it is.
    """
    if box is None:
        return volume
    array = volume.array[box]
    whole = array if array.dtype.kind in "iu" else np.trunc(array)
    return Volume(whole, cut_geometry(volume.geometry, box))
