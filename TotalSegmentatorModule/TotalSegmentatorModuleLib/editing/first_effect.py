"""With which effect the Segment Editor opens: what the worst remark on the structure asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import numpy as np
from TotalSegmentatorWire.resources import REVIEW_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv

from TotalSegmentatorModuleLib.tags.review_flags import ShownFlag
from TotalSegmentatorModuleLib.tags.structure_measures import Measures

_COLUMNS = ("rule", "structures", "effect", "operation", "hu_margin", "source")
_BRUSHES = ("Paint", "Erase")
_BRUSH_SHARE = 1 / 3
"""Of the diameter of a sphere as large as the structure: a stroke then covers a vessel, and not a vertebra (chosen)."""
_BRUSH_MM = (4.0, 20.0)
"""Smallest and largest diameter (chosen: 4 mm are three voxels of a 1.5 mm result)."""
_BRUSH_UNKNOWN_MM = 8.0


@dataclass(frozen=True)
class FirstEffect:
    name: str
    """Slicer's, which is not translated: "Paint"."""
    operation: str = ""
    """The effect's parameter of that name; empty: as it is."""
    brush_mm: float | None = None
    """Diameter of a sphere brush; None for effects without a brush."""
    hu: tuple[int, int] | None = None
    """Lowest and highest CT number that may be changed; None: all."""


def first_effect(structure: str, flags: Sequence[ShownFlag], measures: Measures | None) -> FirstEffect:
    """``flags``: of ``structure``, the worst first; those that were repaired say nothing any more."""
    rules = [shown.flag.rule for shown in flags if not shown.is_repaired]
    fitting = [row for rule in rules for row in effect_rows() if row["rule"] == rule]
    row = next(row for row in [*fitting, effect_rows()[-1]] if _names(row["structures"], structure))
    has_brush = row["effect"] in _BRUSHES
    return FirstEffect(
        name=row["effect"],
        operation=row["operation"],
        brush_mm=_brush_mm(measures) if has_brush else None,
        hu=_around_mean(measures, float(row["hu_margin"])) if row["hu_margin"] else None,
    )


@cache
def effect_rows() -> tuple[dict[str, str], ...]:
    """The table; the first row that fits counts. Raises ValueError where a row has no source, or the last one does not
    fit everything."""
    rows = read_csv(REVIEW_FOLDER / "first_effects.csv", _COLUMNS)
    if not all(row["effect"] and row["source"] for row in rows):
        raise ValueError("first_effects.csv: a row has no effect or no source")
    if not rows or (rows[-1]["rule"], rows[-1]["structures"]) != ("*", "*"):
        raise ValueError("first_effects.csv: the last row must be the one for everything")
    return tuple(rows)


def _names(patterns: str, structure: str) -> bool:
    return any(fnmatchcase(structure, pattern) for pattern in patterns.split())


def _brush_mm(measures: Measures | None) -> float:
    if measures is None or measures.volume_ml <= 0:
        return _BRUSH_UNKNOWN_MM
    sphere_mm = (6000.0 * measures.volume_ml / np.pi) ** (1 / 3)
    return round(float(np.clip(_BRUSH_SHARE * sphere_mm, *_BRUSH_MM)), 1)


def _around_mean(measures: Measures | None, margin: float) -> tuple[int, int] | None:
    if measures is None or measures.mean_hu is None:
        return None
    return round(measures.mean_hu - margin), round(measures.mean_hu + margin)
