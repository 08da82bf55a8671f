"""Which structure of one segmentation is which of another: two departments seldom spell a name alike.

Names are paired in five rounds, the surest first; what one round has paired the next does not see:

1. as a file of pairs or a template says (``read_pairs``);
2. by the same name;
3. by the same name ignoring case;
4. as the same structure: the names of our label tables and of TG-263 mean the same one ("kidney_left", "Kidney_L"),
   words count in any order and with any sign between them, a side with any of its usual spellings ("Lt Kidney"), and
   the ``~`` of a structure that the field of view cuts does not count;
5. as one of the unions that planning uses ("Lung_L", "Kidneys"), with the parts of it that the other side has, though
   these may have been paired one by one as well.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorEngine.export.rois.template import load_template, standard_unions
from TotalSegmentatorEngine.export.rois.template_schema import Entry, Template

PAIR_COLUMNS = ("ours", "theirs")
UNION_SIGN = "+"
_SIDES = {"left": "l", "lt": "l", "right": "r", "rt": "r"}


@dataclass(frozen=True)
class NamePair:
    """What a file of pairs says: several names on one side are one structure there, for example the lobes of a lung."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True)
class Match:
    """Positions in the two lists of names; empty where that side lacks the structure."""

    name: str
    """Ours; theirs where we lack it."""
    ours: tuple[int, ...]
    theirs: tuple[int, ...]


def read_pairs(path: Path) -> list[NamePair]:
    """A CSV file with the columns ``ours`` and ``theirs``; a ``+`` between names joins them into one structure. Or a
    template (.json), whose sources are ours and whose names are theirs.

    Spreadsheets separate with semicolons where the decimal sign is a comma; the header line shows which it is.
    Raises SegmentationError("INPUT_NOT_FOUND") and SegmentationError("TEMPLATE_INVALID").
    """
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    if path.suffix.lower() == ".json":
        return _pairs_of_template(load_template(path))
    rows = rows_of_list(path, PAIR_COLUMNS, "TEMPLATE_INVALID")
    pairs = [NamePair(_names(row["ours"]), _names(row["theirs"])) for row in rows]
    for number, pair in enumerate(pairs, start=1):
        if not pair.ours or not pair.theirs:
            raise SegmentationError("TEMPLATE_INVALID", detail="row {} has no name".format(number))
    return pairs


def rows_of_list(path: Path, columns: Sequence[str], code: str) -> list[dict[str, str]]:
    """The rows of a CSV file that somebody wrote. Semicolons separate where the decimal sign is a comma; the header
    line shows which it is. Raises SegmentationError(code) where it is no such file, or lacks one of ``columns``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=";" if ";" in head else ",")
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise SegmentationError(code, detail="it has no column {}".format(missing[0]))
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegmentationError(code, detail="it is not a text file of comma-separated values") from error


def _pairs_of_template(template: Template) -> list[NamePair]:
    """Entries that give no name, or take whatever a pattern finds, pair nothing."""
    return [
        NamePair(entry.union_of or (entry.source,), (entry.name,))
        for entry in template.entries
        if entry.name and not entry.is_pattern
    ]


def _names(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (cell or "").split(UNION_SIGN) if part.strip())


def match_names(ours: Sequence[str], theirs: Sequence[str], pairs: Sequence[NamePair] = ()) -> list[Match]:
    """All structures of both sides: the pairs, then ours in their order, paired or not, then the others of theirs.

    Names may occur twice; then the first of one side goes with the first of the other. A name that a pair asks for and
    its side lacks is no error: the pair is reported as missing there.
    """
    asked = [Match(" + ".join(pair.ours), _asked(pair.ours, ours), _asked(pair.theirs, theirs)) for pair in pairs]
    left, right = dict(enumerate(ours)), dict(enumerate(theirs))
    for match in asked:
        for side, used in ((left, match.ours), (right, match.theirs)):
            for position in used:
                side.pop(position, None)
    matches: dict[int, Match] = {}
    for key in _ROUNDS:
        for mine, other in _same(left, right, key):
            matches[mine] = Match(left.pop(mine), (mine,), (other,))
            del right[other]
    for position, name in left.items():
        matches[position] = Match(name, (position,), _parts_of_union(name, theirs))
    return [
        *(match for match in asked if match.ours or match.theirs),
        *(matches[position] for position in sorted(matches)),
        *(Match(name, _parts_of_union(name, ours), (position,)) for position, name in right.items()),
    ]


def _asked(names: Sequence[str], side: Sequence[str]) -> tuple[int, ...]:
    """Positions of those names that the side has."""
    found = []
    for name in names:
        for key in _ROUNDS:
            position = next((p for p, other in enumerate(side) if key(other) == key(name)), None)
            if position is not None:
                found.append(position)
                break
    return tuple(found)


def _same(left: dict[int, str], right: dict[int, str], key: Callable[[str], str]) -> list[tuple[int, int]]:
    waiting: dict[str, list[int]] = {}
    for position, name in right.items():
        waiting.setdefault(key(name), []).append(position)
    pairs = []
    for position, name in left.items():
        others = waiting.get(key(name))
        if others:
            pairs.append((position, others.pop(0)))
    return pairs


def _parts_of_union(name: str, side: Sequence[str]) -> tuple[int, ...]:
    """Positions of what the union ``name`` is made of; empty where it is no union, or where too little of it is there.

    As in an export, both organs of a pair must be there; of the lobes of a lung, those that are.
    """
    entry = _unions().get(structure_key(name))
    if entry is None:
        return ()
    keys = [structure_key(other) for other in side]
    found = []
    for part in entry.union_of:
        key = structure_key(part)
        found.append((keys.index(key),) if key in keys else _parts_of_union(part, side))
    if entry.needs_all and not all(found):
        return ()
    return tuple(position for positions in found for position in positions)


# -- names of one structure --------------------------------------------------------------------------------------------


def structure_key(name: str) -> str:
    """The same for all names of one structure of the label tables; for other names, what is left of the spelling."""
    loose = _loose(name)
    return _known_keys().get(loose, loose)


def public_name(name: str) -> str | None:
    """The name of our label tables, or of a union that planning uses, for any spelling of it; None for all others."""
    key = structure_key(name)
    if key in known_structures():
        return key
    return _unions()[key].name if key in _unions() else None


@cache
def _known_keys() -> dict[str, str]:
    """A structure's own name before the TG-263 name of another one; two that share one are named by the first."""
    rows = known_structures().values()
    keys = {_loose(row.name): row.name for row in rows}
    for row in rows:
        for name in (row.tg263_name, row.tg263_cut_name):
            keys.setdefault(_loose(name), row.name)
    return keys


def _loose(name: str) -> str:
    words = re.split(r"[\W_]+", name.replace("~", "").casefold())
    return " ".join(sorted(_SIDES.get(word, word) for word in words if word))


@cache
def _unions() -> dict[str, Entry]:
    return {structure_key(entry.name): entry for entry in standard_unions().values()}


_ROUNDS: tuple[Callable[[str], str], ...] = (str, str.casefold, structure_key)
"""What two names have in common, the surest first."""
