"""A lock between processes of one computer, so that two Slicers do not install the same thing into each other."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.process_identity import (
    is_alive,
    is_here,
    read_identity,
    this_process,
    write_identity,
)

_POLL_SECONDS = 0.2
_WRITING_SECONDS = 5.0
"""A lock file without a readable owner is being written; after so long its writer was killed."""

_OTHER_HOST_SECONDS = 7200.0
"""The owner may be of a computer that shares the folder, or of this one under another name, as Macs have in each
network: nobody installs for so long."""


class FolderLock:
    """``<folder>/.<name>.lock``, which holds the identity of its owner. A dead owner's lock is taken over."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / f".{name}.lock"
        self._is_held = False

    def acquire(self, wait_seconds: float, check_cancelled: Callable[[], None] = lambda: None) -> None:
        """Raises SegmentationError("SETUP_BUSY") after ``wait_seconds``, and what ``check_cancelled`` raises."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + wait_seconds
        while not self._take():
            check_cancelled()
            if time.monotonic() >= until:
                raise SegmentationError("SETUP_BUSY")
            time.sleep(_POLL_SECONDS)
        self._is_held = True

    @classmethod
    def remove_dead(cls, file: Path) -> None:
        """Removes the lock ``file`` of a process that has ended; that of a living one stays."""
        cls(file.parent, file.name[1:].removesuffix(".lock"))._remove_if_dead()

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._file.unlink(missing_ok=True)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _take(self) -> bool:
        # written under another name first: a lock file that is there has its owner in it
        draft = self._file.with_name(f"{self._file.name}-{os.getpid()}-{time.monotonic_ns()}")
        write_identity(draft, this_process())
        try:
            for _attempt in range(2):
                if self._link(draft):
                    return True
                if not self._remove_if_dead():
                    return False
            return False
        finally:
            draft.unlink(missing_ok=True)

    def _link(self, draft: Path) -> bool:
        """Makes the lock file if there is none. A link never replaces; disks without links get a file made anew."""
        try:
            os.link(draft, self._file)
            return True
        except FileExistsError:
            return False
        except OSError:
            with contextlib.suppress(FileExistsError), self._file.open("x", encoding="utf-8") as stream:
                stream.write(draft.read_text(encoding="utf-8"))
                return True
            return False

    def _remove_if_dead(self) -> bool:
        """True when the lock's owner has ended and its file is out of the way."""
        try:
            before = self._file.stat()
        except FileNotFoundError:
            return True
        age, owner = time.time() - before.st_mtime, read_identity(self._file)
        if owner is None:
            is_dead = age > _WRITING_SECONDS
        else:
            is_dead = not is_alive(owner) or (not is_here(owner) and age > _OTHER_HOST_SECONDS)
        if not is_dead:
            return False
        # renamed first: of two who found it dead one gets it, and a new owner's file is put back
        grave = self._file.with_name(f"{self._file.name}-dead-{os.getpid()}-{time.monotonic_ns()}")
        try:
            self._file.rename(grave)
        except OSError:
            return not self._file.exists()
        if (grave.stat().st_ino, grave.stat().st_mtime_ns) != (before.st_ino, before.st_mtime_ns):
            with contextlib.suppress(OSError):
                os.link(grave, self._file)
        grave.unlink(missing_ok=True)
        return True
