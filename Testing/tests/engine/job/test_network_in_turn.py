"""Progress names the network that runs, by the plan and the tiles that are done."""

from __future__ import annotations

import dataclasses

from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorWire.messages.plan import LOCALIZATION, SEGMENTATION, Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import PlanEvent, Stage

COARSE = PlannedPass("Dataset298", LOCALIZATION, [8, 8, 8], is_cropped=False, tiles=1, seconds=None, model="117-6mm")
ORGANS = PlannedPass("Dataset291", SEGMENTATION, [8, 8, 8], is_cropped=True, tiles=3, seconds=None, model="117-1.5mm")
RIBS = dataclasses.replace(ORGANS, part="Dataset295", tiles=2)
NOWHERE = dataclasses.replace(ORGANS, part="Dataset292", tiles=0)
PLAN = Plan(
    models=["117-1.5mm"],
    profiles={"117-1.5mm": "demo"},
    device="cpu",
    runtime="eager",
    precision="exact",
    passes=[COARSE, ORGANS, NOWHERE, RIBS],
    seconds=None,
    peak_bytes=1,
    available_bytes=None,
)


class Reported:
    """The networks that a JobReporter names, each event at a time of its own."""

    def __init__(self, memory: int | None = 3) -> None:
        self.events: list = []
        self._now = 0.0
        self.reporter = JobReporter("1", self._emit, clock=self._tick, memory=lambda: memory)
        self.reporter.plan(PLAN)

    def _tick(self) -> float:
        self._now += 1.0
        return self._now

    def _emit(self, event: object) -> None:
        if not isinstance(event, PlanEvent):
            self.events.append(event)

    def network(self, stage: str, tile: int = 0, tiles: int = 0) -> tuple[int, int, str]:
        self.reporter.progress(stage, 0.5, tile, tiles)
        return self.events[-1].network, self.events[-1].networks, self.events[-1].part


def test_networks_follow_each_other_as_planned():
    reported = Reported()
    assert reported.network(Stage.READING) == (0, 0, "")
    assert reported.network(Stage.LOADING_MODEL) == (1, 3, "Dataset298")
    assert reported.network(Stage.PREDICTING, 0, 6) == (1, 3, "Dataset298")
    named = [reported.network(Stage.PREDICTING, tile, 6)[2] for tile in range(1, 7)]
    assert named == ["Dataset291"] * 3 + ["Dataset295"] * 3
    assert reported.events[-1].model == "117-1.5mm" and reported.events[-1].purpose == SEGMENTATION
    assert reported.network(Stage.LABELLING)[2] == "Dataset295"
    assert reported.network(Stage.RESTORING) == (0, 0, "")


def test_tiles_that_a_network_runs_once_more_are_its_own():
    """The second network has run its three tiles and runs two more over a larger region."""
    reported = Reported()
    assert reported.network(Stage.PREDICTING, 3, 6)[2] == "Dataset291"
    assert [reported.network(Stage.PREDICTING, tile, 8)[2] for tile in (4, 5)] == ["Dataset291"] * 2
    assert [reported.network(Stage.PREDICTING, tile, 8)[2] for tile in (6, 7)] == ["Dataset295"] * 2


def test_memory_is_told_where_it_is_known():
    for memory in (2_000_000_000, None):
        reported = Reported(memory)
        reported.network(Stage.PREDICTING, 1, 6)
        assert reported.events[-1].memory_bytes == memory
