"""A result that has arrived, passed to one section of the panel after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import slicer

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker


class SectionOfResults(Protocol):
    """A section that shows results."""

    def result_arrived(self, node: Any) -> None:
        """``node`` (vtkMRMLSegmentationNode) holds a new result."""


class NewResults:
    """Each section updates its choices, right after a long import: so one at a time, and Slicer draws in between.
    ``on_told`` is called when all of them know."""

    def __init__(self, on_told: Callable[[], None]) -> None:
        self._on_told = on_told
        self._left: list[tuple[SectionOfResults, str]] = []
        self._ticker = Ticker(self._tell_one)

    def announce(self, node, sections: Sequence[SectionOfResults]) -> None:
        """``node`` (vtkMRMLSegmentationNode) is passed to all ``sections``, unless it is removed before its turn."""
        self._left += [(section, node.GetID()) for section in sections]
        self._ticker.start()

    def close(self) -> None:
        self._ticker.dispose()

    def _tell_one(self) -> int | None:
        if not self._left:
            return None
        section, node_id = self._left.pop(0)
        node = slicer.mrmlScene.GetNodeByID(node_id)
        if node is not None:
            section.result_arrived(node)
        if not self._left:
            self._on_told()
        return 0
