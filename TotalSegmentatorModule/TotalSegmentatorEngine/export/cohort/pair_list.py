"""Which files belong together: every sub-folder of a folder is a pair, or every row of a list.

In a sub-folder, the word with which a name begins says what it is, whatever follows it and in whatever case: ``ct``,
``ours``, and ``theirs`` or ``reference``. Each is a file, or a folder: that of the CT's series, or one with a single
file. Tables and texts are passed over, for example ``ours.csv`` with the names of ``ours.nii.gz``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.compare.pairing import rows_of_list

COLUMNS = ("name", "ct", "ours", "theirs")
"""Of a list; paths are taken from where the list is. The CT may be missing where no side is DICOM."""
_CT, _OURS, _THEIRS = COLUMNS[1:]
_WORDS = {"ct": _CT, "ours": _OURS, "theirs": _THEIRS, "reference": _THEIRS}
_WORD = re.compile(r"[a-z]+")
_NO_IMAGES = (".csv", ".json", ".txt", ".log", ".html", ".pdf", ".parquet", ".raw", ".raw.gz", ".zraw", ".img")
"""What lies beside images: tables, notes, results, and the voxels of images whose header is a file of its own."""


@dataclass(frozen=True)
class Pair:
    number: int
    """From 1, in the order of the names."""
    name: str
    """Of the sub-folder, or what the list says: it may name a patient."""
    ct: Path | None = None
    ours: Path | None = None
    theirs: Path | None = None
    problem: SegmentationError | None = None
    """Why it cannot be compared."""


def find_pairs(place: Path) -> list[Pair]:
    """``place``: a folder, or a list (.csv). A pair that is not complete has its problem.

    Raises SegmentationError: INPUT_NOT_FOUND, COHORT_EMPTY, COHORT_LIST_INVALID.
    """
    if not place.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    named = _rows_of_list(place) if place.is_file() else _sub_folders(place)
    if not named:
        raise SegmentationError("COHORT_EMPTY")
    return [_pair(number, name, found) for number, (name, found) in enumerate(named, start=1)]


Found = dict[str, list[Path]]
"""Paths by the column of a list."""


def _sub_folders(place: Path) -> list[tuple[str, Found]]:
    folders = sorted((path for path in _visible(place) if path.is_dir()), key=lambda path: path.name)
    return [(folder.name, _in_folder(folder)) for folder in folders]


def _in_folder(folder: Path) -> Found:
    found: Found = {}
    for path in sorted(_visible(folder)):
        word = _WORD.match(path.name.casefold())
        side = _WORDS.get(word[0]) if word is not None else None
        if side is not None and (path.is_dir() or not path.name.lower().endswith(_NO_IMAGES)):
            found.setdefault(side, []).extend([path] if side == _CT else _single_file(path))
    return found


def _single_file(path: Path) -> list[Path]:
    """What a planning system exports often has a folder of its own."""
    return sorted(_visible(path)) if path.is_dir() else [path]


def _visible(folder: Path) -> Iterable[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _rows_of_list(place: Path) -> list[tuple[str, Found]]:
    rows = rows_of_list(place, COLUMNS, "COHORT_LIST_INVALID")
    return [((row["name"] or "").strip(), _in_row(row, place.parent)) for row in rows if any(row.values())]


def _in_row(row: dict[str, str], folder: Path) -> Found:
    return {side: [folder / row[side].strip()] for side in COLUMNS[1:] if (row[side] or "").strip()}


def _pair(number: int, name: str, found: Found) -> Pair:
    missing = [side for side in (_OURS, _THEIRS) if not found.get(side)]
    several = [side for side in COLUMNS[1:] if len(found.get(side, ())) > 1]
    problem = None
    if missing:
        problem = SegmentationError("COHORT_PAIR_INCOMPLETE", detail=" and ".join(missing))
    elif several:
        problem = SegmentationError("COHORT_PAIR_AMBIGUOUS", detail=" and ".join(several))
    if problem is not None:
        return Pair(number, name, problem=problem)
    return Pair(number, name, *(found[side][0] if side in found else None for side in COLUMNS[1:]))
