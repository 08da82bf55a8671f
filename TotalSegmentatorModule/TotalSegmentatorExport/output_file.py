"""Writes a file under a temporary name beside it: under its own name it appears only when it is complete."""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from TotalSegmentatorWire.errors import SegmentationError

_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def complete_file(path: Path, needed_bytes: int) -> Iterator[BinaryIO]:
    """An open binary file that becomes ``path``, replacing a file of that name, when the block ends without an error.

    ``needed_bytes`` is what the file will have, for the message about a full disk. Whatever happens, no other file
    stays behind. Raises SegmentationError: DISK_FULL, OUTPUT_NOT_WRITABLE, and what the block raises.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with told_as_output_error(path.parent, needed_bytes):
            with temporary.open("xb") as stream:
                yield stream
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def told_as_output_error(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Turns the operating system's errors into DISK_FULL and OUTPUT_NOT_WRITABLE."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            free_mb = shutil.disk_usage(folder).free / 1e6
            raise SegmentationError("DISK_FULL", needed_mb=needed_bytes / 1e6, free_mb=free_mb) from error
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
