"""The time left of jobs of several networks: each has its own pace, and the computer may be slower than planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorWire.messages.plan import LOCALIZATION, SEGMENTATION, Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import ProgressEvent, Stage

LOAD, RESTORING = 3.0, 6.0
"""Seconds: to load any network, and of the labels after all of them."""


def network(name: str, tiles: int, pace: float, is_estimated: bool = False) -> PlannedPass:
    load = 0.0 if is_estimated else LOAD
    purpose = LOCALIZATION if tiles < 5 else SEGMENTATION
    return PlannedPass(
        name, purpose, [8, 8, 8], False, tiles, load + tiles * pace, label_seconds=0.0, model=name[:1],
        tile_seconds=pace, load_seconds=load, is_estimated=is_estimated,
    )  # fmt: skip


def plan_of(passes: list[PlannedPass]) -> Plan:
    return Plan(
        models=["m"],
        profiles={"m": "p"},
        device="cpu",
        runtime="eager",
        precision="exact",
        passes=passes,
        seconds=sum(planned.seconds for planned in passes) + RESTORING,
        peak_bytes=1,
        available_bytes=None,
    )


class Run:
    """A job that takes ``tile_factor`` times as long for each tile as planned, and ``factor`` times for all else."""

    def __init__(self, passes: list[PlannedPass], factor: float, tile_factor: float) -> None:
        self._passes = passes
        self._factor, self._tile_factor = factor, tile_factor
        self._now = 0.0
        self._said: list[tuple[float, float]] = []

    def said(self) -> tuple[list[tuple[float, float]], float]:
        """(when, seconds left) of each report, and when the job ended."""
        reporter = JobReporter("1", self._emit, clock=lambda: self._now, memory=lambda: None)
        reporter.plan(plan_of(self._passes))
        for stage, within, tile, seconds in self._steps():
            total = sum(planned.tiles for planned in self._passes)
            reporter.progress(stage, within, tile, total if stage == Stage.PREDICTING else 0)
            self._now += seconds
        return self._said, self._now

    def _emit(self, event: object) -> None:
        if isinstance(event, ProgressEvent):
            self._said.append((self._now, event.seconds_left))

    def _steps(self) -> Iterator[tuple[str, float, int, float]]:
        done, total = 0, sum(planned.tiles for planned in self._passes)
        for planned in self._passes:
            yield Stage.LOADING_MODEL, 1.0, 0, LOAD * self._factor
            for _ in range(planned.tiles):
                yield Stage.PREDICTING, done / total, done, planned.tile_seconds * self._tile_factor
                done += 1
        yield Stage.PREDICTING, 1.0, done, 0.0
        for tenth in range(10):
            yield Stage.RESTORING, tenth / 10, 0, RESTORING / 10 * self._factor


def errors(run: Run, begin: float) -> list[float]:
    """Of what was said from the share ``begin`` of the run until nine tenths of it."""
    said, end = run.said()
    return [abs(left / (end - at) - 1) for at, left in said if begin * end <= at <= 0.9 * end]


MEASURED = [network("coarse", 2, 0.5), network("fine a", 10, 2.0), network("fine b", 12, 2.0), network("task", 6, 4.0)]


@pytest.mark.parametrize("factor", [1.0, 0.6, 1.6])
def test_networks_of_all_sizes_are_counted_by_their_own_pace(factor: float):
    found = errors(Run(MEASURED, factor, factor), 0.1)
    assert len(found) > 20
    assert sorted(found)[len(found) // 2] < 0.1 and max(found) < 0.3


def test_an_estimate_is_corrected_by_the_first_tiles():
    """Three times as slow as the trial had it, and nobody knew of the time to load a network."""
    estimated = [network(name, 10, 1.0, is_estimated=True) for name in ("a1", "a2", "a3")]
    found = errors(Run(estimated, 1.0, 3.0), 0.1)
    assert sorted(found)[len(found) // 2] < 0.15 and max(found) < 0.3
    assert max(errors(Run(estimated, 1.0, 3.0), 0.5)) < 0.15


@pytest.mark.parametrize(("share", "longer"), [(1.0, 1.0), (2.0, 1.0), (0.5, 2.0)])
def test_before_a_tile_is_done_it_counts_how_busy_the_computer_is(share: float, longer: float):
    """Loading takes as long as planned for the processor, but gets only a share of one; several threads get more."""
    now, events = [0.0], []
    reporter = JobReporter(
        "1", events.append, clock=lambda: now[0], memory=lambda: None, processor=lambda: share * now[0]
    )
    reporter.plan(plan_of(MEASURED))
    reporter.progress(Stage.LOADING_MODEL, 0.0)
    now[0] += longer * LOAD
    reporter.progress(Stage.PREDICTING, 0.0, 0, sum(planned.tiles for planned in MEASURED))
    to_come = sum(planned.seconds for planned in MEASURED) + RESTORING - LOAD
    assert events[-1].seconds_left == pytest.approx(longer * to_come, rel=0.1)


def test_what_was_seen_counts_after_the_plan_is_made_anew():
    """Three times as slow as planned: a refined plan, which says where a task runs, says nothing of that."""
    now, events = [0.0], []
    reporter = JobReporter("1", events.append, clock=lambda: now[0], memory=lambda: None)
    reporter.plan(plan_of(MEASURED))
    reporter.progress(Stage.LOADING_MODEL, 0.0)
    now[0] += 3 * LOAD
    coarse, fine, *others = MEASURED
    for tile in range(coarse.tiles + 5):
        reporter.progress(Stage.PREDICTING, tile / 30, tile, 30)
        now[0] += 3 * (coarse if tile < coarse.tiles else fine).tile_seconds
    reporter.plan(plan_of(MEASURED))
    reporter.progress(Stage.PREDICTING, 0.2, coarse.tiles + 5, 30)
    to_come = 5 * fine.tile_seconds + sum(planned.seconds for planned in others)
    assert events[-1].seconds_left == pytest.approx(3 * to_come + 2 * RESTORING, rel=0.25)


def test_a_network_that_runs_once_more_delays_those_to_come():
    """Its tiles come on top of the plan's: the next one has not begun."""
    now, events = [0.0], []
    reporter = JobReporter("1", events.append, clock=lambda: now[0], memory=lambda: None)
    reporter.plan(plan_of(MEASURED))
    total = sum(planned.tiles for planned in MEASURED)
    coarse, first, *others = MEASURED
    pace = first.tile_seconds
    reporter.progress(Stage.LOADING_MODEL, 0.0)
    for seconds, tile, tiles in (
        (coarse.seconds, coarse.tiles, total),
        (first.seconds - pace, 11, total),
        (2 * pace, 13, total + 3),  # the last one, and one of three more
    ):
        now[0] += seconds
        reporter.progress(Stage.PREDICTING, 0.5, tile, tiles)
    to_come = sum(planned.seconds for planned in others) + RESTORING
    assert events[-1].seconds_left == pytest.approx(to_come + 2 * pace, rel=0.15)


def said_after(passes: list[PlannedPass], steps: list[tuple[float, str, int]]) -> float:
    """The time left after ``steps``: seconds that pass, and then what begins, with the tiles that are done."""
    now, events = [0.0], []
    reporter = JobReporter("1", events.append, clock=lambda: now[0], memory=lambda: None)
    plan = plan_of(passes)
    images = sum(planned.image_seconds for planned in passes)
    reporter.plan(dataclasses.replace(plan, seconds=plan.seconds + images))
    tiles = sum(planned.tiles for planned in passes)
    for seconds, stage, tile in steps:
        now[0] += seconds
        reporter.progress(stage, 1.0, tile, tiles if stage == Stage.PREDICTING else 0)
    return events[-1].seconds_left


def test_an_image_that_took_less_than_planned_is_not_expected_any_more():
    passes = [dataclasses.replace(network("a", 10, 2.0), image_seconds=20.0)]
    left = said_after(passes, [(0.0, Stage.RESAMPLING, 0), (1.0, Stage.LOADING_MODEL, 0), (LOAD, Stage.PREDICTING, 0)])
    assert left == pytest.approx(20.0 + RESTORING, rel=0.1)


def test_a_network_is_still_loaded_after_what_came_between_it_and_the_one_before():
    """Such as the crop that the one before is for."""
    passes = [network("a", 2, 1.0), dataclasses.replace(network("b", 3, 1.0), image_seconds=1.0)]
    first = [(0.0, Stage.LOADING_MODEL, 0), (LOAD, Stage.PREDICTING, 0), (1.0, Stage.PREDICTING, 1)]
    between = [(1.0, Stage.PREDICTING, 2), (0.5, Stage.RESAMPLING, 0), (1.0, Stage.LOADING_MODEL, 0)]
    assert said_after(passes, first + between) == pytest.approx(LOAD + 3.0 + RESTORING, rel=0.05)
