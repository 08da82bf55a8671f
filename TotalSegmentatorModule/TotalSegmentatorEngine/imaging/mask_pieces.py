"""The pieces of a mask: voxels that share a face, an edge or a corner belong together."""

from __future__ import annotations

import cc3d
import numpy as np

TOUCHING = 26


def numbered_pieces(mask: np.ndarray) -> np.ndarray:
    """For each voxel of a three-dimensional mask the number of its piece, from 1; 0 outside."""
    if sorted(mask.shape)[1] == 1:  # cc3d 4.1 reckons with too few pieces in a line of voxels, and stops
        return numbered_pieces(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    return cc3d.connected_components(np.ascontiguousarray(mask), connectivity=TOUCHING)


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The mask without its other pieces."""
    numbers = numbered_pieces(mask)
    counts = np.bincount(numbers.ravel())
    counts[0] = 0
    return numbers == np.argmax(counts) if counts.any() else np.zeros(mask.shape, bool)
