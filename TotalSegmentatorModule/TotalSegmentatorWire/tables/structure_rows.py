"""Tables of Resources/Review that say something of each structure.

The column ``structures`` of a row names the structures that it is for: one name or more, with ``*`` for any letters;
``source`` says where the row's values come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import translate
from functools import cache

from TotalSegmentatorWire.resources import REVIEW_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv
from TotalSegmentatorWire.tables.structures import WHOLE_BODY_TABLES, known_structures, structure_table

STRUCTURES, SOURCE = "structures", "source"


@cache
def known_names() -> frozenset[str]:
    """Of the structures in all label tables."""
    return frozenset(known_structures())


@cache
def _whole_body_names() -> frozenset[str]:
    return frozenset(row.name for table in WHOLE_BODY_TABLES for row in structure_table(table))


def names_of(term: str, known: Iterable[str]) -> list[str]:
    """Those of ``known`` that the names and patterns in ``term`` mean.

    A pattern means structures of the whole body's tables and of the user's own models. Those of a task are meant by
    their whole names alone, unless the term is ``*``: "lung_*" speaks of the lobes, not of nodules.
    """
    meant, matches, tables = _meant_in_tables(term), _matches(term), known_names()
    return [name for name in known if name in meant or (name not in tables and any(match(name) for match in matches))]


@cache
def _meant_in_tables(term: str) -> frozenset[str]:
    """The structures of the label tables, which nearly all names are: patterns are matched with them once."""
    words = term.split()
    if "*" in words:
        return known_names()
    literal = known_names().intersection(words)
    return literal | {name for name in _whole_body_names() if any(match(name) for match in _matches(term))}


@cache
def _matches(term: str) -> tuple[Callable[[str], object], ...]:
    return tuple(re.compile(translate(word)).match for word in term.split())


def checked_rows(file: str, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of a table that has a source in each. Raises ValueError, OSError where it is damaged."""
    rows = read_csv(REVIEW_FOLDER / file, [*columns, SOURCE])
    if any(not row[SOURCE] for row in rows):
        raise ValueError(f"{file}: a row has no source")
    return rows


@cache
def rows_by_structure(file: str, columns: tuple[str, ...]) -> Mapping[str, dict[str, str]]:
    """The one row of each structure that the table speaks of. Raises ValueError, OSError where it is damaged."""
    found: dict[str, dict[str, str]] = {}
    for row in checked_rows(file, [STRUCTURES, *columns]):
        for pattern in row[STRUCTURES].split():
            names = names_of(pattern, known_names())
            if not names or any(name in found for name in names):
                raise ValueError(f"{file}: {pattern} is no structure, or stands in the table twice")
            found.update(dict.fromkeys(names, row))
    return found


def number(text: str) -> float | None:
    """None for an empty cell. Raises ValueError."""
    return float(text) if text else None
