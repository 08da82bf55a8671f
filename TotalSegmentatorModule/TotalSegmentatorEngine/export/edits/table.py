"""The table of the edits of reviews, among the user's data: a row for each structure of each review.

It holds the month, the model and its version, the structure, the decision and the size of the edit; no patient, user,
day or time, and no name that somebody typed. A later sheet of the same result replaces the rows of its structures: for
that each row has a number that is made of the result's digest and a secret of this table.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from TotalSegmentatorWire.edits_file import secret_beside
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, disk_errors

OTHER = "other"
"""Stands for all structures that no label table has."""
OWN_MODEL = "own model"
"""Stands for all models that are not in the catalogue: their names are those that somebody gave a data set."""
REMOVED = "removed"
"""Decision on a computed structure of which nothing is left."""
_NUMBER_DIGITS = 8
_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class EditRow:
    """One structure of one review; numbers are None where nothing was edited or the computed structure was not kept."""

    month: str
    """YYYY-MM in which the sheet was made."""
    review: str
    model: str
    version: str
    """Of this program."""
    structure: str
    decision: str
    """A value of ReviewState, or REMOVED."""
    edited: bool
    dice: float | None = None
    """Of the structure now with the computed one, as all that follow."""
    computed_ml: float | None = None
    difference_ml: float | None = None
    added_path_mm: float | None = None


COLUMNS = tuple(field.name for field in fields(EditRow))
_NUMBERS = ("dice", "computed_ml", "difference_ml", "added_path_mm")


def review_number(file: Path, digest: str) -> str:
    """``digest``: what stays the same for all sheets of one result. Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
    place = secret_beside(file)
    with disk_errors(file.parent):
        if not place.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(place) as stream:
                stream.write(secrets.token_hex(16).encode("ascii"))
        secret = place.read_bytes()
    return hmac.new(secret, digest.encode("utf-8"), hashlib.sha256).hexdigest()[:_NUMBER_DIGITS]


def add_edits(file: Path, rows: Sequence[EditRow]) -> None:
    """``rows``: of one review. Other programs may write the file meanwhile.

    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, EDITS_UNREADABLE.
    """
    from filelock import FileLock, Timeout

    made = {(row.review, row.structure) for row in rows}
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(file.with_suffix(".lock"), timeout=_WAIT_SECONDS):
                kept = [row for row in read_edits(file) if (row.review, row.structure) not in made]
                content = _csv([*kept, *rows])
                with atomic_file(file, len(content)) as stream:
                    stream.write(content)
        except Timeout as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error


def read_edits(file: Path) -> list[EditRow]:
    """Empty where there is no table. Raises SegmentationError("EDITS_UNREADABLE")."""
    if not file.is_file():
        return []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return [_row(cells) for cells in csv.DictReader(stream, strict=True)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise SegmentationError("EDITS_UNREADABLE") from error


def _row(cells: dict[str, str]) -> EditRow:
    texts = {name: cells[name] for name in COLUMNS if name not in (*_NUMBERS, "edited")}
    numbers = {name: float(cells[name]) if cells[name] else None for name in _NUMBERS}
    return EditRow(**texts, edited=cells["edited"] == "yes", **numbers)


def _csv(rows: Iterable[EditRow]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(_cell(getattr(row, name)) for name in COLUMNS)
    return stream.getvalue().encode("utf-8")


def _cell(value: str | bool | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value if isinstance(value, str) else f"{value:.4f}"
