"""Progress of a whole job out of the progress of its stages."""

from __future__ import annotations

import pytest
from TotalSegmentatorEngine.reporting import STAGE_WEIGHTS, JobReporter
from TotalSegmentatorWire.errors import Problem, SegmentationError
from TotalSegmentatorWire.messages import EVENTS as WIRE_EVENTS
from TotalSegmentatorWire.messages import ProgressEvent, Stage, WarningEvent, decode, encode


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make(is_cancelled=lambda: False) -> tuple[JobReporter, list, Clock]:
    events, clock = [], Clock()
    return JobReporter("job", events.append, is_cancelled, clock), events, clock


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


def test_events_cross_the_wire() -> None:
    reporter, events, _ = make()
    reporter.progress(Stage.PREDICTING, 0.5, 3, 6)
    reporter.warning(Problem("DEMO_MODEL"))
    assert isinstance(events[0], ProgressEvent) and isinstance(events[1], WarningEvent)
    assert [decode(encode(event), WIRE_EVENTS) for event in events] == events


def test_a_cancelled_job_raises() -> None:
    reporter, _, _ = make(lambda: True)
    with pytest.raises(SegmentationError) as caught:
        reporter.check_cancelled()
    assert caught.value.code == "CANCELLED"
    make()[0].check_cancelled()
