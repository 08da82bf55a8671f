"""Lists of CTs: CSV with the column path and, if wanted, series; JSON with the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.csv_table import read_csv

SUFFIXES = (".csv", ".json")


@dataclass(frozen=True)
class ListRow:
    path: Path
    series: str | None = None
    """As the option --series of the command ``segment``."""


def read_list(path: Path) -> list[ListRow]:
    """Paths that are not absolute are relative to the list's folder. JSON: a list of paths, or of objects with "path"
    and "series". Raises SegmentationError("BATCH_LIST_INVALID")."""
    try:
        if path.suffix.lower() == ".csv":
            rows: list[Any] = read_csv(path, ("path",))
        else:
            rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise SegmentationError("BATCH_LIST_INVALID", file=path.name, detail="it is not text in UTF-8") from None
    except ValueError as error:
        is_csv = path.suffix.lower() == ".csv"
        detail = "the column path is missing, or it is no CSV" if is_csv else "it is no JSON"
        raise SegmentationError("BATCH_LIST_INVALID", file=path.name, detail=detail) from error
    except OSError as error:
        raise SegmentationError("INPUT_UNREADABLE", file=path.name) from error
    if not isinstance(rows, list):
        raise SegmentationError("BATCH_LIST_INVALID", file=path.name, detail="it is no list")
    return [_row(row, number, path) for number, row in enumerate(rows, start=1)]


def is_list(path: Path) -> bool:
    """False for JSON with one object, such as BIDS and dcm2niix put beside an image; True for what cannot be read:
    ``read_list`` says why."""
    if path.suffix.lower() != ".json":
        return True
    try:
        return not isinstance(json.loads(path.read_text(encoding="utf-8-sig")), dict)
    except (OSError, ValueError):
        return True


def _row(row: Any, number: int, path: Path) -> ListRow:
    fields = {"path": row} if isinstance(row, str) else row
    name = fields.get("path") if isinstance(fields, dict) else None
    series = fields.get("series") if isinstance(fields, dict) else None
    if not isinstance(name, str) or not name.strip() or not isinstance(series, (str, type(None))):
        raise SegmentationError("BATCH_LIST_INVALID", file=path.name, detail=f"row {number} has no path")
    return ListRow(path.parent / name.strip(), (series or "").strip() or None)
