"""How long a contour somebody had to draw to correct a structure: the added path length.

Vaassen et al., "Evaluation of measures for assessing time-saving of automatic organ-at-risk segmentation in
radiotherapy" (Phys Imaging Radiat Oncol 2020;13:1-6), found that it goes with the time that editing takes better than
volume and surface measures do. Of the final contour, it is the part that does not lie on the automatic one: in each
axial slice the pixels of the final contour that are not pixels of the automatic contour, without a tolerance; their
number times the pixel's size is a length.
"""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.imaging.geometry import Geometry, canonical_reorientation


def added_path_length(final: VoxelMask, automatic: VoxelMask, grid: Geometry) -> float:
    """In mm; 0 where nothing had to be drawn. Both masks lie on ``grid``; "axial" is the grid's own axis that runs most
    nearly along the body. A contour's pixels are those of the structure that share an edge with a pixel outside of it
    in their slice; beyond the grid everything is outside. Where pixels are not square, the mean of their sides counts.
    """
    if final.is_empty:
        return 0.0
    turn = canonical_reorientation(grid)
    whole = union([final, automatic])
    contours = [_contour(turn.view(mask.part(whole.start, whole.voxels.shape))) for mask in (final, automatic)]
    spacing = turn.grid(grid).spacing
    return float(np.count_nonzero(contours[0] & ~contours[1]) * (spacing[0] + spacing[1]) / 2)


def _contour(voxels: np.ndarray) -> np.ndarray:
    """bool: the voxels (S, A, R) with a neighbour outside in their slice."""
    padded = np.pad(voxels, ((0, 0), (1, 1), (1, 1)))
    core = padded[:, 1:-1, 1:-1].copy()
    for shifted in (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]):
        core &= shifted
    return voxels & ~core
