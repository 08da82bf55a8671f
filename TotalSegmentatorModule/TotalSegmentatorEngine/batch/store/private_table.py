"""Writes the tables in the private folder, which this user alone can read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from TotalSegmentatorEngine.imaging.atomic_file import atomic_file

_FILE_MODE = 0o600


def write_private_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """CSV in UTF-8; paths that are none keep their bytes. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    content = text.getvalue().encode("utf-8", "surrogateescape")
    with atomic_file(path, len(content)) as stream:
        os.chmod(stream.name, _FILE_MODE)  # noqa: PTH101 - the stream knows its name only as a text
        stream.write(content)
