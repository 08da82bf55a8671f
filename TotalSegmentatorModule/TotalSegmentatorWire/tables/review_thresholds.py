"""The thresholds of the rules: ``Resources/Review/thresholds.csv``, each with its unit and source."""

from __future__ import annotations

from functools import cache

from TotalSegmentatorWire.resources import REVIEW_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv

_TABLE = REVIEW_FOLDER / "thresholds.csv"


def threshold(name: str) -> float:
    """Raises KeyError for a name that the table does not hold; ValueError, OSError where it is damaged."""
    return _thresholds()[name]


@cache
def _thresholds() -> dict[str, float]:
    rows = read_csv(_TABLE, ("name", "value", "unit", "source"))
    if any(not row["source"] or not row["unit"] for row in rows) or len({row["name"] for row in rows}) != len(rows):
        raise ValueError(f"{_TABLE.name}: a row has no unit or source, or a name occurs twice")
    return {row["name"]: float(row["value"]) for row in rows}
