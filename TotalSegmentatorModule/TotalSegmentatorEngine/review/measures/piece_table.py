"""In how many pieces a structure may be: ``Resources/Review/pieces.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.structure_rows import number, rows_by_structure


@dataclass(frozen=True)
class PieceLimits:
    pieces: int | None
    """At most as many; None for any number."""
    stray_ml: float
    """Smaller pieces do not count."""
    tube_level: str
    """Of the flag where the structure is a tube with a gap; empty where it is none."""


@cache
def piece_limits() -> Mapping[str, PieceLimits]:
    """Of the structures whose pieces are judged. Raises ValueError, OSError where the table is damaged."""
    limits = {}
    for name, row in rows_by_structure("pieces.csv", ("pieces", "stray_ml", "tube")).items():
        stray_ml = number(row["stray_ml"])
        if row["tube"] not in ("", Level.WRONG, Level.CHECK) or (row["tube"] and stray_ml is None):
            raise ValueError(f"pieces.csv: {name}: a tube needs a level and stray_ml")
        if stray_ml is not None:
            limits[name] = PieceLimits(int(row["pieces"]) if row["pieces"] else None, stray_ml, row["tube"])
    return limits
