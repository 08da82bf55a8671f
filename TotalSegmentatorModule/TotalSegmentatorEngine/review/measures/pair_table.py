"""Structures that a body has on both sides: ``Resources/Review/pairs.csv``, a row for each left one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.structure_rows import known_names, number, rows_by_structure

FIXED, WHOLE = "fixed", "whole"


@dataclass(frozen=True)
class Pair:
    """``left`` and ``right`` are names as in the label tables."""

    left: str
    right: str
    asymmetry: float | None
    """Largest |L - R| / (L + R) of the volumes; None where they may differ more."""
    missing: str
    """Level of the flag where one of the two is there and the other is not; empty where that is usual."""

    side: str
    """FIXED: each lies clearly on its side of the body; WHOLE: if the scan shows all of it; empty: near the middle."""

    @property
    def both(self) -> tuple[str, str]:
        return self.left, self.right


@cache
def pairs() -> tuple[Pair, ...]:
    """Raises ValueError, OSError where the table is damaged."""
    found = []
    for left, row in rows_by_structure("pairs.csv", ("asymmetry", "missing", "side")).items():
        right = left.replace("left", "right")
        if row["side"] not in ("", FIXED, WHOLE):
            raise ValueError(f"pairs.csv: {left}: an unknown side")
        if right == left or right not in known_names() or row["missing"] not in ("", Level.WRONG, Level.CHECK):
            raise ValueError(f"pairs.csv: {left}: no left one of a pair, or an unknown level")
        found.append(Pair(left, right, number(row["asymmetry"]), row["missing"], row["side"]))
    return tuple(found)


@cache
def _by_name() -> Mapping[str, Pair]:
    return {name: pair for pair in pairs() for name in pair.both}


def pair_of(name: str) -> Pair | None:
    return _by_name().get(name)


def partner_of(name: str) -> str | None:
    """The one on the other side; None for a structure that is not in the table."""
    pair = pair_of(name)
    return None if pair is None else pair.left if name == pair.right else pair.right
