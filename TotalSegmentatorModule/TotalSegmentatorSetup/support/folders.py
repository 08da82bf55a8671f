"""Whether a folder can be written to, and how much it holds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError


def require_writable(folder: Path, purpose: str) -> None:
    """Makes the folder and tries to write into it: an attempt shows more than access rights, above all on Windows.

    Raises SegmentationError("FOLDER_NOT_WRITABLE").
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise SegmentationError("FOLDER_NOT_WRITABLE", purpose=purpose) from error


def folder_bytes(folder: Path) -> int:
    """Of all files in it; those that vanish meanwhile do not count."""
    total = 0
    for parent, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - twice as fast
            except OSError:
                continue
    return total
