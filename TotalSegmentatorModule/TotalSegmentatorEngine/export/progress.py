"""Tells how an export goes on, and asks whether to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from TotalSegmentatorWire.command.progress_line import ProgressLine
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportProgressEvent, ExportStep
from TotalSegmentatorWire.messages.segment import WarningEvent

from TotalSegmentatorEngine.export.core.roi import Roi

_SHORTEST_PAUSE = 0.1
"""Seconds between two events of one step."""

_TITLES = {
    ExportStep.READING: "reading",
    ExportStep.CHECKING: "checking",
    ExportStep.CONTOURING: "contouring",
    ExportStep.MESHING: "meshing",
    ExportStep.MEASURING: "measuring",
    ExportStep.WRITING: "writing",
}


class ExportReporter:
    """``emit`` takes events; ``is_cancelled`` is asked at every chance."""

    def __init__(
        self,
        emit: Callable[[Any], None] = lambda event: None,
        is_cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit
        self._is_cancelled = is_cancelled
        self._clock = clock
        self._step = ""
        self._reported_at = float("-inf")
        self._fraction = 0.0

    def progress(self, step: str, fraction: float, item: str = "") -> None:
        """``fraction`` 0..1 of the whole. Raises SegmentationError("CANCELLED")."""
        self.check_cancelled()
        self._fraction = max(self._fraction, min(fraction, 1.0))
        now = self._clock()
        if step != self._step or now - self._reported_at >= _SHORTEST_PAUSE:
            self._step, self._reported_at = step, now
            self._emit(ExportProgressEvent(step, item, round(self._fraction, 4)))

    def structures(self, step: str, count: int, first: float, last: float) -> Callable[[int, Roi], None]:
        """What a writer of ``count`` structures calls for each; they take the part ``first`` to ``last`` of the whole.

        A writer that goes through them twice ends at ``last`` all the same.
        """

        def tell(index: int, roi: Roi) -> None:
            self.progress(step, first + (last - first) * min(index / max(count, 1), 1.0), roi.name)

        return tell

    def warning(self, problem: Problem) -> None:
        self._emit(WarningEvent(EXPORT_JOB, problem.to_json()))

    def check_cancelled(self) -> None:
        """Raises SegmentationError("CANCELLED")."""
        if self._is_cancelled():
            raise SegmentationError("CANCELLED")


class ExportTerminal:
    """Fulfils command_run.RunTerminal."""

    def __init__(self) -> None:
        self._line = ProgressLine()

    def show(self, event: Any) -> None:
        if isinstance(event, ExportProgressEvent):
            text = f"{event.fraction:4.0%} {_TITLES[event.step]} {event.item}".rstrip()
            self._line.show(text, event.step, event.fraction)
        elif isinstance(event, WarningEvent):
            self.show_problem(Problem(event.problem["code"], event.problem["values"]), "warning")

    def show_problem(self, problem: Problem, kind: str = "error") -> None:
        self._line.show_problem(problem, kind)

    def close_line(self) -> None:
        self._line.close()
