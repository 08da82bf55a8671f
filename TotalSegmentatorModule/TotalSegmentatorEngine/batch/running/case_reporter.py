"""Follows one case: how long each stage of its job takes, and what it warns of."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan

from TotalSegmentatorEngine.job.reporting import Reporter

_WAITING = "waiting"
"""No stage of a job."""


class CaseReporter:
    """Fulfils ``Reporter``; all it gets goes on to ``whole``."""

    def __init__(self, whole: Reporter) -> None:
        self._whole = whole
        self._stage = ""
        self._since = self._started = time.monotonic()
        self._seconds: dict[str, float] = defaultdict(float)
        self.warnings: list[Problem] = []
        """Each once."""

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        self._book(stage)
        self._whole.progress(stage, fraction_of_stage, tile, tiles)

    def plan(self, plan: Plan) -> None:
        self._whole.plan(plan)

    def warning(self, problem: Problem) -> None:
        if problem not in self.warnings:
            self.warnings.append(problem)
            self._whole.warning(problem)

    def asked_first(self) -> Sequence[str]:
        return ()

    def check_cancelled(self) -> None:
        self._whole.check_cancelled()

    def wait(self) -> None:
        """From here until the next report the case waits for its turn, which is nobody's time."""
        self._book(_WAITING)

    def seconds(self) -> dict[str, float]:
        """By stage, up to now, and "total", both without the time in which the case waited."""
        self._book(self._stage)
        waited = self._seconds.get(_WAITING, 0.0)
        booked = {stage: round(seconds, 3) for stage, seconds in self._seconds.items() if stage not in ("", _WAITING)}
        return booked | {"total": round(time.monotonic() - self._started - waited, 3)}

    def _book(self, stage: str) -> None:
        """Time since the last report belongs to the stage that was reported then."""
        now = time.monotonic()
        self._seconds[self._stage] += now - self._since
        self._stage, self._since = stage, now
