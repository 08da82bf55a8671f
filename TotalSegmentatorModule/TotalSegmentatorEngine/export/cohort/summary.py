"""The figures of one structure over all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.export.cohort.outcome import COMPARED, Cohort, PairResult, StructureResult

BELOW_PUBLISHED = 0.05
"""Of the mean Dice: a structure that is further below its published value is pointed out."""


@dataclass(frozen=True)
class Distribution:
    """Of one measure over the pairs that have it; ``values`` is not empty."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.values))

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.percentile(self.values, [25, 75])
        return float(low), float(high)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class StructureSummary:
    """Of a structure that at least one pair has on both sides. Distributions are those of the compared pairs."""

    structure: str
    results: tuple[tuple[PairResult, StructureResult], ...]
    """The compared ones."""
    alone: tuple[tuple[PairResult, StructureResult], ...]
    """Those where a side lacks it or has no voxel of it."""

    @property
    def count(self) -> int:
        return len(self.results)

    @property
    def cut(self) -> int:
        """In how many pairs the reference reaches the border of the CT."""
        return sum(result.is_cut for _, result in self.results)

    @property
    def published_dice(self) -> float | None:
        """None where the models of the pairs have no value, or different ones."""
        values = {result.published_dice for _, result in self.results}
        return values.pop() if len(values) == 1 else None

    @property
    def difference(self) -> float | None:
        """Mean Dice minus the published one."""
        return None if self.published_dice is None else self.dice.mean - self.published_dice

    @property
    def dice(self) -> Distribution:
        return self._of(lambda result: result.row.dice)

    @property
    def surface_dice(self) -> Distribution:
        return self._of(lambda result: result.row.surface_dice)

    @property
    def hausdorff95_mm(self) -> Distribution:
        return self._of(lambda result: result.row.hausdorff95_mm)

    @property
    def mean_distance_mm(self) -> Distribution:
        return self._of(lambda result: result.row.mean_distance_mm)

    @property
    def added_path_mm(self) -> Distribution:
        return self._of(lambda result: result.row.added_path_mm)

    @property
    def difference_percent(self) -> Distribution:
        return self._of(lambda result: result.row.difference_percent)

    def _of(self, value: Callable[[StructureResult], float]) -> Distribution:
        return Distribution(tuple(value(result) for _, result in self.results))


def summaries(cohort: Cohort) -> list[StructureSummary]:
    """The structures that were compared, those with the lowest median Dice first."""
    found = _by_structure(cohort)
    made = [_summary(name, entries) for name, entries in found.items()]
    return sorted((each for each in made if each.results), key=lambda each: (each.dice.median, each.structure))


def never_compared(cohort: Cohort) -> list[StructureSummary]:
    """The structures that no pair has on both sides."""
    made = [_summary(name, entries) for name, entries in _by_structure(cohort).items()]
    return sorted((each for each in made if not each.results), key=lambda each: each.structure)


Entries = list[tuple[PairResult, StructureResult]]


def _by_structure(cohort: Cohort) -> dict[str, Entries]:
    found: dict[str, Entries] = {}
    for pair in cohort.pairs:
        for result in pair.results:
            found.setdefault(result.structure, []).append((pair, result))
    return found


def _summary(structure: str, entries: Entries) -> StructureSummary:
    compared = tuple(entry for entry in entries if entry[1].status == COMPARED)
    alone = tuple(entry for entry in entries if entry[1].status != COMPARED)
    return StructureSummary(structure, compared, alone)
