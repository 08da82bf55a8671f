"""Room on a disk: how much is left, and the error that says when it is too little."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""The disk is full; the user's quota is (no such error on Windows)."""
_MORE_BYTES = 500e6
"""To ask for when a write failed and nobody knows what it needed: about a large CT's labels and events."""
_MB = 1e6


def is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def disk_full(folder: Path, needed_bytes: float | None = None) -> SegmentationError:
    """DISK_FULL to raise when ``needed_bytes`` had no room on the disk of ``folder``; None: nobody knows how many."""
    free = free_bytes(folder) or 0
    needed = free + _MORE_BYTES if needed_bytes is None else needed_bytes
    return SegmentationError("DISK_FULL", needed_mb=needed / _MB, free_mb=free / _MB)


def require_space(folder: Path, needed_bytes: float) -> None:
    """``folder`` may be missing yet. Raises SegmentationError("DISK_FULL")."""
    free = free_bytes(folder)
    if free is not None and free < needed_bytes:
        raise disk_full(folder, needed_bytes)


def free_bytes(folder: Path) -> int | None:
    """Of the disk that the folder is on, or will be; None where that is unknown."""
    try:
        return shutil.disk_usage(existing_parent(folder)).free
    except OSError:
        return None


def existing_parent(folder: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
