"""The voxels of one segment as a small array: taken out of the image that segments share, and written back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from TotalSegmentatorWire.errors.problem import SegmentationError

BINARY_LABELMAP = "Binary labelmap"
SCALARS_NAME = "ImageScalars"
"""Slicer's DICOM segmentation exporter looks the voxels up by this name."""


@dataclass(frozen=True, eq=False)
class SegmentVoxels:
    """Cut to the box around the voxels; size 0 where there are none."""

    inside: np.ndarray
    """bool (k, j, i)."""
    start: tuple[int, int, int]
    """k, j, i of the first one, in the indices of ``ijk_to_ras``."""
    ijk_to_ras: np.ndarray
    """4 x 4: to RAS in mm of the segmentation's own space."""

    @classmethod
    def of(cls, segment) -> SegmentVoxels:
        """Of a vtkSegment that has a binary labelmap. Looks at every voxel of the image that it lies in."""
        return ImageVoxels.of(segment.GetRepresentation(BINARY_LABELMAP)).of_label(segment.GetLabelValue())

    @classmethod
    def cropped(cls, inside: np.ndarray, start: tuple[int, int, int], ijk_to_ras: np.ndarray) -> SegmentVoxels:
        footprint = inside.any(axis=0)
        if not footprint.any():
            return cls(np.zeros((0, 0, 0), bool), (0, 0, 0), ijk_to_ras)
        spans = [np.flatnonzero(each.any(axis=1)) for each in (inside.reshape(len(inside), -1), footprint, footprint.T)]
        box = tuple(slice(span[0], span[-1] + 1) for span in spans)
        low = tuple(int(first + span[0]) for first, span in zip(start, spans, strict=True))
        return cls(np.ascontiguousarray(inside[box]), low, ijk_to_ras)

    def as_in(self, segment) -> SegmentVoxels:
        """These voxels as a vtkSegment that was given them has them: they may have been resampled to its grid."""
        image, matrix = segment.GetRepresentation(BINARY_LABELMAP), vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        is_own_grid = np.allclose(slicer.util.arrayFromVTKMatrix(matrix), self.ijk_to_ras, rtol=0, atol=1e-6)
        return self if is_own_grid else SegmentVoxels.of(segment)

    def is_same(self, other: SegmentVoxels) -> bool:
        return self.start == other.start and np.array_equal(self.inside, other.inside)

    def image(self):
        """As a vtkOrientedImageData of 0 and 1; a single 0 where there are no voxels."""
        inside = self.inside if self.inside.size else np.zeros((1, 1, 1), bool)
        k, j, i = self.start
        depth, height, width = inside.shape
        image = slicer.vtkOrientedImageData()
        image.SetExtent(i, i + width - 1, j, j + height - 1, k, k + depth - 1)
        scalars = vtk.util.numpy_support.numpy_to_vtk(inside.astype(np.uint8).reshape(-1), deep=True)
        scalars.SetName(SCALARS_NAME)
        image.GetPointData().SetScalars(scalars)
        image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(self.ijk_to_ras))
        return image

    def write_to(self, node, segment_id: str) -> None:
        """Give them to a segment of ``node`` (vtkMRMLSegmentationNode) in place of those that it has; the others keep
        theirs, also where they overlap then. Raises SegmentationError("REPAIR_NO_SEGMENT")."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.SetBinaryLabelmapToSegment(self.image(), node, segment_id, logic.MODE_REPLACE):
            raise SegmentationError("REPAIR_NO_SEGMENT")


@dataclass(frozen=True, eq=False)
class ImageVoxels:
    """Those of an image that segments share, each with a value of its own."""

    labels: np.ndarray
    """(k, j, i); size 0 for an empty image."""
    start: tuple[int, int, int]
    """As in SegmentVoxels."""
    ijk_to_ras: np.ndarray

    @classmethod
    def of(cls, image) -> ImageVoxels:
        """A view of a vtkOrientedImageData, which changes with it."""
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        to_ras = slicer.util.arrayFromVTKMatrix(matrix)
        scalars = image.GetPointData().GetScalars()
        if image.GetNumberOfPoints() == 0 or scalars is None:
            return cls(np.zeros((0, 0, 0), np.uint8), (0, 0, 0), to_ras)
        array = vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(tuple(reversed(image.GetDimensions())))
        return cls(array, tuple(reversed(image.GetExtent()[::2])), to_ras)

    def copy(self) -> ImageVoxels:
        return ImageVoxels(self.labels.copy(), self.start, self.ijk_to_ras)

    def of_label(self, label: int) -> SegmentVoxels:
        """Looks at every voxel, a plane at a time, which fits into the processor's cache."""
        planes = [k for k, plane in enumerate(self.labels) if (plane == label).any()]
        low, high = (planes[0], planes[-1] + 1) if planes else (0, 0)
        start = (self.start[0] + low, *self.start[1:])
        return SegmentVoxels.cropped(self.labels[low:high] == label, start, self.ijk_to_ras)

    def labels_that_differ(self, other: ImageVoxels) -> set[int] | None:
        """The values of all voxels at which the two differ, in the one and in the other; None on other grids. Slicer
        cuts images to what is in them, so that they may cover other boxes of one grid."""
        if not np.array_equal(self.ijk_to_ras, other.ijk_to_ras):
            return None
        low, high = np.maximum(self.start, other.start), np.minimum(self._end, other._end)
        if (low >= high).any():
            return _labels_in(self.labels) | _labels_in(other.labels)
        differing: set[int] = set()
        for old, new in zip(self._part(low, high), other._part(low, high), strict=True):
            where = old != new
            if where.any():
                differing.update(np.unique(old[where]).tolist(), np.unique(new[where]).tolist())
        return differing | self._labels_outside(low, high) | other._labels_outside(low, high)

    @property
    def _end(self) -> np.ndarray:
        return np.add(self.start, self.labels.shape)

    def _part(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        box = tuple(slice(*ends) for ends in zip(low - self.start, high - self.start, strict=True))
        return self.labels[box]

    def _labels_outside(self, low: np.ndarray, high: np.ndarray) -> set[int]:
        """Of the voxels that are not between ``low`` and ``high`` (k, j, i)."""
        found: set[int] = set()
        inner = [slice(None)] * 3
        for axis, (first, last) in enumerate(zip(low - self.start, high - self.start, strict=True)):
            for beyond in (slice(0, first), slice(last, None)):
                found |= _labels_in(self.labels[(*inner[:axis], beyond, *inner[axis + 1 :])])
            inner[axis] = slice(first, last)
        return found


def _labels_in(labels: np.ndarray) -> set[int]:
    """But 0."""
    return set(np.unique(labels[labels != 0]).tolist()) if labels.any() else set()


def voxel_stamp(segment) -> Hashable:
    """Differs after every change of the voxels of a vtkSegment, or of others in the image that they share; not after
    one of tags, which the user may judge. Looks at no voxel."""
    image = segment.GetRepresentation(BINARY_LABELMAP)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    times = [each.GetMTime() if each is not None else 0 for each in (image, scalars)]
    return (segment.GetLabelValue(), *times)
