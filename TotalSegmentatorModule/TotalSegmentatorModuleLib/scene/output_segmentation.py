"""The segmentation that a job is to replace, and whether somebody edits it meanwhile."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import slicer
import vtk
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, SLICER_STATUS_TAG

from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP


class OutputChoice:
    """Remembers a vtkMRMLSegmentationNode (or None) and its contents at the moment the user agreed to replace them."""

    def __init__(self, node) -> None:
        self._node_id = node.GetID() if node is not None else None
        self._stamp = content_stamp(node) if node is not None else None

    @property
    def is_lost(self) -> bool:
        """Whether the chosen one is gone or was edited since; asked before the result is in the scene."""
        return self._node_id is not None and self.resolve() is None

    @property
    def kept_id(self) -> str:
        """Of the vtkMRMLSegmentationNode of this job that stays beside the result and in sight; empty without one."""
        return ""

    def resolve(self):
        """The node to replace; None to make a new one, also when the node is gone or was edited since."""
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None
        if node is None or content_stamp(node) != self._stamp:
            return None
        return node

    def taken_by(self, node) -> None:
        """The result is in ``node`` (vtkMRMLSegmentationNode): the resolved one, or a new one."""


def content_stamp(node) -> Hashable:
    """Differs after every change of what somebody sees or decides in a vtkMRMLSegmentationNode: the segments, their
    shapes in the representation that is edited, names, colours and review states."""
    segmentation = node.GetSegmentation()
    source = segmentation.GetSourceRepresentationName()
    return (source, *(_segment_stamp(segment_id, segment, source) for segment_id, segment in _segments(segmentation)))


def work_stamp(node) -> Hashable:
    """Differs after every change that is the user's work in a vtkMRMLSegmentationNode, and not a matter of display: the
    segments there are, their shapes, and their review states."""
    segmentation = node.GetSegmentation()
    source = segmentation.GetSourceRepresentationName()
    return (source, *((each, *_worked_on(segment, source)) for each, segment in _segments(segmentation)))


def segment_stamp(node, segment_id: str) -> Hashable:
    """The part of ``content_stamp`` that is about one segment; None where it does not exist. Drawing in a neighbour
    changes it, too, where the two share an image."""
    segmentation = node.GetSegmentation()
    segment = segmentation.GetSegment(segment_id)
    source = segmentation.GetSourceRepresentationName()
    return _segment_stamp(segment_id, segment, source) if segment is not None else None


def change_stamp(node) -> Hashable:
    """As ``content_stamp``, and differs after every change of a tag, too; also where Slicer has made a representation
    to show it. Reading the segments does not change it."""
    return (content_stamp(node), *(segment.GetMTime() for _id, segment in _segments(node.GetSegmentation())))


def _segments(segmentation) -> Iterator[tuple[str, Any]]:
    for index in range(segmentation.GetNumberOfSegments()):
        segment_id = segmentation.GetNthSegmentID(index)
        yield segment_id, segmentation.GetSegment(segment_id)


def _segment_stamp(segment_id: str, segment, source: str) -> Hashable:
    return (segment_id, segment.GetName(), tuple(segment.GetColor()), *_worked_on(segment, source))


def _worked_on(segment, source: str) -> Hashable:
    judged = [vtk.reference(""), vtk.reference("")]
    for tag, value in zip((REVIEW_STATE_TAG, SLICER_STATUS_TAG), judged, strict=True):
        segment.GetTag(tag, value)
    # a fractional or surface segmentation may hold label images as well, that were made from it
    return (*map(str, judged), *(_times(segment.GetRepresentation(name)) for name in (source, BINARY_LABELMAP)))


def _times(representation) -> tuple[int, int]:
    """An image's time does not tell that somebody wrote into the array of its voxels."""
    if representation is None:
        return 0, 0
    scalars = representation.GetPointData().GetScalars()
    return representation.GetMTime(), scalars.GetMTime() if scalars is not None else 0
