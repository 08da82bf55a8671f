"""A small file in the output folder that lasts as long as a run on a cluster: workers that do not find it do not see
the same folder, and where it goes the run has been stopped."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.process_identity import is_alive, read_identity, this_process, write_identity

from TotalSegmentatorEngine.imaging.atomic_file import disk_errors

_SUFFIX = ".dask-run"
LOOK_SECONDS = 1.0
"""Between two looks of a worker: the folder lies on a file server."""


@contextmanager
def run_mark(private_folder: Path) -> Iterator[Path]:
    """The mark of this run inside the block; those of runs that were killed on this computer are removed.

    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    with disk_errors(private_folder):
        for other in private_folder.glob("*" + _SUFFIX):
            owner = read_identity(other)
            if owner is not None and not is_alive(owner):
                other.unlink(missing_ok=True)
        mark = private_folder / (secrets.token_hex(8) + _SUFFIX)
        write_identity(mark, this_process())
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


class MarkWatch:
    """On a worker: whether the run goes on."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        self._looked_at = time.monotonic()
        self._has_ended = not mark.exists()

    def has_ended(self) -> bool:
        """Cheap: looks once a second."""
        if not self._has_ended and time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._has_ended = not self._mark.exists()
            self._looked_at = time.monotonic()
        return self._has_ended

    def check(self) -> None:
        """Raises SegmentationError("CANCELLED") where the run was stopped."""
        if self.has_ended():
            raise SegmentationError("CANCELLED")
