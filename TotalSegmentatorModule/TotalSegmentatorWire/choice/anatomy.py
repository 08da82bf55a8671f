"""Where people look for a structure: regions of the body and systems in them (Resources/Structures/anatomy.csv)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv
from TotalSegmentatorWire.tables.structures import known_structures

_TABLE = STRUCTURES_FOLDER / "anatomy.csv"
_REGION, _SYSTEM, _STRUCTURE = _COLUMNS = ("region", "system", "structure")


@dataclass(frozen=True)
class System:
    id: str
    """Of the region and the system: "thorax/vessels"."""
    title: str
    structures: tuple[str, ...]
    """Names as the label tables have them."""


@dataclass(frozen=True)
class Region:
    id: str
    title: str
    systems: tuple[System, ...]

    @property
    def structures(self) -> tuple[str, ...]:
        return tuple(name for system in self.systems for name in system.structures)


@cache
def anatomy_tree() -> tuple[Region, ...]:
    """All structures of the label tables, each once. Raises ValueError, OSError where the table is damaged."""
    return read_anatomy(_TABLE, known_structures())


def read_anatomy(path: Path, known: Collection[str]) -> tuple[Region, ...]:
    """The regions in the table's order, with those of the structures that are ``known``.

    Raises ValueError that names the structure where one stands twice, a known one is missing, or a row has an empty
    field; OSError.
    """
    rows = read_csv(path, _COLUMNS)
    _check(path, rows, known)
    kept = [row for row in rows if row[_STRUCTURE] in known]
    return tuple(_region(title, of_region) for title, of_region in _by(_REGION, kept))


def _region(title: str, rows: Iterable[dict[str, str]]) -> Region:
    region = _id(title)
    systems = (
        System(f"{region}/{_id(system)}", system, tuple(row[_STRUCTURE] for row in of_system))
        for system, of_system in _by(_SYSTEM, rows)
    )
    return Region(region, title, tuple(systems))


def _by(column: str, rows: Iterable[dict[str, str]]) -> Iterable[tuple[str, Iterable[dict[str, str]]]]:
    return groupby(rows, key=lambda row: row[column])


def _check(path: Path, rows: list[dict[str, str]], known: Collection[str]) -> None:
    names = [row[_STRUCTURE] for row in rows]
    if not all(row[column] for row in rows for column in _COLUMNS):
        raise ValueError(f"{path.name}: a row has an empty field")
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = sorted(set(known) - set(names))
    if twice or missing:
        raise ValueError(f"{path.name}: twice in the table: {twice}; missing: {missing}")
    places = [place for place, _rows in groupby((row[_REGION], row[_SYSTEM]) for row in rows)]
    if len(set(places)) != len(places):
        raise ValueError(f"{path.name}: the rows of a system do not stand together")


def _id(title: str) -> str:
    return "-".join(title.lower().replace(",", "").split())
