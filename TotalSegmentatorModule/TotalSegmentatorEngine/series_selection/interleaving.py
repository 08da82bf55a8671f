"""Separates volumes whose slices lie between or upon each other's in one series.

A label that tells volumes apart - acquisition, phase, kernel, time - differs within the same stretch of the patient.
One that only changes along the patient does not: a step-and-shoot scan counts each rotation as an acquisition, and
chest and abdomen can be two acquisitions of one series.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.series_labels import LABELS
from TotalSegmentatorEngine.dicom_series.slice_order import SAME_POSITION_MM

FEWEST_SLICES = 3
"""Of a volume."""

SHARE_IN_VOLUMES = 0.8
"""A label tells volumes apart where this share of the slices lies in groups that can be volumes."""

SLICES_PER_STACK = 4
"""Runs of numbers that are shorter on average are no stacks: file by file, somebody numbered the slices anew."""

PAUSE_SECONDS = 1.0
"""Acquisitions with a longer pause between them are two."""

Keys = list[Hashable]


def separate(slices: Sequence[SliceHeader], along: np.ndarray) -> list[list[SliceHeader]]:
    """Groups of the slices of one plane and size, each in the given order; one group where nothing tells them apart.

    ``slices`` are ordered by ``along``, their positions along the normal in mm.
    """
    return [[slices[number] for number in group] for group in _separate(slices, along, _RULES)]


def _separate(slices: Sequence[SliceHeader], along: np.ndarray, rules: Sequence[_Rule]) -> list[list[int]]:
    for number, rule in enumerate(rules):
        keys = rule(slices, along)
        if keys is None:
            continue
        groups: dict[Hashable, list[int]] = {}
        for place, key in enumerate(keys):
            groups.setdefault(key, []).append(place)
        if len(groups) < 2:
            continue
        found = []
        for members in groups.values():
            rest = _separate([slices[place] for place in members], along[members], rules[number + 1 :])
            found += [[members[place] for place in group] for group in rest]
        return found
    return [list(range(len(slices)))]


# -- rules: a key per slice, or None where the rule tells nothing apart ------------------------------------------------

_Rule = Callable[[Sequence[SliceHeader], np.ndarray], "Keys | None"]


def _by_labels(slices: Sequence[SliceHeader], along: np.ndarray) -> Keys | None:
    columns = [[header.labels.values[number] for header in slices] for number in range(len(LABELS))]
    telling = [column for column in columns if _tells_apart(column, along)]
    return list(zip(*telling, strict=True)) if telling else None


def _by_acquisition(slices: Sequence[SliceHeader], along: np.ndarray) -> Keys | None:
    return _stacks([header.labels.acquisition for header in slices], along)


def _by_time(slices: Sequence[SliceHeader], along: np.ndarray) -> Keys | None:
    """By pauses, and then by each time of its own: phases can follow each other without a pause."""
    times = [header.labels.seconds for header in slices]
    if None in times:
        return None
    stated = np.array(times, dtype=float)
    ordered = np.unique(stated)
    gaps = np.diff(ordered)
    if not len(gaps):
        return None
    usual = float(np.median(gaps)) if len(gaps) > FEWEST_SLICES else 0.0
    starts = ordered[1:][gaps > max(PAUSE_SECONDS, 5 * usual)]
    pauses = np.searchsorted(starts, stated, side="right").tolist()
    return pauses if _tells_apart(pauses, along) else _stacks(times, along)


def _by_instance(slices: Sequence[SliceHeader], along: np.ndarray) -> Keys | None:
    """Numbers that run through the patient several times, or that occur several times."""
    numbers = [header.labels.instance for header in slices]
    if None in numbers:
        return None
    seen: dict[float, int] = {}
    ranks = [0] * len(numbers)
    for place in sorted(range(len(numbers)), key=lambda place: _age(slices[place])):
        number = numbers[place]
        ranks[place] = seen[number] = seen.get(number, 0) + 1
    if set(seen.values()) == {max(ranks)} and max(ranks) > 1 and _tells_apart(ranks, along):
        return ranks
    return _stacks(numbers, along)


def _by_rank(slices: Sequence[SliceHeader], along: np.ndarray) -> Keys | None:
    """Where every position occurs equally often: by times, number and name of the file."""
    starts = np.flatnonzero(np.diff(along, prepend=-np.inf) > SAME_POSITION_MM)
    counts = np.diff(starts, append=len(along))
    if len(counts) < FEWEST_SLICES or counts.min() < 2 or counts.min() != counts.max():
        return None
    ranks = np.zeros(len(along), int)
    for start, count in zip(starts, counts, strict=True):
        order = sorted(range(start, start + count), key=lambda place: _age(slices[place]))
        ranks[order] = np.arange(count)
    return ranks.tolist()


def _age(header: SliceHeader) -> tuple:
    labels = header.labels
    return (
        labels.seconds is None,
        labels.seconds or 0.0,
        labels.written_seconds is None,
        labels.written_seconds or 0.0,
        labels.instance is None,
        labels.instance or 0.0,
        str(header.path),
    )


_RULES: tuple[_Rule, ...] = (_by_labels, _by_acquisition, _by_time, _by_instance, _by_rank)


# -- what interleaves --------------------------------------------------------------------------------------------------


def _tells_apart(keys: Sequence[Hashable], along: np.ndarray) -> bool:
    """True where groups of the same key can be volumes that interleave."""
    if len(set(keys)) < 2:
        return False
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    volumes = [along[members] for members in groups.values() if len(members) >= FEWEST_SLICES]
    if sum(map(len, volumes)) < SHARE_IN_VOLUMES * len(along):
        return False
    volumes.sort(key=lambda volume: volume[0])
    return any(
        _interleave(one, two)
        for number, one in enumerate(volumes)
        for two in volumes[number + 1 :]
        if two[0] <= one[-1]
    )


def _interleave(one: np.ndarray, two: np.ndarray) -> bool:
    """True where each has two slices or more within the other's stretch; both are ascending, in mm."""
    return _count_within(one, two) >= 2 and _count_within(two, one) >= 2


def _count_within(one: np.ndarray, stretch: np.ndarray) -> int:
    low, high = stretch[0] - SAME_POSITION_MM, stretch[-1] + SAME_POSITION_MM
    return int(np.count_nonzero((one >= low) & (one <= high)))


def _stacks(numbers: Sequence[float | None], along: np.ndarray) -> Keys | None:
    """A new stack begins where the slices, in the order of their numbers, go back into the stretch of the last one.

    Slices of one number go together.
    """
    if None in numbers or len(set(numbers)) < 2:
        return None
    groups: dict[float, list[int]] = {}
    for place, number in enumerate(numbers):
        groups.setdefault(number, []).append(place)
    keys = np.zeros(len(along), int)
    stack, low, high, direction = 0, np.inf, -np.inf, 0.0
    for number in sorted(groups):
        members = groups[number]
        bottom, top = float(along[members[0]]), float(along[members[-1]])
        inside = _count_within(along[members], np.array([low, high])) if low <= high else 0
        turned = low <= high and direction * ((bottom + top) - (low + high)) < 0
        if inside >= min(2, len(members)) or turned:
            stack, low, high, direction = stack + 1, np.inf, -np.inf, 0.0
        if low <= high and not direction:
            direction = float(np.sign((bottom + top) - (low + high)))
        low, high = min(low, bottom), max(high, top)
        keys[members] = stack
    is_many = len(along) < SLICES_PER_STACK * (stack + 1)
    return keys.tolist() if stack and not is_many and _tells_apart(keys.tolist(), along) else None
