"""Calls a function again and again from Qt's event loop, each time after as long as it asks for."""

from __future__ import annotations

from collections.abc import Callable

import qt


class Ticker:
    """A single-shot timer that is armed again after each call of ``tick``.

    ``tick`` returns the milliseconds until it wants to be called again, None to rest until ``start``. A call never
    overlaps with itself, not even when it runs an event loop (a dialog).
    """

    def __init__(self, tick: Callable[[], int | None]) -> None:
        self._tick = tick
        self._is_ticking = False
        self._is_wanted = False
        self._is_disposed = False
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._on_timeout)

    def start(self) -> None:
        """Call ``tick`` as soon as the event loop is free."""
        self._is_wanted = True
        if not self._is_ticking and not self._is_disposed:
            self._timer.start(0)

    def stop(self) -> None:
        self._is_wanted = False
        self._timer.stop()

    def dispose(self) -> None:
        """Stop for good."""
        self.stop()
        if not self._is_disposed:
            self._is_disposed = True
            self._timer.disconnect("timeout()", self._on_timeout)

    def _on_timeout(self) -> None:
        milliseconds = None
        self._is_ticking = True
        self._is_wanted = False
        try:
            milliseconds = self._tick()
        finally:
            self._is_ticking = False
            if self._is_wanted:  # start() was called during the tick
                milliseconds = 0
            if milliseconds is not None and not self._is_disposed:
                self._timer.start(milliseconds)
