"""What one job said while it ran, as the worker would send it to the panel."""

from __future__ import annotations

from typing import Any

from TotalSegmentatorEngine.reporting import JobReporter
from TotalSegmentatorWire.messages import PlanEvent, ProgressEvent, Stage, WarningEvent
from TotalSegmentatorWire.plan import Plan, plan_from_json


class JobRecorder:
    """Give ``reporter`` to a job, then look at what it said."""

    def __init__(self) -> None:
        self._events: list[Any] = []
        self.reporter = JobReporter("job", self._events.append)

    @property
    def plans(self) -> list[Plan]:
        return [plan_from_json(event.plan) for event in self._events if isinstance(event, PlanEvent)]

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
        """Finished tiles and all tiles, as the last event of the networks' stage told them."""
        last = [e for e in self._events if isinstance(e, ProgressEvent) and e.stage == Stage.PREDICTING][-1]
        return last.tile, last.tiles
