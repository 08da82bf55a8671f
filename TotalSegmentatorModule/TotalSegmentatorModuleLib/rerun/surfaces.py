"""Surfaces of segments that have lost theirs with their voxels, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from TotalSegmentatorModuleLib.changes.replacement import CLOSED_SURFACE
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker

_REST_MS = 20


class SurfaceBuilder:
    """Slicer's conversion of one segment cannot be divided: 20 to 300 ms."""

    def __init__(self) -> None:
        self._node_id = ""
        self._waiting: list[str] = []
        self._ticker = Ticker(self._tick)

    def build(self, node, segment_ids: Sequence[str]) -> None:
        """For segments of ``node`` (vtkMRMLSegmentationNode) that have voxels and no surface."""
        self._node_id, self._waiting = node.GetID(), list(segment_ids)
        self._ticker.start()

    def close(self) -> None:
        self._ticker.dispose()

    def _tick(self) -> int | None:
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._waiting else None
        if node is None:
            return None
        segmentation, segment_id = node.GetSegmentation(), self._waiting.pop(0)
        segment = segmentation.GetSegment(segment_id)
        if segment is not None and segment.GetRepresentation(CLOSED_SURFACE) is None:
            logic = slicer.modules.segmentations.logic()
            surface = logic.CreateRepresentationForOneSegment(segmentation, segment_id, CLOSED_SURFACE)
            if surface is not None:
                segment.AddRepresentation(CLOSED_SURFACE, surface)
                surface.UnRegister(None)  # it came with a reference of its own
        return _REST_MS
