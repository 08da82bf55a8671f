"""What counts of the time that a step took: not the time of other programs."""

from __future__ import annotations

import pytest
from TotalSegmentatorEngine.machine.work_time import Spent


@pytest.mark.parametrize(
    ("elapsed", "computed", "worked"),
    [
        (3.0, 3.0, 3.0),
        (3.0, 5.9, 3.0),  # two threads
        (12.0, 3.0, 3.0),  # other programs had the processor
        (12.0, 5.9, 5.9),
        (0.1, 0.0, 0.1),  # too short for the system's count of processor time
        (5.0, 0.0, 0.2),
        (-0.1, 0.0, 0.0),
    ],
)
def test_a_step_takes_no_longer_than_its_processor_time(elapsed: float, computed: float, worked: float) -> None:
    assert Spent(elapsed, computed).worked == pytest.approx(worked)


def test_moments_have_differences() -> None:
    moments = [Spent(10.0, 4.0), Spent(12.0, 7.0), Spent(15.0, 8.0)]
    assert moments[1] - moments[0] + (moments[2] - moments[1]) == Spent(5.0, 4.0)
