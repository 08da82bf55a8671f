"""Pieces of data in a folder, each compressed in a file that its digest names: what is there already is not written
again, and a file never changes."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

_SUFFIX = ".z"
_FASTEST = 1
"""Level of zlib: a hundredth of a label image's size at about 250 MB/s."""


class VoxelStore:
    """In ``folder``, which only its owner writes to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes | memoryview) -> str:
        """Keep ``data``; returns the digest under which it is read. Raises OSError."""
        digest = _digest(data)
        file = self._file(digest)
        if not file.exists():
            draft = file.with_suffix(".new")
            draft.write_bytes(zlib.compress(data, _FASTEST))
            draft.replace(file)
        return digest

    def read(self, digest: str) -> bytes:
        """Raises SegmentationError("REVIEW_DAMAGED") where it is missing or is not what was put."""
        try:
            data = zlib.decompress(self._file(digest).read_bytes())
        except (OSError, zlib.error) as error:
            raise SegmentationError("REVIEW_DAMAGED") from error
        if _digest(data) != digest:
            raise SegmentationError("REVIEW_DAMAGED")
        return data

    def keep_only(self, digests: Collection[str]) -> None:
        """Remove the files of all others. Raises OSError."""
        for file in self._folder.glob("*" + _SUFFIX):
            if file.stem not in digests:
                file.unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        return self._folder / (digest + _SUFFIX)


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()
