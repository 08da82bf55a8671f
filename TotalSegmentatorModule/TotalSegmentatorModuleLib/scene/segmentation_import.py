"""Turns a finished result into an editable segmentation.

All structures share one label image (one layer), which costs milliseconds where an import segment by segment would
take seconds. The voxels are written straight into VTK's memory, so that nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from slicer.i18n import tr as _
from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.messages.segment import ResultHeader
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.structures import Structure

from TotalSegmentatorModuleLib.scene.review_tags import mark_unreviewed
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import mark_result, remove_all_segments
from TotalSegmentatorModuleLib.scene.volumes import (
    collapse_item,
    file_beside,
    ijk_to_ras,
    scalar_volumes,
    series_instance_uid,
)
from TotalSegmentatorModuleLib.tags.review_flags import write_review
from TotalSegmentatorModuleLib.tags.structure_measures import write_measures

BINARY_LABELMAP = "Binary labelmap"
SCALARS_NAME = "ImageScalars"
"""Slicer's DICOM segmentation exporter looks the voxels up by this name."""
_GIVEN_NAME = "TotalSegmentatorModule.ResultName"
"""Node attribute with the name that the module gave; a node of another name was named by the user."""
GRID_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner of the image lies further apart."""


class LabelImage:
    """A label map of unsigned bytes that VTK owns and NumPy sees.

    ``array`` has shape (k, j, i) and is not initialised; ``oriented`` gives the image without a copy.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._scalars = vtk.vtkUnsignedCharArray()
        self._scalars.SetName(SCALARS_NAME)
        self._scalars.SetNumberOfValues(int(np.prod(shape, dtype=np.int64)))
        self.array: np.ndarray = vtk.util.numpy_support.vtk_to_numpy(self._scalars).reshape(shape)

    def oriented(self, ijk_to_ras: np.ndarray):
        """The image as a vtkOrientedImageData. ``ijk_to_ras``: 4 x 4, column, row, slice index to RAS in mm."""
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*reversed(self.array.shape))
        image.GetPointData().SetScalars(self._scalars)
        image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(np.asarray(ijk_to_ras).reshape(4, 4)))
        return image


@dataclass(frozen=True)
class ImportTarget:
    """Where a result goes: the CT that it belongs to, and a segmentation to replace. Both may be None."""

    ct: object = None
    """vtkMRMLScalarVolumeNode; without one the segmentation has its geometry from the result alone."""
    output: object = None
    """vtkMRMLSegmentationNode whose segments are replaced; None makes a new one."""
    name: str = ""
    """Of a new segmentation, and of one that still has the name of the result it held; made unique."""


def import_result(labels: LabelImage, header: ResultHeader, target: ImportTarget):
    """Make segments of all structures that ``header`` found; returns the vtkMRMLSegmentationNode.

    ``labels`` must hold the voxels already and belongs to the segmentation from now on.
    """
    segments = _segments(labels.oriented(np.asarray(header.ijk_to_ras)), header)  # before anything is taken away
    node = target.output or _new_segmentation(target)
    was_modifying = node.StartModify()
    try:
        remove_all_segments(node)
        node.GetSegmentation().SetSourceRepresentationName(BINARY_LABELMAP)
        if target.ct is not None:
            node.SetAndObserveTransformNodeID(target.ct.GetTransformNodeID())
            node.SetReferenceImageGeometryParameterFromVolumeNode(target.ct)
        write_review(node, segments, header.review)
        for segment_id, segment in segments.items():
            node.GetSegmentation().AddSegment(segment, segment_id)
        mark_result(node)
        if target.output is not None:
            _rename_replaced(node, target.name)
    finally:
        node.EndModify(was_modifying)
    node.CreateDefaultDisplayNodes()
    _show(node)
    return node


def _show(node) -> None:
    """A new result is seen, whatever was hidden in the segmentation that it replaces."""
    display = node.GetDisplayNode()
    was_modifying = display.StartModify()
    display.SetVisibility(True)
    display.SetAllSegmentsVisibility(True)
    display.EndModify(was_modifying)


def structure_from_row(row: dict) -> Structure:
    """The Structure of a row of ``ResultHeader.structures`` (JSON has no tuples)."""
    return Structure(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})


def find_ct(header: ResultHeader, preferred=None):
    """The volume on whose grid the result lies: ``preferred`` if it fits, else any volume that does, or None.

    The series UID decides where both have one, the grid (size and IJK to RAS) must agree in any case.
    """
    candidates = [preferred] if preferred is not None else []
    candidates += [node for node in scalar_volumes() if node is not preferred]
    fitting = [node for node in candidates if _is_on_grid(node, header)]
    same_series = [node for node in fitting if header.series_instance_uid in (None, series_instance_uid(node))]
    return next(iter(same_series), None)


def _is_on_grid(volume, header: ResultHeader) -> bool:
    image = volume.GetImageData()
    if image is None or list(reversed(image.GetDimensions())) != list(header.shape):
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(header.shape[::-1]) - 1
    apart = corners @ (ijk_to_ras(volume) - np.asarray(header.ijk_to_ras).reshape(4, 4)).T
    return bool(np.abs(apart).max() < GRID_TOLERANCE_MM)


def _new_segmentation(target: ImportTarget):
    ct = target.ct
    name = _("{ct} segmentation").format(ct=ct.GetName()) if ct is not None else _("CT segmentation")
    unique = slicer.mrmlScene.GenerateUniqueName(target.name or name)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", unique)
    node.SetAttribute(_GIVEN_NAME, unique)
    if ct is not None:
        file_beside(node, ct)
    collapse_item(node)
    return node


def _rename_replaced(node, name: str) -> None:
    """The name of a result tells what was in it, so it would be wrong now; the user's own name stays."""
    if name and node.GetName() != name and node.GetAttribute(_GIVEN_NAME) == node.GetName():
        node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
        node.SetAttribute(_GIVEN_NAME, node.GetName())


def _segments(image, header: ResultHeader) -> dict[str, object]:
    """The vtkSegments of all found structures by their ids; they share ``image``."""
    segments: dict[str, object] = {}
    provenance = provenance_tags(
        header.model, header.profile, header.engine_version, header.options, header.series_instance_uid
    )
    structures = {structure.name: structure for structure in map(structure_from_row, header.structures)}
    for found in header.found:
        structure = structures[found.name]
        segment = slicer.vtkSegment()
        segment.SetName(structure.display_name)
        segment.SetNameAutoGenerated(False)
        segment.SetColor(*(channel / 255.0 for channel in structure.colour))
        segment.SetColorAutoGenerated(False)
        segment.SetLabelValue(found.label)
        segment.AddRepresentation(BINARY_LABELMAP, image)
        segment.SetTag(segment.GetTerminologyEntryTagName(), structure.terminology)
        segment.SetTag("DICOM.SegmentAlgorithmType", "AUTOMATIC")
        segment.SetTag("DICOM.SegmentAlgorithmName", ALGORITHM_NAME)
        for name, value in provenance.items():
            segment.SetTag(name, value)
        mark_unreviewed(segment, found.digest)
        segments[structure.name] = segment
    write_measures(segments, header)
    return segments
