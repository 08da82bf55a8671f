"""Structures put together into label images: one where they do not overlap, otherwise as few layers as it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask

Progress = Callable[[int, Roi], None]
"""Called before each structure with its place in the list; may raise to stop."""


def nothing_to_report(_index: int, _roi: Roi) -> None:
    """The progress of somebody who does not look."""


def label_volume(
    rois: Sequence[Roi], shape: tuple[int, int, int], progress: Progress = nothing_to_report
) -> np.ndarray:
    """One label image (k, j, i): each structure's ROI number; uint8 where the numbers fit, else uint16.

    Raises SegmentationError("EXPORT_OVERLAP") for the first two structures that share voxels: one of them would lose
    them silently.
    """
    labels = np.zeros(shape, dtype=label_type(rois))
    for index, roi in enumerate(rois):
        progress(index, roi)
        mask = roi.voxels()
        part = labels[mask.box]
        shared = part[mask.voxels]
        if shared.any():
            other = next(earlier for earlier in rois if earlier.number == shared.max())
            voxels = int(np.count_nonzero(shared == other.number))
            raise SegmentationError("EXPORT_OVERLAP", first=other.name, second=roi.name, voxels=voxels)
        part[mask.voxels] = roi.number
    return labels


def label_layers(
    rois: Sequence[Roi], shape: tuple[int, int, int], progress: Progress = nothing_to_report
) -> tuple[list[np.ndarray], list[int], list[tuple[int, ...]]]:
    """Label images (k, j, i) of ROI numbers, and for each structure its layer and its extent.

    A structure goes into the first layer where it overlaps nothing, so that structures without overlaps share one. An
    extent holds the first and last index along i, j, k.
    """
    stack, places, extents = LayerStack(shape, label_type(rois)), [], []
    for index, roi in enumerate(rois):
        progress(index, roi)
        mask = roi.voxels()
        places.append(stack.add(mask, roi.number))
        extents.append(tuple(index for part in reversed(mask.box) for index in (part.start, part.stop - 1)))
    return stack.layers, places, extents


class LayerStack:
    """Label images (k, j, i) of one shape; each structure goes into the first where it overlaps nothing."""

    def __init__(self, shape: tuple[int, int, int], dtype: type[np.unsignedinteger]) -> None:
        self.layers: list[np.ndarray] = []
        self._shape = shape
        self._dtype = dtype

    def add(self, mask: VoxelMask, label: int) -> int:
        """Gives the structure's voxels the value ``label``, which is no other one's of its layer; returns the index of
        the layer."""
        free = (n for n, layer in enumerate(self.layers) if not layer[mask.box][mask.voxels].any())
        place = next(free, len(self.layers))
        if place == len(self.layers):
            self.layers.append(np.zeros(self._shape, self._dtype))
        self.layers[place][mask.box][mask.voxels] = label
        return place


def label_type(rois: Sequence[Roi]) -> type[np.unsignedinteger]:
    return np.uint8 if max(roi.number for roi in rois) <= np.iinfo(np.uint8).max else np.uint16
