"""How a running job reports its progress and learns that it was cancelled.

The steps of the engine know only the ``Reporter`` protocol. ``JobReporter`` turns their "half of this stage is done"
into the fraction of the whole job, estimates the time left, and emits the wire's events.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from TotalSegmentatorWire.command.reporter import EventReporter
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import PlanEvent, ProgressEvent, Stage

from TotalSegmentatorEngine.job.network_in_turn import NetworksInTurn, RunningNetwork
from TotalSegmentatorEngine.job.time_left import TimeLeft
from TotalSegmentatorEngine.machine.memory import resident_memory

LONG_JOB_SECONDS = 3600.0

STAGE_WEIGHTS = {
    Stage.LOADING_ENGINE: 0.04,
    Stage.READING: 0.02,
    Stage.CHECKING: 0.01,
    Stage.LOADING_MODEL: 0.03,
    Stage.RESAMPLING: 0.05,
    Stage.PREDICTING: 0.73,
    Stage.LABELLING: 0.05,
    Stage.RESTORING: 0.03,
    Stage.REVIEWING: 0.02,
    Stage.WRITING: 0.02,
    Stage.ASKING_SERVER: 0.0,
    Stage.SENDING_TO_SERVER: 0.0,
    Stage.PREVIEWING: 0.0,
}
"""Share of each stage in the progress bar, about as a job of ten tiles on a CPU spends its time. Stages that only a
department server has take none, nor do previews."""
_PREDICTING_AND_LABELLING = STAGE_WEIGHTS[Stage.PREDICTING] + STAGE_WEIGHTS[Stage.LABELLING]
"""Labels are made between tiles; a plan says what share of this they take."""
PREVIEW_RESTORED_SHARE, PREVIEW_CHECKED_SHARE = 0.3, 0.6
"""Of the stage PREVIEWING, after the labels are on the CT's grid, and after they are measured; writing follows."""
LABELLING_SHOWN_AFTER = 0.5
"""Seconds after which the panel shows that labels are made."""


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

    def asked_first(self) -> Sequence[str]:
        """Structures that the user wants before others, what was asked for last first."""


def long_job_warnings(plan: Plan) -> list[Problem]:
    """LONG_JOB for a plan of more than LONG_JOB_SECONDS. The time of a preliminary one is an upper bound, often of many
    times what it takes: of a whole CT where a task runs in a part."""
    if plan.seconds is None or plan.is_preliminary or plan.seconds <= LONG_JOB_SECONDS:
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

    def asked_first(self) -> Sequence[str]:
        return ()


class JobReporter(EventReporter):
    """Emits ProgressEvent, PlanEvent and WarningEvent of one segmentation."""

    def __init__(
        self,
        job_id: str,
        emit: Callable[[Any], None],
        is_cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        memory: Callable[[], int | None] = resident_memory,
        asked_first: Callable[[], Sequence[str]] = tuple,
        processor: Callable[[], float] | None = None,
    ) -> None:
        """Where the job runs in this process: ``memory``, the bytes that it occupies, and ``processor``, the seconds
        that processors have worked for it; by default those of the process where ``clock`` is the real one."""
        super().__init__(job_id, emit, is_cancelled, clock)
        self._memory = memory
        self.asked_first = asked_first
        self._networks = NetworksInTurn()
        if processor is None and clock is time.monotonic:
            processor = time.process_time
        self._time_left = TimeLeft(_share_after(Stage.LABELLING) / _PREDICTING_AND_LABELLING, processor)
        self._labelling_weight = STAGE_WEIGHTS[Stage.LABELLING]
        self._done = {Stage.PREDICTING: 0.0, Stage.LABELLING: 0.0}
        self._labelling_since: float | None = None
        self._is_long = False

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        """Emits at most one event in 0.1 s, but always the first and the last of a stage.

        The making of labels is a stage of its own only where it takes a while: mostly it is a blink between two tiles.
        """
        now = self._clock()
        within = min(max(fraction_of_stage, 0.0), 1.0)
        fraction = self._raise_fraction(self._fraction_of_job(stage, within))
        seconds_left = self._time_left.report(stage, within, tile, tiles, now)
        if stage != Stage.LABELLING:
            self._labelling_since = None
        elif self._labelling_since is None:
            self._labelling_since = now
        if self._labelling_since is not None and now - self._labelling_since < LABELLING_SHOWN_AFTER:
            return
        running = self._networks.running(stage, tile, tiles)
        if self._is_due(stage, within >= 1.0):
            event = ProgressEvent(self._job_id, stage, fraction, seconds_left, tile, tiles)
            self._emit(dataclasses.replace(event, memory_bytes=self._memory(), **_fields_of(running)))

    def plan(self, plan: Plan) -> None:
        """Until tiles have shown their pace, the plan gives the time left, and the share that labels take of it."""
        self._time_left.plan(plan, self._clock())
        self._networks.plan(plan)
        self._labelling_weight = _labelling_weight(plan)
        self._emit(PlanEvent(self._job_id, plan.to_json()))
        if not self._is_long and long_job_warnings(plan):
            self._is_long = True
            self.warning(long_job_warnings(plan)[0])

    def _fraction_of_job(self, stage: str, within: float) -> float:
        if stage not in self._done:
            return _start_of(stage) + STAGE_WEIGHTS[stage] * within
        self._done[stage] = within
        predicting = _PREDICTING_AND_LABELLING - self._labelling_weight
        done = self._done[Stage.PREDICTING] * predicting + self._done[Stage.LABELLING] * self._labelling_weight
        return _start_of(Stage.PREDICTING) + done


def _fields_of(running: RunningNetwork | None) -> dict[str, Any]:
    """Of a ProgressEvent."""
    if running is None:
        return {}
    planned = running.planned
    return {
        "network": running.place,
        "networks": running.count,
        "part": planned.part,
        "model": planned.model,
        "purpose": planned.purpose,
    }


def _labelling_weight(plan: Plan) -> float:
    """The share of the progress bar for the making of labels."""
    passes = [planned for planned in plan.passes if planned.seconds and planned.label_seconds is not None]
    if len(passes) < len(plan.passes) or not passes:
        return STAGE_WEIGHTS[Stage.LABELLING]
    share = sum(planned.label_seconds for planned in passes) / sum(planned.seconds for planned in passes)
    return _PREDICTING_AND_LABELLING * min(share, 1.0)


def _start_of(stage: str) -> float:
    return sum(STAGE_WEIGHTS[earlier] for earlier in Stage.ALL[: Stage.ALL.index(stage)])


def _share_after(stage: str) -> float:
    return sum(STAGE_WEIGHTS[later] for later in Stage.ALL[Stage.ALL.index(stage) + 1 :])
