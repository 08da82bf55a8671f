"""What a program took: time on the clock, and the time that its own code had the processors."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import psutil


@dataclass(frozen=True)
class Spent:
    """Seconds. ``user``: of all processors, in user mode; None where it was not measured."""

    elapsed: float
    user: float | None = None


class Stopwatch:
    """Runs from when it is made. It counts the programs that this process has started, with all that these start."""

    def __init__(self) -> None:
        self._begun, self._user = time.perf_counter(), _user_seconds()

    def read(self) -> Spent:
        return Spent(time.perf_counter() - self._begun, _user_seconds() - self._user)


def _user_seconds() -> float:
    """Of the programs that have ended and those that still run. A system that does not tell of ended ones (Windows)
    counts the running ones alone."""
    seconds = os.times().children_user
    for program in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            times = program.cpu_times()
            seconds += times.user + getattr(times, "children_user", 0.0)
    return seconds


@dataclass(frozen=True)
class Pairs:
    """Runs of one program, each beside a run of another right before or after it: what slows the computer down for a
    while slows both down, and hardly changes the ratio of the pair."""

    ours: Sequence[Spent]
    theirs: Sequence[Spent]

    @property
    def ratios(self) -> list[float]:
        """Of the time on the clock, one a pair."""
        return [mine.elapsed / other.elapsed for mine, other in zip(self.ours, self.theirs, strict=True)]

    @property
    def user_ratios(self) -> list[float]:
        """Of the processors' time; empty where it was not measured."""
        pairs = list(zip(self.ours, self.theirs, strict=True))
        if any(mine.user is None or not other.user for mine, other in pairs):
            return []
        return [mine.user / other.user for mine, other in pairs]

    @property
    def ratio(self) -> float:
        """The median of the pairs'."""
        return median(self.ratios)
