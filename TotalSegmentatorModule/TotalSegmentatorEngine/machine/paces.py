"""A pace that was measured several times: seconds a unit of work, without the outliers.

A short job says little about a long one: starting threads and taking memory count in it. A job that ran while the
computer was busy says nothing about the next one. So the last few measurements are kept, and a median of them counts,
in which short ones weigh less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST_KEPT = 7
"""A change that lasts counts after half of them."""
_FULL_WEIGHT_SHARE = 0.125
"""A measurement of less than this share of the longest one's units weighs proportionally less."""
SHORT_SECONDS = 0.2
"""Of a step that took less, or that takes an ordinary computer less, threads and memory are the most, not the work: the
first labels of a process take a quarter of a second even if they are a thousand."""
MOST_SECONDS = 1e7
_MOST_UNITS = 2.0**53
"""Larger numbers in a file are no measurements."""

Measured = tuple[float, float]
"""Units of work, and the seconds that they took."""


def with_newest(measured: Sequence[Measured], units: float, seconds: float) -> tuple[Measured, ...]:
    """The newest ones, the last of them ``seconds`` for ``units``."""
    return (*measured, (float(units), float(seconds)))[-MOST_KEPT:]


def pace_of(measured: Sequence[Measured], usual: float | None = None) -> float | None:
    """Seconds a unit: the weighted median, of two in the middle the smaller, because what disturbs takes time.

    ``usual`` is what an ordinary computer takes: it counts without a measurement, and where all of them were short and
    say more. Without both, None.
    """
    if usual is not None:
        pace = _median([item for item in measured if min(item[1], usual * item[0]) >= SHORT_SECONDS])
        known = [usual, *(seconds / units for units, seconds in measured)]
        return min(known) if pace is None else pace
    return _median(measured)


def _median(measured: Sequence[Measured]) -> float | None:
    if not measured:
        return None
    longest, seconds_of_longest = max(measured)
    full = _FULL_WEIGHT_SHARE * longest

    def weight(units: float, seconds: float) -> float:
        # overhead makes a short one slow, never fast: where it is the faster one, the longest was disturbed
        is_faster = seconds >= SHORT_SECONDS and seconds / units <= seconds_of_longest / longest
        return 1.0 if is_faster else min(1.0, units / full)

    weighted = sorted((seconds / units, weight(units, seconds)) for units, seconds in measured)
    half, passed = sum(weight for _pace, weight in weighted) / 2, 0.0
    for pace, share in weighted:
        passed += share
        if passed >= half * (1 - 1e-9):
            return pace
    return weighted[-1][0]


def checked_measured(value: object) -> tuple[Measured, ...]:
    """What ``with_newest`` made, as a file gives it back. Raises ValueError or TypeError for anything else."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_KEPT:
        raise ValueError("no measurements")
    return tuple(_checked(item) for item in value)


def _checked(item: object) -> Measured:
    if not isinstance(item, list) or len(item) != 2:
        raise ValueError("no measurement")
    for number, most in zip(item, (_MOST_UNITS, MOST_SECONDS), strict=True):
        if isinstance(number, bool) or not isinstance(number, float | int) or not 0 <= number <= most:
            raise ValueError("no measurement")
    units, seconds = float(item[0]), float(item[1])
    if units == 0 or not math.isfinite(seconds / units):
        raise ValueError("no measurement")
    return units, seconds
