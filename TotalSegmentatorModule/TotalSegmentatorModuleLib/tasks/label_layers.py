"""The label images of a segmentation as arrays: those that its segments share once, others made from surfaces."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support

from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras


class ExportLayers:
    """The layers of some segments of ``node`` (vtkMRMLSegmentationNode), for a moment in which nobody edits it.

    Segments without voxels (made of surfaces, or fractional) get them on the CT's grid, in a copy: ``convert_next`` is
    called until ``is_complete``, one segment a call, as Slicer's conversion cannot be divided. The node itself does not
    change.
    """

    def __init__(self, node, segment_ids: tuple[str, ...], ct) -> None:
        self._node = node
        self._ct = ct
        segmentation = node.GetSegmentation()
        self.segment_ids = [each for each in segment_ids if segmentation.GetSegment(each) is not None]
        self._layer_of: dict[str, int] = {}
        self._made: dict[str, object] = {}  # vtkSegments of copies
        self._first: list[str] = []  # of each layer a segment that has it
        self._unconverted: list[str] = []
        self._find_shared()

    @property
    def is_complete(self) -> bool:
        return not self._unconverted

    @property
    def count(self) -> int:
        return len(self._first)

    def convert_next(self) -> None:
        """Make voxels of one segment."""
        segment_id = self._unconverted.pop()
        self._made[segment_id] = self._converted(segment_id)
        self._append(segment_id)

    def layer_of(self, segment_id: str) -> int:
        return self._layer_of[segment_id]

    def label_of(self, segment_id: str) -> int:
        """The value of the segment's voxels in its layer; a converted one has a layer of its own."""
        return int(self._segment(segment_id).GetLabelValue())

    def array(self, index: int) -> np.ndarray:
        """Voxels (k, j, i) of layer ``index``, not copied; one voxel of 0 where nothing was ever drawn in it."""
        image = self._image(index)
        if _is_empty(image):
            return np.zeros((1, 1, 1), np.uint8)
        scalars = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        array = scalars.reshape(tuple(reversed(image.GetDimensions())))
        return array if array.dtype.kind in "iu" else array.astype(np.int32)  # made by a script; Slicer makes integers

    def ijk_to_segmentation(self, index: int) -> np.ndarray:
        """4 x 4: indices of ``array(index)`` to the segmentation's own RAS in mm."""
        image = self._image(index)
        if _is_empty(image):
            return self._ct_in_segmentation()
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        first = np.eye(4)
        first[:3, 3] = image.GetExtent()[::2]  # the array begins where the extent does
        return slicer.util.arrayFromVTKMatrix(matrix) @ first

    # -- inside --------------------------------------------------------------------------------------------------------

    def _find_shared(self) -> None:
        segmentation = self._node.GetSegmentation()
        layers: dict[str, int] = {}
        for segment_id in self.segment_ids:
            image = segmentation.GetSegment(segment_id).GetRepresentation(BINARY_LABELMAP)
            if image is None:
                self._unconverted.append(segment_id)
                continue
            address = image.GetAddressAsString("")
            if address not in layers:
                layers[address] = len(self._first)
                self._first.append(segment_id)
            self._layer_of[segment_id] = layers[address]
        self._unconverted.reverse()

    def _append(self, segment_id: str) -> None:
        self._layer_of[segment_id] = len(self._first)
        self._first.append(segment_id)

    def _image(self, index: int):
        """vtkOrientedImageData, None for a segment that holds nothing that could be converted."""
        return self._segment(self._first[index]).GetRepresentation(BINARY_LABELMAP)

    def _segment(self, segment_id: str):
        return self._made.get(segment_id) or self._node.GetSegmentation().GetSegment(segment_id)

    def _converted(self, segment_id: str):
        """A copy of the vtkSegment with voxels."""
        source = self._node.GetSegmentation()
        copy = slicer.vtkSegmentation()
        copy.SetSourceRepresentationName(source.GetSourceRepresentationName())
        copy.CopySegmentFromSegmentation(source, segment_id)
        copy.SetConversionParameter(
            slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName(),
            slicer.vtkSegmentationConverter.SerializeImageGeometry(
                slicer.util.vtkMatrixFromArray(self._ct_in_segmentation()), self._ct.GetImageData()
            ),
        )
        copy.CreateRepresentation(BINARY_LABELMAP)
        return copy.GetSegment(segment_id)

    def _ct_in_segmentation(self) -> np.ndarray:
        return np.linalg.inv(segmentation_to_ct(self._node, self._ct)) @ ijk_to_ras(self._ct)


def _is_empty(image) -> bool:
    return image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None
