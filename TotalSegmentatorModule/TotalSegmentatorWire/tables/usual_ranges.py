"""Which volumes and CT numbers structures usually have: tables in Resources/Review with a low and a high end, either of
which may be empty, and the source of each range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.structure_rows import SOURCE, number, rows_by_structure


@dataclass(frozen=True)
class Range:
    low: float | None
    high: float | None
    source: str = ""
    """Where it was published, in words; empty for a range that is made of others."""

    def __post_init__(self) -> None:
        """Raises ValueError for a range without ends, or with ends the wrong way round."""
        if (self.low is None and self.high is None) or (None not in (self.low, self.high) and self.low >= self.high):
            raise ValueError(f"{self.low} to {self.high} is no range")

    def widened(self, share: float) -> Range:
        """Of a quantity that cannot be negative."""
        return Range(
            None if self.low is None else self.low * (1 - share),
            None if self.high is None else self.high * (1 + share),
            self.source,
        )

    def holds(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def text(self, digits: int = 3) -> str:
        """As in "39 to 326", "at most 302", to significant digits."""
        low, high = (None if end is None else rounded(end, digits) for end in (self.low, self.high))
        return f"at most {high}" if low is None else f"at least {low}" if high is None else f"{low} to {high}"


def volume_ranges() -> Mapping[str, Range]:
    """Published volumes of adults in ml, by the names of structures; many have none. The review flags a volume only
    where it lies outside by a margin (``volume_margin`` in thresholds.csv). Raises ValueError, OSError where the table
    is damaged."""
    return _ranges_of("volumes.csv", "low_ml", "high_ml")


def hu_ranges() -> Mapping[str, Range]:
    """Means in HU that the tissue can have, with and without contrast, by the names of structures. Raises ValueError,
    OSError where the table is damaged."""
    return _ranges_of("hounsfield.csv", "low_hu", "high_hu")


@cache
def _ranges_of(file: str, low: str, high: str) -> Mapping[str, Range]:
    rows = rows_by_structure(file, (low, high))
    return {name: Range(number(row[low]), number(row[high]), row[SOURCE]) for name, row in rows.items()}
