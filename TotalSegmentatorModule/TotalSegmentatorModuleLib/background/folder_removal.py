"""Removes folders a little at a time, so that the application never waits for the disk."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.job_folder import remove_folder

_STEP_BYTES = 64 << 20  # cutting so much off a file takes about 5 ms
_STEP_MS = 30
_GIVE_UP_SECONDS = 60.0  # then the folder is left to the sweep at the next start


class FolderRemoval:
    """A list of folders to remove. Those that cannot be removed yet (on Windows a process that was just killed still
    holds its log) are tried again with every step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._folders: dict[Path, float] = {}

    def add(self, folder: Path) -> None:
        self._folders.setdefault(folder, self._clock() + _GIVE_UP_SECONDS)

    def __contains__(self, folder: Path) -> bool:
        return folder in self._folders

    @property
    def is_busy(self) -> bool:
        return bool(self._folders)

    def step(self) -> int | None:
        """Remove one folder, or a part of its largest file.

        Returns for how many milliseconds the next step can wait, None when nothing is left.
        """
        for folder, give_up_at in list(self._folders.items()):
            if _shrink(folder):
                break
            if remove_folder(folder, attempts=1) or self._clock() >= give_up_at:
                del self._folders[folder]
                break
        return _STEP_MS if self._folders else None

    def finish(self) -> None:
        """Remove all at once; what cannot be removed is left to the next sweep."""
        for folder in self._folders:
            remove_folder(folder)
        self._folders.clear()


def _shrink(folder: Path) -> bool:
    """Cut a piece off a file that is too large to be removed in one go; False when there is none."""
    with contextlib.suppress(OSError):  # it will be removed whole, or tried again
        for path in folder.rglob("*"):
            size = path.lstat().st_size
            if path.is_file() and not path.is_symlink() and size > _STEP_BYTES:
                os.truncate(path, size - _STEP_BYTES)
                return True
    return False
