"""A file appears under its name only when it is complete: it is written beside it, which goes whatever happens."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from TotalSegmentatorWire.disk_space import disk_full, is_disk_full, require_space
from TotalSegmentatorWire.errors.problem import SegmentationError

SECONDS_BETWEEN_CHECKS = 0.2
_SPARE_BYTES = 16 << 20  # for the header, the events and the log beside the labels


def check_place(path: Path) -> None:
    """Raises SegmentationError("OUTPUT_NOT_WRITABLE") where no file ``path`` can be made."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise SegmentationError("OUTPUT_NOT_WRITABLE")


@contextmanager
def atomic_file(path: Path, needed_bytes: int | None = None) -> Iterator[BinaryIO]:
    """A stream whose content becomes ``path``, replacing a file of that name, unless the block raises.

    ``needed_bytes`` is only reported where the disk turns out to be full. The stream's name is the temporary file's.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, for every OSError of the block.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    with disk_errors(path.parent, needed_bytes):
        try:
            with temporary.open("xb") as stream:
                yield stream
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def scratch_file(folder: Path) -> Iterator[BinaryIO]:
    """A file in ``folder`` to write to and to read from, gone after the block."""
    temporary = folder / f".{secrets.token_hex(8)}.part"
    with disk_errors(folder):
        try:
            with temporary.open("x+b") as stream:
                yield stream
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def disk_errors(folder: Path, needed_bytes: int | None = None) -> Iterator[None]:
    """Turns the operating system's errors of writing into ``folder`` into ours, without its paths."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(folder, needed_bytes) from error
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error


class WatchedStream:
    """A stream that asks now and then whether to stop, for libraries that write for seconds without asking."""

    def __init__(self, stream: BinaryIO, check_cancelled: Callable[[], None]) -> None:
        self._stream = stream
        self._check_cancelled = check_cancelled
        self._checked = time.monotonic()

    def write(self, data: bytes) -> int:
        if time.monotonic() - self._checked >= SECONDS_BETWEEN_CHECKS:
            self._check_cancelled()
            self._checked = time.monotonic()
        return self._stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def check_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raises SegmentationError("DISK_FULL") when fewer than ``needed_bytes`` and some spare are free at ``folder``."""
    require_space(folder, needed_bytes + _SPARE_BYTES)
