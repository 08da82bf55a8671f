"""Whether the memory is enough to read one CT and to finish another while the networks run on a third."""

from __future__ import annotations

import struct
from pathlib import Path

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_steps import CaseSteps
from TotalSegmentatorEngine.pipeline.cache import EngineCache

READING_BYTES = 10
"""A voxel, at most: the file's own bytes, its values before and after they are scaled, and those that are kept."""
FINISHING_BYTES = 16
"""A voxel: labels, what the review looks at of the largest structures, and what is written. Measured: 8.5."""
_STORED_BYTES = 2
"""Of a voxel of a CT as files have it."""
_LEAST_PACKING = 4
"""CTs take at least a quarter of their size when they are compressed without loss."""
_PACKED = (".gz", ".bz2", ".nrrd", ".mha")
"""Files of these kinds may be compressed."""


class OverlapMemory:
    """Bytes that are left beside the networks' run over ``present``; they are given out once."""

    def __init__(self, present: CaseSteps, cache: EngineCache) -> None:
        self._left = present.free_bytes(cache)

    def has_room_to_finish(self, behind: CaseSteps) -> bool:
        return self._take(FINISHING_BYTES * behind.voxels)

    def has_room_to_read(self, ahead: Case) -> bool:
        return self._take(READING_BYTES * voxels_at_most(ahead))

    def _take(self, count: int) -> bool:
        """Where nobody knows what is left, nothing is."""
        if self._left is None or count > self._left:
            return False
        self._left -= count
        return True


def voxels_at_most(case: Case) -> int:
    """An upper estimate from the sizes of the CT's files; 0 where they cannot be looked at, which reading will say."""
    try:
        if case.is_dicom:
            stored = sum((case.path / name).stat().st_size for name in case.files) * _LEAST_PACKING
        else:
            stored = _unpacked_bytes(case.path)
    except OSError:
        return 0
    return stored // _STORED_BYTES


def _unpacked_bytes(path: Path) -> int:
    size = path.stat().st_size
    if path.suffix == ".gz" and size >= 4:
        with path.open("rb") as stream:
            stream.seek(-4, 2)
            (told,) = struct.unpack("<I", stream.read(4))  # RFC 1952: the size modulo 2**32
        return max(told, size)
    return size * _LEAST_PACKING if path.suffix in _PACKED else size
