"""Voxels that cross to and from Slicer's side as they are: C order (k, j, i), little endian, described by a JSON file
beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

_CHUNK_BYTES = 8 << 20


def read_raw(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The voxels in ``path``; their header says shape (k, j, i) and type, which must fit the file.

    Raises SegmentationError("BAD_REQUEST").
    """
    try:
        voxel_type = np.dtype(dtype).newbyteorder("<")
    except TypeError:
        raise SegmentationError("BAD_REQUEST", detail="the voxel type is unknown") from None
    if voxel_type.kind not in "iuf":
        raise SegmentationError("BAD_REQUEST", detail="the voxel type is not numeric")
    try:
        if path.stat().st_size != int(np.prod(shape)) * voxel_type.itemsize:
            raise SegmentationError("BAD_REQUEST", detail="the voxels do not match their header")
        return np.fromfile(path, dtype=voxel_type).reshape(shape)
    except (OSError, ValueError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from None


def write_raw(path: Path, labels: np.ndarray, check_cancelled: Callable[[], None]) -> None:
    """Writes uint8 ``labels``; ``check_cancelled`` is called between pieces of 8 MB, it may raise. Raises OSError."""
    data = memoryview(np.ascontiguousarray(labels).reshape(-1)).cast("B")
    with path.open("wb", buffering=0) as stream:
        for start in range(0, len(data), _CHUNK_BYTES):
            check_cancelled()
            stream.write(data[start : start + _CHUNK_BYTES])
