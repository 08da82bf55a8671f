"""What every reporter of progress shares: warnings, cancelling, and events that are few enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import NoteEvent, WarningEvent


class EventReporter:
    """Emits the events of one job; each kind of job adds its own progress event.

    ``emit`` takes one event. ``is_cancelled`` is asked at every chance, so it must be quick. ``clock`` gives seconds.
    """

    PAUSE_SECONDS = 0.1
    """Shortest time between two progress events of one step: the panel polls every 50 ms."""
    CANCELLED = "CANCELLED"
    """Code of the error that ends a cancelled job."""

    def __init__(
        self,
        job_id: str,
        emit: Callable[[Any], None],
        is_cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job_id = job_id
        self._emit = emit
        self._is_cancelled = is_cancelled
        self._clock = clock
        self._fraction = 0.0
        self._step: Hashable = None
        self._reported_at = float("-inf")
        self._warned: list[Problem] = []

    def warning(self, problem: Problem) -> None:
        """Emits each problem once, however often it is met."""
        if problem not in self._warned:
            self._warned.append(problem)
            self._emit(WarningEvent(self._job_id, problem.to_json()))

    def note(self, text: str) -> None:
        """``text`` is shown, and not logged."""
        self._emit(NoteEvent(self._job_id, text))

    def check_cancelled(self) -> None:
        """Raises SegmentationError(CANCELLED) when the user has cancelled the job."""
        if self._is_cancelled():
            raise SegmentationError(self.CANCELLED)

    def _raise_fraction(self, fraction: float) -> float:
        """The fraction of the whole job, 0..1, as the events state it: it never falls."""
        self._fraction = max(self._fraction, min(fraction, 1.0))
        return round(self._fraction, 4)

    def _is_due(self, step: Hashable, is_complete: bool = False) -> bool:
        """Whether to emit an event now: always for a new ``step`` and for a complete one."""
        now = self._clock()
        if step == self._step and not is_complete and now - self._reported_at < self.PAUSE_SECONDS:
            return False
        self._step, self._reported_at = step, now
        return True
