"""Tells when the segments of a segmentation change: their number, names, colours, tags."""

from __future__ import annotations

from collections.abc import Callable

import slicer
import vtk

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker


class SegmentationWatch:
    """Calls ``on_changed`` once after any number of changes, when the event loop is free: painting alone makes many."""

    def __init__(self, on_changed: Callable[[], None]) -> None:
        self._on_changed = on_changed
        self._node = None
        self._tags: list[int] = []
        self._ticker = Ticker(self._tick)

    def watch(self, node) -> None:
        """Watch this vtkMRMLSegmentationNode and no other; None watches nothing."""
        if node is self._node:
            return
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._ticker.stop()
        self._node, self._tags = node, []
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

    def close(self) -> None:
        self.watch(None)
        self._ticker.dispose()

    def _on_event(self, _node, _event) -> None:
        self._ticker.start()

    def _tick(self) -> None:
        self._on_changed()
