"""Tells when the segments of a segmentation change: their number, names, colours, tags."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import slicer
import vtk

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker


class SegmentationWatch:
    """Calls ``on_changed`` once after any number of changes, when the event loop is free: painting alone makes many.

    Events of what has not changed count for nothing: Slicer hears of each segment of a new result (segment_notices).
    """

    def __init__(self, on_changed: Callable[[], None]) -> None:
        self._on_changed = on_changed
        self._node = None
        self._tags: list[int] = []
        self._stamp: Hashable = None
        self._ticker = Ticker(self._tick)

    def watch(self, node) -> None:
        """Watch this vtkMRMLSegmentationNode and no other; None watches nothing."""
        if node is self._node:
            return
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._ticker.stop()
        self._node, self._tags, self._stamp = node, [], None
        if node is not None:
            segments = slicer.vtkSegmentation
            events = (
                segments.SegmentAdded,
                segments.SegmentRemoved,
                segments.SegmentModified,
                segments.SegmentsOrderModified,
                slicer.vtkMRMLSegmentationNode.SegmentationChangedEvent,
                vtk.vtkCommand.ModifiedEvent,
            )
            self._tags = [node.AddObserver(event, self._on_event) for event in events]

    def seen(self) -> None:
        """All that has changed so far is known."""
        self._ticker.stop()
        self._stamp = _stamp_of(self._node) if self._node is not None else None

    def close(self) -> None:
        self.watch(None)
        self._ticker.dispose()

    def _on_event(self, node, _event) -> None:
        stamp = _stamp_of(node)
        if stamp != self._stamp:
            self._stamp = stamp
            self._ticker.start()

    def _tick(self) -> None:
        self._on_changed()


def _stamp_of(node) -> Hashable:
    """Differs after every change of the segments, their order and their tags, and of the node itself."""
    segmentation = node.GetSegmentation()
    segments = (segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments()))
    return (node.GetMTime(), segmentation, segmentation.GetMTime(), *((each, each.GetMTime()) for each in segments))
