"""Which of a plan's networks is running, by the tiles that are done."""

from __future__ import annotations

from dataclasses import dataclass

from TotalSegmentatorWire.messages.plan import Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import Stage

_STAGES_WITH_NETWORKS = (Stage.LOADING_MODEL, Stage.RESAMPLING, Stage.PREDICTING, Stage.LABELLING)


@dataclass(frozen=True)
class RunningNetwork:
    """One of the passes of a plan."""

    place: int
    """From 1."""
    count: int
    planned: PlannedPass


class NetworksInTurn:
    """Gets the plans of a job and its tiles as a Reporter does. The passes run in the order of the plan."""

    def __init__(self) -> None:
        self._passes: list[PlannedPass] = []
        self._tile = 0

    def plan(self, plan: Plan) -> None:
        self._passes = [planned for planned in plan.passes if planned.tiles]

    def running(self, stage: str, tile: int, tiles: int) -> RunningNetwork | None:
        """None in the stages before the networks and after them. Arguments as of ``Reporter.progress``.

        Where a network runs once more over a larger region, its tiles come on top of the plan's, and are counted before
        they run: they do not belong to the next one.
        """
        if stage == Stage.PREDICTING and tiles:
            extra = max(tiles - sum(planned.tiles for planned in self._passes), 0)
            self._tile = max(tile - extra, 0)
        if stage not in _STAGES_WITH_NETWORKS:
            return None
        finished = 0
        for place, planned in enumerate(self._passes, 1):
            finished += planned.tiles
            if self._tile < finished or place == len(self._passes):
                return RunningNetwork(place, len(self._passes), planned)
        return None
