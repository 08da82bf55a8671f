"""Repairs that no single remark asks for, and that make sense for a structure: its largest piece alone, and merging it
into a neighbour of the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from TotalSegmentatorWire.resources import REVIEW_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv
from TotalSegmentatorWire.tables.numbered_names import renumbered
from TotalSegmentatorWire.tables.review_rules import Repair

from TotalSegmentatorModuleLib.repair.program_order import ProgramOrder, can_be_mended
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.segments import reference_volume

_TELL_OF_PIECES = (
    "islands",
    "divided",
    "tube_gap",
    "vertebra_double",
    "vertebra_double_unplaced",
    "vertebra_piece",
    "lumbar_vertebra_double",
    "rib_double",
    "rib_double_unplaced",
)
"""Rules whose flags say that a structure lies in several pieces."""


def row_orders(node, row: ReviewRow, rows: Sequence[ReviewRow]) -> list[ProgramOrder]:
    """``rows``: all of ``node`` (vtkMRMLSegmentationNode)."""
    if not row.has_segment or not can_be_mended(node, row.key):
        return []
    ct = reference_volume(node)
    flags = [shown.flag for shown in row.flags if not shown.is_repaired]
    pieces = next((flag for flag in flags if flag.rule in _TELL_OF_PIECES), None)
    orders = []
    if pieces is not None:
        orders.append(ProgramOrder(node, ct, pieces.rule, Repair.LARGEST_PIECE, row.key, "", None))
    return orders + [
        ProgramOrder(node, ct, "", Repair.MERGE_INTO, row.key, each.key, None) for each in _near(row, rows)
    ]


def _near(row: ReviewRow, rows: Sequence[ReviewRow]) -> list[ReviewRow]:
    """Those into which ``row`` may be merged: its neighbours by number, and what is of its kind and touches its box."""
    by_key = {other.key: other for other in rows if other.has_segment}
    numbers = [by_key[name] for name in (renumbered(row.key, -1), renumbered(row.key, 1)) if name in by_key]
    others = [by_key[name] for name in same_kind().get(row.key, ()) if name in by_key]
    return numbers + [other for other in others if other not in numbers and _touch(row, other)]


def _touch(one: ReviewRow, other: ReviewRow) -> bool:
    return one.measures is not None and other.measures is not None and one.measures.overlaps(other.measures)


@cache
def same_kind() -> Mapping[str, tuple[str, ...]]:
    """Names of structures to the others of their kind, numbered ones aside. Raises ValueError where a row has no
    source or only one structure."""
    others: dict[str, tuple[str, ...]] = {}
    for row in read_csv(REVIEW_FOLDER / "same_kind.csv", ("kind", "structures", "source")):
        names = row["structures"].split()
        if len(names) < 2 or not row["source"]:
            raise ValueError("same_kind.csv: a row has no source, or fewer than two structures")
        for name in names:
            others[name] = (*others.get(name, ()), *(each for each in names if each != name))
    return others
