"""Volumes of voxels and structures, also where the planes are not evenly spaced."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import MM3_PER_ML, Geometry


def volume_ml(mask: VoxelMask, grid: Geometry, plane_distances: np.ndarray | None = None) -> float:
    """The voxels' volume; ``plane_distances`` as for ``plane_volumes``."""
    return volume_by_planes(mask, plane_volumes(grid, plane_distances))


def volume_by_planes(mask: VoxelMask, volumes: np.ndarray) -> float:
    """In ml; ``volumes`` as ``plane_volumes`` gives them."""
    counts = mask.voxels.sum(axis=(1, 2), dtype=np.int64)
    return float(counts @ volumes[mask.box[0]]) / MM3_PER_ML


def plane_volumes(grid: Geometry, plane_distances: np.ndarray | None = None) -> np.ndarray:
    """Volume of a voxel in mm³ by plane.

    ``plane_distances``: position of each plane along the normal in mm, for a CT whose steps differ
    (ReferenceSeries.plane_distances); without them the steps of ``grid`` count. A plane reaches half the way to its
    neighbours, the outer ones as far out.
    """
    volume = grid.voxel_mm3
    if plane_distances is None or len(plane_distances) < 2:
        return np.full(grid.shape[0], volume)
    steps = np.abs(np.diff(np.asarray(plane_distances, dtype=np.float64)))
    widths = (np.concatenate([steps[:1], steps]) + np.concatenate([steps, steps[-1:]])) / 2
    return widths * (volume / grid.spacing[2])
