"""Turns a finished result into an editable segmentation.

All structures of a layer share one label image, which costs milliseconds where an import segment by segment would take
seconds. The voxels are written straight into VTK's memory, so that nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from slicer.i18n import tr as _
from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.agreement.kept import agreement_of, agreement_tag
from TotalSegmentatorWire.messages.segment import FoundStructure, ResultHeader
from TotalSegmentatorWire.tables.result_tags import PREVIEW_MARK, PREVIEW_TAG, provenance_tags
from TotalSegmentatorWire.tables.structures import Structure, known_structures

from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import mark_unreviewed
from TotalSegmentatorModuleLib.scene.segment_notices import SegmentNotices, segment_names
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SCALARS_NAME
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import release_images
from TotalSegmentatorModuleLib.scene.volumes import (
    collapse_item,
    file_beside,
    ijk_to_ras,
    scalar_volumes,
    series_instance_uid,
)
from TotalSegmentatorModuleLib.tags.result_mark import mark_result
from TotalSegmentatorModuleLib.tags.review_flags import write_review
from TotalSegmentatorModuleLib.tags.structure_measures import write_measures

_GIVEN_NAME = "TotalSegmentatorModule.ResultName"
"""Node attribute with the name that the module gave; a node of another name was named by the user."""
_REGION, _REGION_OPACITY_3D = "region", 0.2
"""The group of structures that hold many others."""
GRID_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner of the image lies further apart."""


class LabelImage:
    """A label map of unsigned bytes that VTK owns and NumPy sees.

    ``array`` has shape (k, j, i) and is not initialised; ``oriented`` gives the image without a copy. ``start``: k, j,
    i of its first voxel on a larger grid.
    """

    def __init__(self, shape: tuple[int, int, int], start: tuple[int, int, int] = (0, 0, 0)) -> None:
        self._start = start
        self._scalars = vtk.vtkUnsignedCharArray()
        self._scalars.SetName(SCALARS_NAME)
        self._scalars.SetNumberOfValues(int(np.prod(shape, dtype=np.int64)))
        self.array: np.ndarray = vtk.util.numpy_support.vtk_to_numpy(self._scalars).reshape(shape)

    def oriented(self, ijk_to_ras: np.ndarray):
        """The image as a vtkOrientedImageData. ``ijk_to_ras``: 4 x 4, column, row, slice index of the (larger) grid to
        RAS in mm."""
        ends = [(first, first + size - 1) for first, size in zip(self._start, self.array.shape, strict=True)]
        image = slicer.vtkOrientedImageData()
        image.SetExtent(*ends[2], *ends[1], *ends[0])
        image.GetPointData().SetScalars(self._scalars)
        image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(np.asarray(ijk_to_ras).reshape(4, 4)))
        return image


WriteNotes = Callable[[Any, Mapping[str, Any]], None]
"""Gets the vtkMRMLSegmentationNode that is to have new segments, and these by their ids, before it has them."""


@dataclass(frozen=True)
class ImportTarget:
    """Where a result goes: the CT that it belongs to, and a segmentation to replace. Both may be None."""

    ct: object = None
    """vtkMRMLScalarVolumeNode; without one the segmentation has its geometry from the result alone."""
    output: object = None
    """vtkMRMLSegmentationNode whose segments are replaced; None makes a new one."""
    name: str = ""
    """Of a new segmentation, and of one that still has the name of the result it held; made unique."""


def import_result(layers: Sequence[LabelImage], header: ResultHeader, target: ImportTarget):
    """Make segments of all structures that ``header`` found, in one go; returns the vtkMRMLSegmentationNode.

    ``layers`` must hold the voxels already and belong to the segmentation from now on.
    """
    preparation = prepared_segmentation(layers, header)
    try:
        while True:
            next(preparation)
    except StopIteration as stop:
        node, former = add_to_scene(stop.value, target, review_of(header))
    notices = SegmentNotices()
    notices.add(node, former)
    notices.finish()
    return node


def prepared_segmentation(layers: Sequence[LabelImage], header: ResultHeader) -> Generator[None, None, Any]:
    """Make a vtkSegmentation of all structures that ``header`` found, which nobody sees yet; waits after each.

    ``layers`` as in ``import_result``. Whoever does not pass the segmentation on to ``add_to_scene`` has to release it
    (segmentation_lifetime); where this is ended early, it does so itself. Raises as ``computed_segments`` does.
    """
    segmentation = slicer.vtkSegmentation()
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    try:
        for name, segment in computed_segments(layers, header):
            yield
            segmentation.AddSegment(segment, name)
        yield
        write_measures(_by_id(segmentation), header)
    except BaseException:
        release_images(segmentation)
        raise
    return segmentation


def computed_segments(layers: Sequence[LabelImage], header: ResultHeader) -> Iterator[tuple[str, Any]]:
    """The names and vtkSegments of all structures that ``header`` found; those of a layer share its image. Raises
    KeyError, IndexError for a header that contradicts itself."""
    images = [labels.oriented(np.asarray(header.ijk_to_ras)) for labels in layers]
    structures = {structure.name: structure for structure in map(structure_from_row, header.structures)}
    found = [(each, structures[each.name]) for each in header.found]
    for each, structure in found:
        yield structure.name, _segment(images[each.layer], each, structure, _provenance(header, each))


def _provenance(header: ResultHeader, found: FoundStructure) -> dict[str, str]:
    """How a structure was made. Raises KeyError."""
    model = header.model_of(found)
    marks = {PREVIEW_TAG: PREVIEW_MARK} if header.preview_of else {}
    return marks | provenance_tags(
        model,
        header.profiles[model],
        header.engine_version,
        header.options,
        header.series_instance_uid,
        header.seconds,
        header.device,
        agreement_tag(agreement_of(header.agreement)),
    )


def review_of(header: ResultHeader) -> WriteNotes:
    """Notes what the engine's check said about a result."""
    return lambda node, segments: write_review(node, segments, header.review)


def add_to_scene(segmentation, target: ImportTarget, write_notes: WriteNotes) -> tuple[Any, dict[str, str]]:
    """Show a prepared vtkSegmentation, whole and at once; returns its vtkMRMLSegmentationNode, and the segments that
    this had before: their names by their ids.

    Only the change of the segmentation as a whole is announced: of the segments SegmentNotices tells. Slicer's reaction
    to a hundred segments at once would be a visible pause.
    """
    try:
        node = target.output or _new_segmentation(target)
        node.CreateDefaultDisplayNodes()  # now: a change of the display is an event about all segments
        former = segment_names(node)
        with _editors_let_go(node):
            _exchange(node, segmentation, target, write_notes)
    except BaseException:
        release_images(segmentation)
        raise
    return node, former


def _exchange(node, segmentation, target: ImportTarget, write_notes: WriteNotes) -> None:
    replaced = node.GetSegmentation()
    with told_once(node):
        segmentation.CopyConversionParameters(replaced)
        _forget_display_properties(node)
        write_notes(node, _by_id(segmentation))
        node.SetAndObserveSegmentation(segmentation)
        _uncover_what_lies_in_regions(node, segmentation)
        release_images(replaced)
        if target.ct is not None:
            node.SetAndObserveTransformNodeID(target.ct.GetTransformNodeID())
            node.SetReferenceImageGeometryParameterFromVolumeNode(target.ct)
        mark_result(node)
        if target.output is not None:
            rename_given(node, target.name)  # it tells what was in it; the user's own name stays
        node.StorableModified()  # to be saved
        node.Modified()  # views look only then whether the segmentation is another one
    node.GetDisplayNode().SetVisibility(True)  # a new result is seen, whatever was hidden before


def _forget_display_properties(node) -> None:
    """A new segment does not take over colour, opacity and visibility of one that had its id. Nobody has to draw
    anything yet: what is pending comes with the next change of the display."""
    display = node.GetDisplayNode()
    if display is not None:
        was_silent = display.GetDisableModifiedEvent()
        display.SetDisableModifiedEvent(True)
        display.ClearSegmentDisplayProperties()
        display.SetDisableModifiedEvent(was_silent)


def _uncover_what_lies_in_regions(node, segmentation) -> None:
    """The body and the like are drawn as outlines, and pale in 3-D: filled, they would cover all other structures."""
    display, known = node.GetDisplayNode(), known_structures()
    regions = [each for each in _by_id(segmentation) if each in known and known[each].group == _REGION]
    for segment_id in regions if display is not None else ():
        display.SetSegmentOpacity2DFill(segment_id, 0.0)
        display.SetSegmentOpacity3D(segment_id, _REGION_OPACITY_3D)


@contextmanager
def _editors_let_go(node) -> Iterator[None]:
    """The Segment Editor keeps the vtkSegmentation whose changes it can undo for as long as it has the same node."""
    editors = [
        editor
        for editor in slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")
        if editor.GetSegmentationNode() is node
    ]
    selected = [editor.GetSelectedSegmentID() for editor in editors]
    for editor in editors:
        editor.SetAndObserveSegmentationNode(None)
    try:
        yield
    finally:
        for editor, segment_id in zip(editors, selected, strict=True):
            editor.SetAndObserveSegmentationNode(node)
            if segment_id and node.GetSegmentation().GetSegment(segment_id) is not None:
                editor.SetSelectedSegmentID(segment_id)


def structure_from_row(row: dict) -> Structure:
    """The Structure of a row of ``ResultHeader.structures`` (JSON has no tuples)."""
    return Structure(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})


class MadeOnCt(Protocol):
    """ResultHeader, or whatever else says on which CT something was made."""

    shape: Sequence[int]
    """k, j, i"""
    ijk_to_ras: Sequence[float]
    """16 numbers, row by row, RAS in mm."""
    series_instance_uid: str | None


def find_ct(made: MadeOnCt, preferred=None):
    """The volume on whose grid the result lies: ``preferred`` if it fits, else any volume that does, or None.

    The grid (size and IJK to RAS) must agree in any case, and the series where the result knows its own. A volume of no
    series, such as one that was saved and loaded again, then has to be ``preferred``: CTs of several patients may have
    been resampled to one grid.
    """
    candidates = [preferred] if preferred is not None else []
    candidates += [node for node in scalar_volumes() if node is not preferred]
    fitting = [node for node in candidates if _is_on_grid(node, made)]
    wanted = made.series_instance_uid
    same_series = [node for node in fitting if wanted in (None, series_instance_uid(node))]
    of_no_series = [node for node in fitting if node is preferred and series_instance_uid(node) is None]
    return next(iter(same_series + of_no_series), None)


def _is_on_grid(volume, made: MadeOnCt) -> bool:
    image = volume.GetImageData()
    if image is None or list(reversed(image.GetDimensions())) != list(made.shape):
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(made.shape[::-1]) - 1
    apart = corners @ (ijk_to_ras(volume) - np.asarray(made.ijk_to_ras).reshape(4, 4)).T
    return bool(np.abs(apart).max() < GRID_TOLERANCE_MM)


def rename_given(node, name: str) -> None:
    """Give ``node`` (vtkMRMLSegmentationNode) this name, made unique, unless the user has named it."""
    if name and node.GetName() != name and node.GetAttribute(_GIVEN_NAME) == node.GetName():
        node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
        node.SetAttribute(_GIVEN_NAME, node.GetName())


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


def _by_id(segmentation) -> dict[str, Any]:
    """The vtkSegments of a vtkSegmentation."""
    ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    return {each: segmentation.GetSegment(each) for each in ids}


def _segment(image, found: FoundStructure, structure: Structure, provenance: Mapping[str, str]):
    """The vtkSegment of a structure; those of its layer share ``image``."""
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
    return segment
