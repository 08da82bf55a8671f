"""Which of the measured times count: not those of a busy hour, nor those of trifles."""

from __future__ import annotations

import pytest
from TotalSegmentatorEngine.machine.profile import MachineProfile

PLACE = ("0123456789abcdef", "openvino", "exact", "cpu")


def test_a_busy_hour_is_forgotten() -> None:
    profile = MachineProfile()
    for seconds in [10.0] * 4 + [1.0] * 5:
        profile.remember_network(*PLACE, seconds, seconds, 20)
        profile.remember_rate("restoring", 2, 2 * seconds)
        profile.save()
    record = profile.network(*PLACE)
    assert (record.seconds_per_tile, record.first_tile_seconds, profile.rate("restoring")) == (1.0, 1.0, 1.0)
    assert record.tiles_measured == 180


def test_a_single_tile_says_nothing_about_the_pace() -> None:
    profile = MachineProfile()
    profile.remember_network(*PLACE, None, 5.0, 1)
    assert profile.network(*PLACE).seconds_per_tile is None
    profile.remember_network(*PLACE, 2.0, 5.0, 20)
    profile.remember_network(*PLACE, None, 5.0, 1)
    assert profile.network(*PLACE).seconds_per_tile == 2.0


@pytest.mark.parametrize("tiny_first", [True, False])
def test_a_few_tiles_do_not_decide_where_many_were_measured(tiny_first: bool) -> None:
    profile, runs = MachineProfile(), [(9.0, 2), (2.0, 30)]
    for pace, tiles in runs if tiny_first else runs[::-1]:
        profile.remember_network(*PLACE, pace, 5.0, tiles)
        profile.save()
    assert profile.network(*PLACE).seconds_per_tile == 2.0


@pytest.mark.parametrize("place", range(4))
def test_one_job_on_a_busy_computer_does_not_count(place: int) -> None:
    profile, paces = MachineProfile(), [1.0, 1.1, 0.9]
    paces.insert(place, 8.0)
    for pace in paces:
        profile.remember_network(*PLACE, pace, pace, 20)
        profile.remember_rate("restoring", 1e6, 1e6 * pace)
        profile.save()
    assert 0.9 <= profile.network(*PLACE).seconds_per_tile <= 1.1
    assert 0.9 <= profile.network(*PLACE).first_tile_seconds <= 1.1
    assert 0.9 <= profile.rate("restoring") <= 1.1


def test_a_computer_that_became_slower_for_good_is_learnt() -> None:
    profile = MachineProfile()
    for seconds in [1.0] * 10 + [3.0] * 4:
        profile.remember_rate("restoring", 1, seconds)
        profile.save()
    assert profile.rate("restoring") == 3.0


def test_the_parts_of_one_job_are_one_measurement() -> None:
    """Five part networks in a job while the computer was busy must not outvote the jobs before."""
    profile = MachineProfile()
    for paces in ([1.0, 1.0], [1.2, 0.8], [9.0] * 6):
        for pace in paces:
            profile.remember_rate("restoring", 10, 10 * pace)
        profile.save()
    assert profile.rate("restoring") == 1.0


def test_what_took_a_blink_says_little_about_an_hour() -> None:
    profile = MachineProfile()
    assert profile.rate("restoring", usual=0.001) == 0.001
    profile.remember_rate("restoring", 10, 0.1)
    profile.save()
    assert profile.rate("restoring", usual=0.001) == 0.001
    assert profile.rate("restoring", usual=0.1) == 0.01, "at most"
    profile.remember_rate("restoring", 1000, 3.0)
    assert profile.rate("restoring", usual=0.001) == 0.003


def test_what_takes_long_only_because_threads_begin_says_nothing_about_the_work() -> None:
    """A thousand labels took a quarter of a second: a million was planned at four minutes."""
    profile = MachineProfile()
    profile.remember_rate("labels", 1728, 0.25)
    assert profile.rate("labels", usual=1e-7) == 1e-7
    profile.save()
    profile.remember_rate("labels", 20_000_000, 6.0)
    assert profile.rate("labels", usual=1e-7) == 3e-7
