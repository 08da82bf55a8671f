"""``private/inputs.csv``: which CT has which id, and where it is. The only file of a run that holds paths and names.

It spares a later run the reading of whole files: where names, sizes and times of change are the same, the digest is.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from TotalSegmentatorWire.tables.csv_table import read_csv

from TotalSegmentatorEngine.batch.store.batch_folder import SUPERSEDED, BatchFolder
from TotalSegmentatorEngine.batch.store.private_table import write_private_table
from TotalSegmentatorEngine.imaging.atomic_file import disk_errors

INPUT_TABLE = "inputs.csv"


@dataclass(frozen=True)
class InputRow:
    id: str
    input_digest: str
    path: str
    """Absolute."""
    series: str
    """Series Instance UID; empty for an image file."""
    stamp: str
    """Digest of the names, sizes and times of change of the files."""
    patient_id: str = ""
    """This and the following only where the user wants to keep names."""
    patient_name: str = ""
    study_date: str = ""
    series_description: str = ""

    @property
    def place(self) -> tuple[str, str]:
        return self.path, self.series


_COLUMNS = tuple(column.name for column in fields(InputRow))


def read_inputs(folder: BatchFolder) -> list[InputRow]:
    """None in a new folder, and where the table cannot be read: ``record_inputs`` says so."""
    try:
        return _read(folder)
    except (OSError, ValueError):
        return []


def digests_by_stamp(rows: Iterable[InputRow]) -> Mapping[str, str]:
    return {row.stamp: row.input_digest for row in rows}


def record_inputs(folder: BatchFolder, found: Iterable[InputRow]) -> Path | None:
    """Adds what a run has found, in place of what was at the same places before. A folder whose headers could not be
    read was a place without a series; a series that is found there now takes it.

    Returns the new name of a table that could not be read and is begun anew, None else.
    A case that is nowhere any more, because its input has another content now, is marked; its results stay.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    new: dict[tuple[str, str], list[InputRow]] = defaultdict(list)
    for row in found:
        new[row.place].append(row)
    if not new:
        return None
    paths = {path for path, _ in new}
    with folder.claim("inputs"):
        old, aside = _read_or_put_aside(folder)
        kept = [row for row in old if row.place not in new and not (row.path in paths and not row.series)]
        rows = kept + [row for rows in new.values() for row in rows]
        _mark(folder, old, rows)
        if rows != old:
            _write(folder, rows)
    return aside


def _read(folder: BatchFolder) -> list[InputRow]:
    """Raises OSError, ValueError."""
    rows = read_csv(_file(folder), _COLUMNS, errors="surrogateescape")  # paths are bytes, in any encoding
    if any(row[name] is None for row in rows for name in _COLUMNS):
        raise ValueError("a row is cut off")
    return [InputRow(**{name: row[name] for name in _COLUMNS}) for row in rows]


def _read_or_put_aside(folder: BatchFolder) -> tuple[list[InputRow], Path | None]:
    """The rows; or none, and what the damaged table is called now: it is the only key from ids to CTs."""
    file = _file(folder)
    try:
        with disk_errors(file):
            return (_read(folder) if file.exists() else []), None
    except ValueError:
        aside = file.with_name(f"{file.name}.damaged")
        for number in itertools.count(2):
            if not aside.exists():
                break
            aside = file.with_name(f"{file.name}.damaged{number}")
        with disk_errors(file):
            file.rename(aside)
        return [], aside


def _mark(folder: BatchFolder, old: list[InputRow], rows: list[InputRow]) -> None:
    present = {row.id for row in rows}
    for case_id in {row.id for row in old} | present:
        mark = folder.case_folder(case_id) / SUPERSEDED
        if case_id in present:
            mark.unlink(missing_ok=True)
        elif mark.parent.is_dir():
            mark.touch()


def _write(folder: BatchFolder, rows: list[InputRow]) -> None:
    write_private_table(_file(folder), _COLUMNS, ([getattr(row, name) for name in _COLUMNS] for row in rows))


def _file(folder: BatchFolder) -> Path:
    return folder.private / INPUT_TABLE
