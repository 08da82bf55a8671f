"""Writes voxels as they are into a file, a little at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_CHUNK_BYTES = 1 << 20  # at most 5 ms on a slow disk; the number of chunks a step follows from the clock


class RawFile:
    """``write`` is called until it says True: C order, little endian. No array is kept between two calls, because the
    application may replace the voxels; it must have the same shape and type each time. Raises OSError."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stream = path.open("wb", buffering=0)
        self.position = 0
        """Bytes written."""

    def write(self, array: np.ndarray, deadline: float) -> bool:
        """Write until the clock says ``deadline``, at least one piece; True when the array is complete."""
        whole = memoryview(array).cast("B") if array.size and _is_plain(array) else None
        while self.position < array.nbytes:
            chunk = (
                whole[self.position : self.position + _CHUNK_BYTES]
                if whole is not None
                else _slice_bytes(array, self.position)
            )
            while len(chunk):
                written = self._stream.write(chunk)
                self.position += written
                chunk = chunk[written:]
            if self._clock() >= deadline:
                break
        return self.position >= array.nbytes

    def close(self) -> None:
        """What is written stays."""
        self._stream.close()


def _is_plain(array: np.ndarray) -> bool:
    return array.flags.c_contiguous and array.dtype == array.dtype.newbyteorder("<")


def _slice_bytes(array: np.ndarray, position: int) -> memoryview:
    """The rest, from byte ``position`` of the whole, of the slice that holds it: C order, little endian."""
    slice_bytes = array.nbytes // len(array)
    k, offset = divmod(position, slice_bytes)
    data = np.ascontiguousarray(array[k], dtype=array.dtype.newbyteorder("<"))
    return memoryview(data).cast("B")[offset:]
