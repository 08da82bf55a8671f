"""Room on the disk, and whether a folder can be written to."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError


def require_space(folder: Path, needed_bytes: int) -> None:
    """``folder`` may be missing yet. Raises SegmentationError("DISK_FULL")."""
    free = free_bytes(folder)
    if free is not None and free < needed_bytes:
        raise SegmentationError("DISK_FULL", needed_mb=needed_bytes / 1e6, free_mb=free / 1e6)


def free_bytes(folder: Path) -> int | None:
    """Of the disk that the folder is on, or will be; None where that cannot be told."""
    try:
        return shutil.disk_usage(existing_parent(folder)).free
    except OSError:
        return None


def existing_parent(folder: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def require_writable(folder: Path, purpose: str) -> None:
    """Makes the folder and tries to write into it: rights tell less than an attempt, above all on Windows.

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
