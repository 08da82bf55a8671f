"""The table of a comparison as the engine's command ``compare`` writes it."""

from __future__ import annotations

import csv
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

OURS, THEIRS, DICE = "ours", "theirs", "dice"
NAME_COLUMNS = (OURS, THEIRS)
"""These hold text; all others numbers."""


@dataclass(frozen=True)
class ComparisonRows:
    """Rows by column: names and numbers. A missing number is NaN; the units are the suffixes of the column names."""

    names: dict[str, list[str]]
    numbers: dict[str, list[float]]

    @property
    def scores(self) -> list[tuple[float, str]]:
        """Dice of every structure that both sides have, with its name, the lowest first."""
        pairs = zip(self.numbers[DICE], self.names[OURS], strict=True)
        return sorted((dice, name) for dice, name in pairs if not math.isnan(dice))

    @property
    def mean_dice(self) -> float:
        """Only defined if there are ``scores``."""
        return statistics.fmean(dice for dice, _name in self.scores)

    @property
    def only_ours(self) -> int:
        """Structures that they lack."""
        return self.names[THEIRS].count("")

    @property
    def only_theirs(self) -> int:
        """Structures that we lack."""
        return self.names[OURS].count("")


def read_comparison(path: Path) -> ComparisonRows:
    """Raises OSError; ValueError if the file is not such a table."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        columns = list(reader.fieldnames or ())
        rows = list(reader)
    missing = {*NAME_COLUMNS, DICE} - set(columns)
    if missing:
        raise ValueError("the table lacks the columns {}".format(sorted(missing)))
    return ComparisonRows(
        {column: [row[column] for row in rows] for column in NAME_COLUMNS},
        {column: [_number(row[column]) for row in rows] for column in columns if column not in NAME_COLUMNS},
    )


def _number(cell: str) -> float:
    return float(cell) if cell else math.nan
