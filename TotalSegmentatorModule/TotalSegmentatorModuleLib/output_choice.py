"""The segmentation that a job is to replace, and whether somebody edits it meanwhile."""

from __future__ import annotations

from collections.abc import Hashable

import slicer

from .segmentation_import import BINARY_LABELMAP


class OutputChoice:
    """Remembers a vtkMRMLSegmentationNode (or None) and its contents at the moment the user agreed to replace them."""

    def __init__(self, node) -> None:
        self._node_id = node.GetID() if node is not None else None
        self._stamp = content_stamp(node) if node is not None else None

    @property
    def was_chosen(self) -> bool:
        return self._node_id is not None

    def resolve(self):
        """The node to replace; None to make a new one, also when the node is gone or was edited since."""
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None
        if node is None or content_stamp(node) != self._stamp:
            return None
        return node


def content_stamp(node) -> Hashable:
    """Differs after every change of the segments of a vtkMRMLSegmentationNode or of their voxels."""
    segmentation = node.GetSegmentation()
    return tuple(
        _segment_stamp(segmentation, segmentation.GetNthSegmentID(index))
        for index in range(segmentation.GetNumberOfSegments())
    )


def _segment_stamp(segmentation, segment_id: str) -> Hashable:
    segment = segmentation.GetSegment(segment_id)
    image = segment.GetRepresentation(BINARY_LABELMAP)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    times = (image.GetMTime() if image is not None else 0, scalars.GetMTime() if scalars is not None else 0)
    return (segment_id, segment.GetName(), *times)
