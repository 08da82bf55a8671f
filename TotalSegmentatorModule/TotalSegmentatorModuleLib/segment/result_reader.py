"""Finished results: reading one into memory in small steps, listing and removing those that wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.job_folder import RESULT_HEADER, RESULT_LABELS, read_owner, results_folder
from TotalSegmentatorWire.messages.segment import ResultHeader, result_header_from_json
from TotalSegmentatorWire.process_identity import is_alive, this_process

_CHUNK_BYTES = 2 << 20


class DamagedResultError(Exception):
    """The files of a result are missing or do not fit each other."""


def read_result_header(folder: Path) -> ResultHeader:
    """The header of the result in ``folder``. Raises DamagedResultError."""
    try:
        header = result_header_from_json((folder / RESULT_HEADER).read_text(encoding="utf-8"))
        size = (folder / RESULT_LABELS).stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedResultError(type(error).__name__) from error
    if len(header.shape) != 3 or size != int(np.prod(header.shape)):
        raise DamagedResultError("size")
    return header


def waiting_results(work_folder: Path) -> list[ResultHeader]:
    """Results that were never imported or declined, oldest first; not those of another Slicer that is running."""
    waiting = []
    folder = results_folder(work_folder)
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        owner = read_owner(entry)
        if owner is not None and owner != this_process() and is_alive(owner):
            continue
        try:
            header = read_result_header(entry)
        except DamagedResultError:
            continue  # swept when it is old
        if header.job_id == entry.name:
            waiting.append(header)
    return sorted(waiting, key=lambda header: header.created)


class ResultReader:
    """Reads labels.raw into the array that ``allocate`` gives, a step at a time.

    Raises DamagedResultError when made, if the result is not complete.
    """

    def __init__(
        self,
        folder: Path,
        allocate: Callable[[tuple[int, int, int]], np.ndarray],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.header = read_result_header(folder)
        self._allocate = allocate
        self._clock = clock
        self._position = 0
        self._stream = None
        self._target = memoryview(b"")
        self._bytes = int(np.prod(self.header.shape))
        self.labels: np.ndarray | None = None

    @property
    def fraction(self) -> float:
        """0..1 of the labels read."""
        return self._position / self._bytes if self._bytes else 0.0

    def step(self, seconds: float) -> bool:
        """Read for about ``seconds``; True when all labels are there. Raises OSError, DamagedResultError."""
        deadline = self._clock() + seconds
        if self._stream is None:
            self._begin()
        while self._position < self._bytes:
            count = self._stream.readinto(self._target[self._position : self._position + _CHUNK_BYTES])
            if not count:
                raise DamagedResultError("short")
            self._position += count
            if self._clock() >= deadline:
                break
        if self._position < self._bytes:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Let go of the file and of the array's buffer."""
        self._target = memoryview(b"")
        if self._stream is not None:
            self._stream.close()

    def _begin(self) -> None:
        labels = self._allocate(tuple(self.header.shape))
        if labels.dtype != np.uint8 or labels.shape != tuple(self.header.shape) or not labels.flags.c_contiguous:
            raise TypeError("allocate_labels must give a C-contiguous uint8 array of the shape asked for")
        self.labels = labels
        self._target = memoryview(labels).cast("B")
        self._stream = (self.folder / RESULT_LABELS).open("rb", buffering=0)
