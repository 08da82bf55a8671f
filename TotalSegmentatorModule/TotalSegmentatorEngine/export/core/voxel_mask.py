"""The voxels of one structure on a grid, cut to their bounding box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class VoxelMask:
    """A structure's voxels: ``voxels`` is the box of the grid that begins at ``start``; elsewhere there are none."""

    voxels: np.ndarray
    """bool, (k, j, i). Its faces touch voxels where it was made by ``cropped``; a mask without voxels has size 0."""
    start: tuple[int, int, int]
    """k, j, i of the box's first voxel on the grid."""
    shape: tuple[int, int, int]
    """k, j, i of the whole grid."""

    @classmethod
    def cropped(
        cls, voxels: np.ndarray, start: tuple[int, int, int] = (0, 0, 0), shape: tuple[int, int, int] | None = None
    ) -> VoxelMask:
        """The mask of ``voxels`` (k, j, i; anything but 0 counts), whose first voxel is ``start`` of a grid ``shape``.

        Without ``shape`` the array is the whole grid.
        """
        inside = np.asarray(voxels) != 0
        whole = tuple(int(size) for size in (shape or inside.shape))
        spans = [np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        if not spans[0].size:
            return cls(np.zeros((0, 0, 0), bool), (0, 0, 0), whole)
        box = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
        first = tuple(int(offset + part.start) for offset, part in zip(start, box, strict=True))
        return cls(np.ascontiguousarray(inside[box]), first, whole)

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.voxels))

    @property
    def is_empty(self) -> bool:
        return self.voxels.size == 0 or not self.voxels.any()

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where ``voxels`` lies on the grid (k, j, i)."""
        return tuple(slice(first, first + size) for first, size in zip(self.start, self.voxels.shape, strict=True))

    def whole(self) -> np.ndarray:
        """bool of the grid's whole shape (k, j, i): for small grids and tests."""
        array = np.zeros(self.shape, dtype=bool)
        array[self.box] = self.voxels
        return array

    def part(self, start: Sequence[int], shape: Sequence[int]) -> np.ndarray:
        """bool of the box of the grid (k, j, i) that begins at ``start``."""
        voxels = np.zeros(shape, dtype=bool)
        shared = [
            (max(own.start, first), min(own.stop, first + size))
            for own, first, size in zip(self.box, start, shape, strict=True)
        ]
        if all(first < last for first, last in shared):
            there, here = (
                tuple(slice(first - low, last - low) for (first, last), low in zip(shared, origin, strict=True))
                for origin in (start, self.start)
            )
            voxels[there] = self.voxels[here]
        return voxels

    def plane(self, k: int) -> np.ndarray | None:
        """The voxels of grid plane ``k`` inside the box (j, i), None where there are none."""
        inside = k - self.start[0]
        if not 0 <= inside < self.voxels.shape[0]:
            return None
        plane = self.voxels[inside]
        return plane if plane.any() else None


def union(masks: Sequence[VoxelMask]) -> VoxelMask:
    """All voxels of masks of one grid."""
    filled = [mask for mask in masks if not mask.is_empty]
    if not filled:
        return masks[0]
    first = np.min([mask.start for mask in filled], axis=0)
    end = np.max([[part.stop for part in mask.box] for mask in filled], axis=0)
    voxels = np.zeros(end - first, dtype=bool)
    for mask in filled:
        box = tuple(slice(part.start - low, part.stop - low) for part, low in zip(mask.box, first, strict=True))
        voxels[box] |= mask.voxels
    return VoxelMask(voxels, tuple(int(low) for low in first), filled[0].shape)
