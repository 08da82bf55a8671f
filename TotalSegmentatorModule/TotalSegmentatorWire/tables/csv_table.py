"""Reads tables in CSV files."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path


def read_csv(path: Path, columns: Collection[str], errors: str = "strict") -> list[dict[str, str]]:
    """The rows by column, in their order. Raises OSError; ValueError where one of ``columns`` is missing or the file is
    not CSV in UTF-8. ``errors``: as for ``open``."""
    with path.open(encoding="utf-8", errors=errors, newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        try:
            rows = list(reader)
        except csv.Error as error:
            raise ValueError(f"{path.name}: {error}") from error
    missing = set(columns) - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"{path.name}: columns {sorted(missing)} are missing")
    return rows
