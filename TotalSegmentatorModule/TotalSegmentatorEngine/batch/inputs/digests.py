"""The digest of a CT's files: the same for the same bytes, whatever the files are called and wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

_BLOCK_BYTES = 1 << 20
_START_BYTES = 1024
"""Every format has its name or sizes there; DICOM begins with 128 zeros (PS3.10, 7.1)."""


def input_digest(files: Sequence[tuple[Path, Sequence[int]]]) -> str:
    """SHA-256 in hexadecimal over the sorted digests of the files. A file comes with those of its frames that belong to
    the CT, none where all do. Raises OSError."""
    parts = sorted(_digest_of(path) + _frames(frames) for path, frames in files)
    return hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()


def stamp_of(files: Collection[tuple[Path, Sequence[int]]]) -> str:
    """Digest of what the file system says of the files: where it is the same, their bytes are. Raises OSError."""
    total = hashlib.sha256()
    for path, frames in sorted(files, key=lambda file: str(file[0])):
        status = path.stat()
        line = f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}{_frames(frames)}\n"
        total.update(line.encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def is_blank(files: Iterable[Path]) -> bool:
    """Whether all are empty or begin with zeros only, so that their digest tells nothing. Raises OSError."""
    return not any(any(_start_of(path)) for path in files)


def _start_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_START_BYTES)


def _digest_of(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            total.update(block)
    return total.hexdigest()


def _frames(frames: Sequence[int]) -> str:
    return ":" + ",".join(map(str, sorted(frames))) if frames else ""
