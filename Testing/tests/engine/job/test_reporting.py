"""Progress of a whole job out of the progress of its stages."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from TotalSegmentatorEngine.job.reporting import LONG_JOB_SECONDS, STAGE_WEIGHTS, JobReporter, SilentReporter
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import LOCALIZATION, SEGMENTATION, Plan, PlannedPass, plan_from_json
from TotalSegmentatorWire.messages.segment import EVENTS as WIRE_EVENTS
from TotalSegmentatorWire.messages.segment import PlanEvent, ProgressEvent, Stage, WarningEvent, decode, encode


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make(is_cancelled=lambda: False) -> tuple[JobReporter, list, Clock]:
    events, clock = [], Clock()
    return JobReporter("job", events.append, is_cancelled, clock), events, clock


def test_an_upper_bound_of_a_time_is_no_long_job() -> None:
    reporter, events, _clock = make()
    plan = plan_of(2 * LONG_JOB_SECONDS)
    reporter.plan(dataclasses.replace(plan, is_preliminary=True))
    assert not any(isinstance(event, WarningEvent) for event in events)
    reporter.plan(plan)
    assert [event.problem["code"] for event in events if isinstance(event, WarningEvent)] == ["LONG_JOB"]


def plan_of(seconds: float | None) -> Plan:
    passes = [
        PlannedPass("Dataset902_Seeded", LOCALIZATION, [40, 40, 40], is_cropped=False, tiles=2, seconds=None),
        PlannedPass("Dataset901_Seeded", SEGMENTATION, [80, 60, 60], is_cropped=True, tiles=8, seconds=seconds),
    ]
    told = {"profiles": {"m": "p"}, "device": "cpu", "runtime": "eager", "precision": "exact", "peak_bytes": 10**9}
    return Plan(models=["m"], passes=passes, seconds=seconds, available_bytes=None, notes=["SUMS_IN_HALF"], **told)


def test_every_stage_has_a_share_and_the_shares_are_a_whole() -> None:
    assert set(STAGE_WEIGHTS) == set(Stage.ALL)
    assert sum(STAGE_WEIGHTS.values()) == pytest.approx(1.0)


def test_fractions_never_fall_and_end_at_one() -> None:
    reporter, events, clock = make()
    for stage in Stage.ALL:
        for fraction in (0.0, 0.7, 0.3, 1.0, 1.7):
            clock.now += 1
            reporter.progress(stage, fraction)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] == 1
    reporter.progress(Stage.READING, 0.0)
    assert events[-1].fraction == 1


def test_a_stage_that_hurries_emits_few_events() -> None:
    reporter, events, clock = make()
    for step in range(1001):
        clock.now += 0.001
        reporter.progress(Stage.RESAMPLING, step / 1000)
    assert len(events) <= 13
    assert events[-1].fraction == pytest.approx(sum(list(STAGE_WEIGHTS.values())[:5]))


def test_time_left_follows_the_pace_of_the_tiles() -> None:
    reporter, events, clock = make()
    for tile in range(11):
        reporter.progress(Stage.PREDICTING, tile / 10, tile, 10)
        clock.now += 4 if tile == 0 else 2
    assert events[0].seconds_left is None
    after_five = next(event for event in events if event.tile == 5)
    assert 10 <= after_five.seconds_left <= 13
    reporter.progress(Stage.WRITING, 0.5)
    assert 0 <= events[-1].seconds_left < 2


def test_time_left_is_what_the_plan_says_before_the_tiles_have_a_pace() -> None:
    reporter, events, clock = make()
    reporter.plan(plan_of(60.0))
    reporter.progress(Stage.RESAMPLING, 0.0)
    clock.now += 10
    reporter.progress(Stage.PREDICTING, 0.0, 0, 10)
    clock.now += 10
    reporter.progress(Stage.PREDICTING, 0.1, 1, 10)
    assert [event.seconds_left for event in events[1:]] == [60.0, 50.0, 40.0]
    clock.now += 1
    reporter.progress(Stage.PREDICTING, 0.2, 2, 10)
    assert 8 <= events[-1].seconds_left <= 9, "one second a tile, whatever was planned"


def test_time_left_of_a_plan_that_was_too_hopeful_ends_at_nothing() -> None:
    reporter, events, clock = make()
    reporter.plan(plan_of(5.0))
    clock.now += 30
    reporter.progress(Stage.RESAMPLING, 0.5)
    assert events[-1].seconds_left == 0.0


def test_the_last_plan_counts() -> None:
    reporter, events, clock = make()
    reporter.plan(plan_of(60.0))
    clock.now += 10
    reporter.plan(plan_of(30.0))
    reporter.progress(Stage.LOADING_MODEL, 0.0)
    assert 20 <= events[-1].seconds_left <= 30
    reporter.plan(plan_of(None))
    reporter.progress(Stage.RESAMPLING, 0.0)
    assert events[-1].seconds_left is None


def test_after_the_tiles_the_plan_is_over() -> None:
    reporter, events, clock = make()
    reporter.plan(plan_of(1000.0))
    for tile in range(11):
        reporter.progress(Stage.PREDICTING, tile / 10, tile, 10)
        clock.now += 2
    reporter.progress(Stage.RESTORING, 0.0)
    assert 0 < events[-1].seconds_left < 10


def labelled_plan(seconds: float, label_seconds: float) -> Plan:
    plan = plan_of(seconds)
    passes = [
        dataclasses.replace(planned, seconds=seconds / 2, label_seconds=label_seconds / 2) for planned in plan.passes
    ]
    return dataclasses.replace(plan, passes=passes)


def test_the_making_of_labels_between_two_tiles_moves_the_bar_and_the_time_left() -> None:
    """67 seconds of a fine CT's labels, in a job of two short tiles."""
    reporter, events, clock = make()
    reporter.plan(labelled_plan(74.0, 67.0))
    for tile in (0, 1):
        reporter.progress(Stage.PREDICTING, tile / 2, tile, 2)
        clock.now += 2
    begun = len(events)
    for slab in range(68):
        reporter.progress(Stage.LABELLING, slab / 67)
        clock.now += 1
    shown = events[begun:]
    assert {event.stage for event in shown} == {Stage.LABELLING} and len(shown) >= 66
    assert shown[-1].fraction - shown[0].fraction > 0.6, "nearly all of the job's time"
    assert max(after.fraction - event.fraction for event, after in itertools.pairwise(shown)) < 0.05
    for second, event in enumerate(shown):
        left = 67 - second + 2
        assert 0.75 * left - 4 <= event.seconds_left <= 1.25 * left + 9


def test_labels_without_a_plan_have_a_pace_of_their_own() -> None:
    reporter, events, clock = make()
    for tile in range(3):
        reporter.progress(Stage.PREDICTING, tile / 4, tile, 4)
        clock.now += 2
    for slab in range(6):
        reporter.progress(Stage.LABELLING, slab / 20)
        clock.now += 3
    assert events[-1].stage == Stage.LABELLING
    assert 45 <= events[-1].seconds_left <= 60, "45 s of labels and two tiles of 2 s"


def test_labels_made_in_a_blink_do_not_flicker() -> None:
    reporter, events, clock = make()
    for tile in range(20):
        reporter.progress(Stage.PREDICTING, tile / 20, tile, 20)
        clock.now += 1
        for slab in range(8):
            reporter.progress(Stage.LABELLING, (8 * tile + slab) / 160)
            clock.now += 0.01
    assert {event.stage for event in events} == {Stage.PREDICTING}


def test_a_warning_is_reported_once() -> None:
    reporter, events, _ = make()
    for structures in ("liver", "liver", "spleen", "liver"):
        reporter.warning(Problem("REGION_WIDENED", {"structures": structures}))
    assert [event.problem["values"] for event in events] == [{"structures": "liver"}, {"structures": "spleen"}]


def test_the_silent_reporter_takes_everything() -> None:
    reporter = SilentReporter()
    reporter.plan(plan_of(1.0))
    reporter.progress(Stage.PREDICTING, 0.5, 3, 6)
    reporter.warning(Problem("DEMO_MODEL"))
    reporter.check_cancelled()


def test_events_cross_the_wire() -> None:
    reporter, events, _ = make()
    reporter.progress(Stage.PREDICTING, 0.5, 3, 6)
    reporter.warning(Problem("DEMO_MODEL"))
    reporter.plan(plan_of(12.5))
    assert [type(event) for event in events] == [ProgressEvent, WarningEvent, PlanEvent]
    assert plan_from_json(decode(encode(events[2]), WIRE_EVENTS).plan) == plan_of(12.5)
    assert [decode(encode(event), WIRE_EVENTS) for event in events] == events


def test_a_cancelled_job_raises() -> None:
    reporter, _, _ = make(lambda: True)
    with pytest.raises(SegmentationError) as caught:
        reporter.check_cancelled()
    assert caught.value.code == "CANCELLED"
    make()[0].check_cancelled()
