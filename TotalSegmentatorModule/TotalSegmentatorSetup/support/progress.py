"""Reports how the set-up advances: fractions of the whole, download speed, warnings; and asks whether to stop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.command.reporter import EventReporter
from TotalSegmentatorWire.messages.setup import SETUP_JOB, SetupProgressEvent

_SPEED_WINDOW = 10.0
"""Seconds over which a download's speed is averaged."""


@dataclass(frozen=True)
class SetupTask:
    """A step for one item, and its share of the whole, in any unit."""

    step: str
    item: str = ""
    weight: float = 1.0


class SetupReporter(EventReporter):
    """Emits SetupProgressEvent and WarningEvent."""

    PAUSE_SECONDS = 0.2
    CANCELLED = "SETUP_CANCELLED"

    def __init__(
        self,
        emit: Callable[[Any], None],
        is_cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(SETUP_JOB, emit, is_cancelled, clock)
        self._tasks: list[SetupTask] = []
        self._current = -1
        self._task = SetupTask("", "", 0.0)
        self._samples: deque[tuple[float, int]] = deque()

    def expect(self, tasks: Sequence[SetupTask]) -> None:
        """All tasks of this set-up in their order; what is not expected adds nothing to the fraction."""
        self._tasks = list(tasks)
        self._current = -1

    def begin(self, step: str, item: str = "") -> None:
        """The next task; expected ones before it count as done. Raises SegmentationError("SETUP_CANCELLED")."""
        following = range(self._current + 1, len(self._tasks))
        found = [n for n in following if (self._tasks[n].step, self._tasks[n].item) == (step, item)]
        if found:
            self._current = found[0]
        self._task = SetupTask(step, item, self._tasks[self._current].weight if found else 0.0)
        self._samples.clear()
        self._step = None  # even the same task once more is a new step
        self.advance(0.0)

    def advance(self, fraction: float, done_bytes: int = 0, total_bytes: int | None = None) -> None:
        """``fraction`` 0..1 of the task that was begun. Raises SegmentationError("SETUP_CANCELLED")."""
        self.check_cancelled()
        now = self._clock()
        if done_bytes:
            self._samples.append((now, done_bytes))
        while self._samples and now - self._samples[0][0] > _SPEED_WINDOW:
            self._samples.popleft()
        whole = sum(task.weight for task in self._tasks)
        before = sum(task.weight for task in self._tasks[: max(self._current, 0)])
        of_whole = self._raise_fraction((before + fraction * self._task.weight) / whole if whole > 0 else 0.0)
        if not self._is_due(self._task, fraction >= 1.0):
            return
        speed = self._speed()
        left = None if not speed or total_bytes is None else max(total_bytes - done_bytes, 0) / speed
        step, item = self._task.step, self._task.item
        self._emit(SetupProgressEvent(step, item, of_whole, done_bytes, total_bytes, speed, left))

    def _speed(self) -> float | None:
        if len(self._samples) < 2:
            return None
        (first, had), (last, has) = self._samples[0], self._samples[-1]
        return (has - had) / (last - first) if last > first and has > had else None
