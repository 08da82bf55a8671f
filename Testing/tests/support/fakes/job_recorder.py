"""Records what one job reports while it runs, as the worker would send it to the panel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorEngine.preprocessing.network_input import Region
from TotalSegmentatorWire.messages.plan import Plan, plan_from_json
from TotalSegmentatorWire.messages.segment import PlanEvent, ProgressEvent, Stage, WarningEvent


class JobRecorder:
    """Give ``reporter`` to a job, then read what it reported."""

    def __init__(self) -> None:
        self._events: list[Any] = []
        seconds = itertools.count()  # a second from one event to the next: none is left out
        self.reporter = JobReporter("job", self._events.append, clock=lambda: float(next(seconds)))

    @property
    def plans(self) -> list[Plan]:
        return [plan_from_json(event.plan) for event in self._events if isinstance(event, PlanEvent)]

    @property
    def progress(self) -> list[ProgressEvent]:
        return [event for event in self._events if isinstance(event, ProgressEvent)]

    @property
    def warnings(self) -> list[str]:
        """Codes."""
        return [event.problem["code"] for event in self._events if isinstance(event, WarningEvent)]

    def values_of(self, code: str) -> dict[str, Any]:
        """The values of the only warning with this code."""
        (values,) = (
            event.problem["values"]
            for event in self._events
            if isinstance(event, WarningEvent) and event.problem["code"] == code
        )
        return values

    @property
    def tiles(self) -> tuple[int, int]:
        """Finished tiles and all tiles, by the last event of the networks' stage."""
        last = self._of_networks()[-1]
        return last.tile, last.tiles

    @property
    def totals(self) -> dict[int, int]:
        """By number of finished tiles: how many the job had, as reported then."""
        return {event.tile: event.tiles for event in self._of_networks()}

    def _of_networks(self) -> list[ProgressEvent]:
        return [e for e in self._events if isinstance(e, ProgressEvent) and e.stage == Stage.PREDICTING]


def run(
    volume: Volume, prepared: PreparedTask, cache: EngineCache | None = None
) -> tuple[SegmentationResult, JobRecorder]:
    """One job; without a ``cache`` it is the first one of its worker."""
    recorder = JobRecorder()
    cache = EngineCache() if cache is None else cache
    return segment(volume, prepared, cache, recorder.reporter), recorder


@dataclass(frozen=True)
class NetworkRun:
    part: str
    region: Region
    is_whole: bool
