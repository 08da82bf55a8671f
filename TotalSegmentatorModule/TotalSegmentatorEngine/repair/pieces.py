"""Repairs that need only the structure's own voxels.

Masks are bool (k, j, i); voxels that share a face, an edge or a corner belong to one piece, as in the review.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_fill_holes

from TotalSegmentatorEngine.imaging.mask_pieces import numbered_pieces


def without_islands(mask: np.ndarray, smallest_voxels: float) -> np.ndarray:
    """Without pieces of fewer voxels; the largest piece stays, however small it is."""
    numbers = numbered_pieces(mask)
    sizes = np.bincount(numbers.ravel())
    if len(sizes) < 2:
        return mask.copy()
    stays = sizes >= smallest_voxels
    sizes[0] = 0
    stays[np.argmax(sizes)] = True
    stays[0] = False
    return stays[numbers]


def filled(mask: np.ndarray) -> np.ndarray:
    """With the background that the structure encloses on all sides; what reaches the border of the array by voxels that
    share a face is not enclosed, so the array needs a margin of a voxel unless the scan ends there."""
    return binary_fill_holes(mask)


def piece_at(mask: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The piece with the voxel nearest to ``index`` (k, j, i, not rounded); ``mask`` has at least one voxel."""
    numbers = numbered_pieces(mask)
    voxels = np.argwhere(mask)
    nearest = voxels[np.argmin(((voxels - index) ** 2).sum(axis=1))]
    return numbers == numbers[tuple(nearest)]
