"""Voxels that cross to and from Slicer's side as they are: C order (k, j, i), little endian, described by a JSON file
beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

_CHUNK_BYTES = 8 << 20


def read_raw(
    path: Path, shape: tuple[int, ...], dtype: str, check_cancelled: Callable[[], None] = lambda: None
) -> np.ndarray:
    """The voxels in ``path``; their header says shape (k, j, i) and type, which must fit the file.

    ``check_cancelled`` is called between pieces of 8 MB, it may raise. Raises SegmentationError("BAD_REQUEST").
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
        voxels = np.empty(shape, dtype=voxel_type)
        data = memoryview(voxels.reshape(-1).view(np.uint8))
        with path.open("rb", buffering=0) as stream:
            done = 0
            while done < len(data):
                check_cancelled()
                count = stream.readinto(data[done : done + _CHUNK_BYTES])
                if not count:
                    raise SegmentationError("BAD_REQUEST", detail="the voxels do not match their header")
                done += count
    except (OSError, ValueError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from None
    return voxels


def write_raw(path: Path, layers: Sequence[np.ndarray], on_piece: Callable[[float], None]) -> None:
    """Writes uint8 ``layers`` one after the other; ``on_piece`` gets the done share 0..1 before each piece of 8 MB, it
    may raise. Raises OSError."""
    total, written = sum(labels.size for labels in layers), 0
    with path.open("wb", buffering=0) as stream:
        for labels in layers:
            data = memoryview(np.ascontiguousarray(labels).reshape(-1)).cast("B")
            for start in range(0, len(data), _CHUNK_BYTES):
                on_piece(written / total)
                written += stream.write(data[start : start + _CHUNK_BYTES])
