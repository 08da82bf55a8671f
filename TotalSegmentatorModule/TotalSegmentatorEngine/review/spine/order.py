"""Numbers that should rise: which stand in the wrong place, and which two were exchanged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import combinations


def out_of_order(numbers: Sequence[float]) -> set[int]:
    """Positions of the fewest numbers without which the others never fall (equal ones may follow each other)."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for position, number in enumerate(numbers):
        length = bisect_right([numbers[end] for end in ends], number)
        before[position] = ends[length - 1] if length else None
        ends[length:] = [position, *ends[length + 1 :]]
    kept = set()
    last = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return set(range(len(numbers))) - kept


def exchanged_pairs(numbers: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of positions whose exchange puts both numbers into order; each position occurs at most once."""
    numbers = list(numbers)
    pairs: list[tuple[int, int]] = []
    wrong = out_of_order(numbers)
    while wrong:
        best = min(_exchanges(numbers, len(wrong), pairs), default=None)
        if best is None:
            break
        _left, _distance, first, second = best
        numbers[first], numbers[second] = numbers[second], numbers[first]
        pairs.append((first, second))
        wrong = out_of_order(numbers)
    return pairs


def _exchanges(numbers: list[float], wrong: int, pairs: list[tuple[int, int]]):
    """How many stay out of order, the distance, and the positions of each exchange that puts both into order: of
    neighbours one was out of order, of others both were."""
    used = {position for pair in pairs for position in pair}
    for first, second in combinations(set(range(len(numbers))) - used, 2):
        first, second = min(first, second), max(first, second)
        if numbers[first] <= numbers[second]:
            continue
        tried = list(numbers)
        tried[first], tried[second] = tried[second], tried[first]
        left = out_of_order(tried)
        if len(left) <= wrong - (1 if second == first + 1 else 2) and not {first, second} & left:
            yield len(left), second - first, first, second
