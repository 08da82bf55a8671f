"""Structures that are made of others on the grid: the skin of a body, and one side's half of a structure."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Geometry

_OUTSIDE_VOXELS, _DEPTH_VOXELS = 1, 3
_LOWEST_HU, _HIGHEST_HU = -200.0, 250.0
_SMALLEST_BLOB_VOXELS = 6
"""The rule that TotalSegmentator 2.18 publishes for the skin (task body): the body grown by one voxel, without that
eroded by three, where the CT lies strictly between these values, without blobs of five voxels or fewer; neighbours
share a face."""


def skin_mask(body: VoxelMask, hu: np.ndarray) -> VoxelMask:
    """The skin of ``body``; ``hu``: the CT on the same grid, (k, j, i).

    Where the border of the CT cuts the body there is no skin; the published rule takes the last three slices for it.
    """
    from scipy.ndimage import binary_dilation, binary_erosion, label

    margin = _OUTSIDE_VOXELS
    box = tuple(
        slice(max(part.start - margin, 0), min(part.stop + margin, size))
        for part, size in zip(body.box, body.shape, strict=True)
    )
    start = tuple(part.start for part in box)
    shape = tuple(part.stop - part.start for part in box)
    grown = binary_dilation(body.part(start, shape), iterations=_OUTSIDE_VOXELS)
    padded = np.pad(grown, _DEPTH_VOXELS)
    for axis, (part, size) in enumerate(zip(box, body.shape, strict=True)):
        _extend(padded, axis, _DEPTH_VOXELS, part.start == 0, part.stop == size)
    inner = (slice(_DEPTH_VOXELS, -_DEPTH_VOXELS),) * 3
    skin = grown & ~binary_erosion(padded, iterations=_DEPTH_VOXELS)[inner]
    values = hu[box]
    skin &= (values > _LOWEST_HU) & (values < _HIGHEST_HU)
    blobs, _count = label(skin)
    sizes = np.bincount(blobs.ravel())
    is_kept = sizes >= _SMALLEST_BLOB_VOXELS
    is_kept[0] = False
    return VoxelMask.cropped(is_kept[blobs], start, body.shape)


def half_mask(mask: VoxelMask, midline: VoxelMask, grid: Geometry, is_left: bool) -> VoxelMask:
    """The voxels of ``mask`` to the patient's left or right of the sagittal plane through the middle of ``midline``."""
    middle = float(np.mean(_right_mm(midline, grid)[midline.voxels]))
    right_mm = _right_mm(mask, grid)
    side = right_mm < middle if is_left else right_mm >= middle
    return VoxelMask.cropped(mask.voxels & side, mask.start, mask.shape)


def _right_mm(mask: VoxelMask, grid: Geometry) -> np.ndarray:
    """How far to the right (x of RAS, mm) each voxel of the mask's box lies, (k, j, i)."""
    x = grid.ijk_to_ras[0]
    k, j, i = np.ogrid[mask.box]
    return x[0] * i + x[1] * j + x[2] * k + x[3]


def _extend(padded: np.ndarray, axis: int, width: int, at_start: bool, at_end: bool) -> None:
    """Beyond the border of the CT the body goes on as it ends there."""
    turned = np.moveaxis(padded, axis, 0)
    if at_start:
        turned[:width] = turned[width]
    if at_end:
        turned[-width:] = turned[-width - 1]
