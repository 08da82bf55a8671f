"""How large the box of some structures usually is: Resources/Models/usual_extents.csv, with the source of each row.

For plans alone, before a coarse model has found the structures by which another one is cropped.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from functools import cache

from TotalSegmentatorWire.resources import MODELS_FOLDER

Extent = tuple[float, float, float]
"""mm from left to right, from back to front, and from foot to head."""


def usual_extent(structures: Collection[str]) -> Extent | None:
    """Of the box that holds all of them in an adult; None where the table does not have just these."""
    return _extents().get(frozenset(structures))


@cache
def _extents() -> Mapping[frozenset[str], Extent]:
    """Raises ValueError, OSError or KeyError where the table is damaged."""
    with (MODELS_FOLDER / "usual_extents.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = ("right_mm", "front_mm", "head_mm")
    extents = {frozenset(row["structures"].split()): tuple(float(row[name]) for name in columns) for row in rows}
    if any(min(extent) <= 0 for extent in extents.values()) or not all(row["source"] for row in rows):
        raise ValueError("usual_extents.csv has a row without size or source")
    return extents
