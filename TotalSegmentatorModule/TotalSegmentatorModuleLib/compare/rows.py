"""The table of a comparison as the engine's command ``compare`` writes it: the worst structures first."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.messages.comparison import (
    COLUMNS,
    DICE,
    NUMBER_COLUMNS,
    OUR_VOLUME,
    OURS,
    THEIR_VOLUME,
    THEIRS,
)


@dataclass(frozen=True)
class ComparisonLine:
    """One structure."""

    ours: str
    """Its name in the segmentation, empty if that lacks it."""
    theirs: str
    """Likewise in what it is compared with."""
    numbers: dict[str, float]
    """By the engine's columns (NUMBER_COLUMNS), those that have a value; the units are in the names of the columns."""

    @property
    def name(self) -> str:
        return self.ours or self.theirs

    @property
    def is_pair(self) -> bool:
        return bool(self.ours and self.theirs)

    @property
    def has_voxels(self) -> tuple[bool, bool]:
        """Of the segmentation, of the other."""
        return self.numbers.get(OUR_VOLUME, 0.0) > 0.0, self.numbers.get(THEIR_VOLUME, 0.0) > 0.0


@dataclass(frozen=True)
class Comparison:
    lines: tuple[ComparisonLine, ...]
    csv: str
    """The table as the engine wrote it."""

    @property
    def scores(self) -> list[tuple[float, str]]:
        """Dice of every structure that has one, with its name, the lowest first."""
        scores = ((line.numbers[DICE], line.ours) for line in self.lines if DICE in line.numbers)
        return sorted(scores, key=lambda score: score[0])

    @property
    def mean_dice(self) -> float:
        """Only defined if there are ``scores``."""
        return statistics.fmean(dice for dice, _name in self.scores)

    @property
    def without_counterpart(self) -> int:
        """Structures that only one side has."""
        return sum(not line.is_pair for line in self.lines)


def read_comparison(path: Path) -> Comparison:
    """Raises OSError; ValueError if the file is not such a table."""
    with path.open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = list(reader)
    _require_columns(reader.fieldnames or ())
    return Comparison(tuple(_line(row) for row in rows), text)


def _require_columns(columns: Sequence[str]) -> None:
    missing = set(COLUMNS) - set(columns)
    if missing:
        raise ValueError("the table lacks the columns {}".format(sorted(missing)))


def _line(row: dict[str, str]) -> ComparisonLine:
    numbers = {column: float(row[column]) for column in NUMBER_COLUMNS if row[column]}
    return ComparisonLine(row[OURS], row[THEIRS], numbers)
