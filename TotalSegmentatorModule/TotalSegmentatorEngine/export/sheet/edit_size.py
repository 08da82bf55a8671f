"""How much was edited of a structure: measures that need what the model computed."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.export.compare.added_path import added_path_length
from TotalSegmentatorEngine.export.compare.comparison import dice
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.sheet.contents import EditSize
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.statistics.voxel_volumes import volume_by_planes


def edit_size(computed: VoxelMask, now: VoxelMask, grid: Geometry, volumes: np.ndarray) -> EditSize:
    """Both masks lie on ``grid``; ``volumes``: of a voxel by plane in mm³, as ``plane_volumes`` gives them."""
    overlap = dice(computed, now)
    return EditSize(
        computed_ml=volume_by_planes(computed, volumes),
        volume_ml=volume_by_planes(now, volumes),
        dice=1.0 if overlap is None else overlap,
        added_path_mm=added_path_length(now, computed, grid),
    )


def is_same(first: VoxelMask, second: VoxelMask) -> bool:
    """Whether they have the same voxels."""
    boxes = [VoxelMask.cropped(mask.voxels, mask.start, mask.shape) for mask in (first, second)]
    return boxes[0].start == boxes[1].start and np.array_equal(boxes[0].voxels, boxes[1].voxels)
