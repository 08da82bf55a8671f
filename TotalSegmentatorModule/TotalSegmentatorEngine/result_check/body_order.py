"""What lies on which side of what in a body: ``Resources/Structures/body_order.csv``.

A row says that ``first`` lies to the right, in front or headwards of ``second``. Each of the two is one name or more of
structures, with ``*`` for any letters; the names are those of the 104- and the 117-structure models, and those that a
model does not know are passed over. Rows of one ``group`` are judged together, and apart from those of other groups: a
network that has learnt left from right by the place in the image calls the right kidney of a mirrored CT the left one,
but still finds the liver by its look. Only relations that hold for (nearly) all voxels of nearly everybody are listed:
each was checked on the published labels of a real CT, on phantoms, and on random parts of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv

from TotalSegmentatorEngine.result_check.places import FRONT, HEAD, RIGHT

_TABLE = STRUCTURES_FOLDER / "body_order.csv"
ORGANS, PAIRS, VERTEBRAE = _GROUPS = ("organs", "pairs", "vertebrae")
_AXES = {"right": RIGHT, "front": FRONT, "head": HEAD}


@dataclass(frozen=True)
class Relation:
    """``first`` lies in the direction of ``axis`` (of RAS) from ``second``."""

    axis: int
    group: str
    first: str
    second: str


@cache
def body_order() -> tuple[Relation, ...]:
    """The rows of the table. Raises ValueError, OSError where it is damaged."""
    rows = read_csv(_TABLE, ("direction", "group", "first", "second"))
    if any(row["direction"] not in _AXES or row["group"] not in _GROUPS for row in rows):
        raise ValueError(f"{_TABLE.name}: a direction or group is unknown")
    return tuple(Relation(_AXES[row["direction"]], row["group"], row["first"], row["second"]) for row in rows)


def names_of(term: str, known: Iterable[str]) -> list[str]:
    """Those of the ``known`` structures that one side of a relation means."""
    patterns = term.split()
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
