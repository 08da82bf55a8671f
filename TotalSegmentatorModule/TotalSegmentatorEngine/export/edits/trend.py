"""How often what a model computed is changed in reviews, by structure, month and version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorEngine.export.edits.table import REMOVED, EditRow

RECENT_MONTHS = 3
"""With reviews, the last ones: compared with all before."""
LARGEST_CHANCE = 0.01
SMALLEST_RISE = 0.10
"""A rate counts as rising if it is higher by this share at least, and chance does so in 1 of 100 structures only."""


@dataclass(frozen=True)
class Rate:
    judged: int
    changed: int

    @property
    def share(self) -> float | None:
        return self.changed / self.judged if self.judged else None


@dataclass(frozen=True)
class StructureTrend:
    structure: str
    rows: tuple[EditRow, ...]
    """The judged ones."""

    @property
    def rate(self) -> Rate:
        return rate_of(self.rows)

    def by_month(self, months: Sequence[str]) -> list[Rate]:
        return [rate_of(row for row in self.rows if row.month == month) for month in months]

    def median(self, value: Callable[[EditRow], float | None]) -> float | None:
        """Over the edits whose size is known."""
        values = [value(row) for row in self.rows if row.edited and value(row) is not None]
        return float(np.median(values)) if values else None

    def recent(self, months: Sequence[str]) -> tuple[Rate, Rate]:
        """Before, and in the last months."""
        last = set(months[-RECENT_MONTHS:])
        return (
            rate_of(row for row in self.rows if row.month not in last),
            rate_of(row for row in self.rows if row.month in last),
        )

    def is_rising(self, months: Sequence[str]) -> bool:
        """By Fisher's exact test, one-sided."""
        from scipy.stats import fisher_exact

        before, last = self.recent(months)
        if not before.judged or not last.judged or last.share < before.share + SMALLEST_RISE:
            return False
        table = [[last.changed, last.judged - last.changed], [before.changed, before.judged - before.changed]]
        return float(fisher_exact(table, alternative="greater").pvalue) < LARGEST_CHANCE


def is_judged(row: EditRow) -> bool:
    return row.decision != ReviewState.UNREVIEWED.value


def is_changed(row: EditRow) -> bool:
    """Whether it is not used as it was computed."""
    return row.edited or row.decision in (ReviewState.REJECTED.value, REMOVED)


def rate_of(rows: Iterable[EditRow]) -> Rate:
    judged = [row for row in rows if is_judged(row)]
    return Rate(len(judged), sum(map(is_changed, judged)))


def months_of(rows: Iterable[EditRow]) -> list[str]:
    """Those with reviews, in their order."""
    return sorted({row.month for row in rows})


def trends(rows: Iterable[EditRow]) -> list[StructureTrend]:
    """The structures that are changed most often first."""
    found: dict[str, list[EditRow]] = {}
    for row in rows:
        if is_judged(row):
            found.setdefault(row.structure, []).append(row)
    made = [StructureTrend(structure, tuple(own)) for structure, own in found.items()]
    return sorted(made, key=lambda each: (-each.rate.share, -each.rate.judged, each.structure))
