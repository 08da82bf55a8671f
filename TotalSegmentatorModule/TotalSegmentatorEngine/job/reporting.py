"""How a running job reports its progress and learns that it was cancelled.

The steps of the engine know only the ``Reporter`` protocol. ``JobReporter`` turns their "half of this stage is done"
into the fraction of the whole job, estimates the time left, and emits the wire's events.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from TotalSegmentatorWire.command.reporter import EventReporter
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import PlanEvent, ProgressEvent, Stage

LONG_JOB_SECONDS = 3600.0

STAGE_WEIGHTS = {
    Stage.LOADING_ENGINE: 0.04,
    Stage.READING: 0.02,
    Stage.CHECKING: 0.01,
    Stage.LOADING_MODEL: 0.03,
    Stage.RESAMPLING: 0.05,
    Stage.PREDICTING: 0.78,
    Stage.RESTORING: 0.05,
    Stage.WRITING: 0.02,
}
"""Share of each stage in the progress bar, about as a job of ten tiles on a CPU spends its time."""


class Reporter(Protocol):
    """What a step may report while it runs. Every call is cheap."""

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        """``stage`` is one of Stage.ALL, ``fraction_of_stage`` 0..1; tiles are counted over the whole job."""

    def plan(self, plan: Plan) -> None:
        """Reports the plan, and again when it changes."""

    def warning(self, problem: Problem) -> None:
        """Something that the user should know and that does not stop the job."""

    def check_cancelled(self) -> None:
        """Raises SegmentationError("CANCELLED") when the user has cancelled the job."""


def long_job_warnings(plan: Plan) -> list[Problem]:
    """LONG_JOB for a plan of more than LONG_JOB_SECONDS."""
    if plan.seconds is None or plan.seconds <= LONG_JOB_SECONDS:
        return []
    hours, minutes = divmod(round(plan.seconds / 600) * 10, 60)
    return [Problem("LONG_JOB", {"hours": hours, "minutes": minutes})]


class SilentReporter:
    """Reports nothing and is never cancelled."""

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        pass

    def plan(self, plan: Plan) -> None:
        pass

    def warning(self, problem: Problem) -> None:
        pass

    def check_cancelled(self) -> None:
        pass


class JobReporter(EventReporter):
    """Emits ProgressEvent, PlanEvent and WarningEvent of one segmentation."""

    def __init__(
        self,
        job_id: str,
        emit: Callable[[Any], None],
        is_cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(job_id, emit, is_cancelled, clock)
        self._first_tile_at: float | None = None
        self._first_tile = 0
        self._is_long = False
        self._planned_end: float | None = None

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        """Emits at most one event in 0.1 s, but always the first and the last of a stage."""
        within = min(max(fraction_of_stage, 0.0), 1.0)
        fraction = self._raise_fraction(_start_of(stage) + STAGE_WEIGHTS[stage] * within)
        seconds_left = self._seconds_left(stage, tile, tiles, self._clock())
        if self._is_due(stage, within >= 1.0):
            self._emit(ProgressEvent(self._job_id, stage, fraction, seconds_left, tile, tiles))

    def plan(self, plan: Plan) -> None:
        """Until tiles have shown their pace, the plan gives the time left."""
        self._planned_end = None if plan.seconds is None else self._clock() + plan.seconds - plan.elapsed_seconds
        self._first_tile_at = None  # after a fallback tiles are counted anew
        self._emit(PlanEvent(self._job_id, plan.to_json()))
        if not self._is_long and long_job_warnings(plan):
            self._is_long = True
            self.warning(long_job_warnings(plan)[0])

    def _seconds_left(self, stage: str, tile: int, tiles: int, now: float) -> float | None:
        """Tiles left at the pace of the tiles since the first one, and the share of what follows them.

        The first tile is left out of the pace: it also pays for the memory and the plans of the convolutions.
        """
        if stage != Stage.PREDICTING:
            return self._tail_seconds(stage, now)
        if tile < 1 or tiles < 1:
            return self._planned_seconds(now)
        if self._first_tile_at is None:
            self._first_tile_at, self._first_tile = now, tile
        if tile <= self._first_tile:
            return self._planned_seconds(now)
        seconds_per_tile = (now - self._first_tile_at) / (tile - self._first_tile)
        tail = _share_after(Stage.PREDICTING) / STAGE_WEIGHTS[Stage.PREDICTING] * seconds_per_tile * tiles
        return round(seconds_per_tile * (tiles - tile) + tail, 1)

    def _planned_seconds(self, now: float) -> float | None:
        return None if self._planned_end is None else round(max(self._planned_end - now, 0.0), 1)

    def _tail_seconds(self, stage: str, now: float) -> float | None:
        if self._first_tile_at is None or stage not in (Stage.RESTORING, Stage.WRITING):
            return self._planned_seconds(now)
        predicting = now - self._first_tile_at
        return round(predicting * (1.0 - self._fraction) / STAGE_WEIGHTS[Stage.PREDICTING], 1)


def _start_of(stage: str) -> float:
    return sum(STAGE_WEIGHTS[earlier] for earlier in Stage.ALL[: Stage.ALL.index(stage)])


def _share_after(stage: str) -> float:
    return sum(STAGE_WEIGHTS[later] for later in Stage.ALL[Stage.ALL.index(stage) + 1 :])
