"""What lies on which side of what in a body: ``Resources/Structures/body_order.csv``.

A row says that ``first`` lies to the right, in front or headwards of ``second``. Each of the two is one name or more of
structures, with ``*`` for any letters; the names are those of the 104- and the 117-structure models, and those that a
model does not know are passed over. Rows of one ``group`` are judged together, and apart from those of other groups: a
network that has learnt left from right by the place in the image calls the right kidney of a mirrored CT the left one,
but still finds the liver by its look. ``usual`` is the share of voxels, see ``places.share_beyond``, for which the
relation holds in most bodies: 1 for nearly all, less as between the heart and the spine. The rows were checked on the
published labels of a real CT, on phantoms, and on random parts of them; those of the chest come from anatomy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    usual: float

    def agreement(self, share: float) -> float:
        """How far a ``share`` of voxels agrees with the relation: 1 for the usual one or more, 0 for its opposite."""
        return min(max(0.5 + (share - 0.5) / (2 * self.usual - 1), 0.0), 1.0)


@cache
def body_order() -> tuple[Relation, ...]:
    """The rows of the table. Raises ValueError, OSError where it is damaged."""
    rows = read_csv(_TABLE, ("direction", "group", "first", "second", "usual"))
    if any(row["direction"] not in _AXES or row["group"] not in _GROUPS for row in rows):
        raise ValueError(f"{_TABLE.name}: a direction or group is unknown")
    return tuple(
        Relation(_AXES[row["direction"]], row["group"], row["first"], row["second"], float(row["usual"]))
        for row in rows
    )
