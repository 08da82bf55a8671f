"""Counts the time for which somebody is at work on a structure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic

import qt
import slicer

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.review.times.totals import kept_name

IDLE_SECONDS = 60.0
"""A longer time without a sign of the user does not count."""
LOOK_MS = 1000


class ReviewClock:
    """Looks once a second for signs of the user: an event filter in Python on the whole application would slow down
    every move of the mouse. ``on_look`` is called each time."""

    def __init__(self, on_look: Callable[[], None]) -> None:
        self._on_look = on_look
        self._seconds: dict[str, float] = {}
        self._name: str | None = None
        self._seen_at = 0.0
        self._signs: Hashable = None
        self._ticker = Ticker(self._look)

    @property
    def seconds(self) -> dict[str, float]:
        """By the names of structures, since the last ``forget``."""
        return dict(self._seconds)

    def turn_to(self, key: str | None) -> None:
        """The user turns to the structure of the row ``key``; None: away from all of them."""
        self._count()
        self._name = None if key is None else kept_name(key)
        self._signs = _signs()
        if key is None:
            self._ticker.stop()
        else:
            self._ticker.start()

    def forget(self) -> None:
        """The seconds are kept elsewhere."""
        self._seconds = {}

    def close(self) -> None:
        self._ticker.dispose()

    def _look(self) -> int:
        signs = _signs()
        if signs != self._signs and qt.QApplication.activeWindow() is not None:  # not while another program is used
            self._count()
        self._signs = signs
        self._on_look()
        return LOOK_MS

    def _count(self) -> None:
        """The user is there."""
        now = monotonic()
        pause = now - self._seen_at
        if self._name is not None and pause <= IDLE_SECONDS:
            self._seconds[self._name] = self._seconds.get(self._name, 0.0) + pause
        self._seen_at = now


def _signs() -> Hashable:
    """Differs after the user has moved the mouse, scrolled, zoomed or turned a view."""
    place = qt.QCursor.pos()
    views = [
        node.GetMTime()
        for name in ("vtkMRMLSliceNode", "vtkMRMLCameraNode")
        for node in slicer.util.getNodesByClass(name)
    ]
    return (place.x(), place.y(), *views)
