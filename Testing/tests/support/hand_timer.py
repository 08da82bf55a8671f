"""A timer without Qt, for the runner of background tasks: whoever holds it decides when it ticks."""

from __future__ import annotations

from collections.abc import Callable


class HandTimer:
    """Stands in for repeating_timer.Ticker. ``wait_ms`` is when it wants to tick next, None while it rests."""

    def __init__(self, tick: Callable[[], int | None]) -> None:
        self._tick = tick
        self.wait_ms: int | None = None
        self.is_disposed = False

    def start(self) -> None:
        self.wait_ms = 0

    def dispose(self) -> None:
        self.is_disposed = True

    def turn(self) -> int | None:
        """One tick; returns ``wait_ms`` as it is afterwards."""
        self.wait_ms = None
        wait_ms = self._tick()
        if self.wait_ms is None:  # else it was started meanwhile
            self.wait_ms = wait_ms
        return self.wait_ms
