"""Where the voxels of an image lie in its files, and reading them whole or not at all."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.payloads.streams import HIGHEST_RATIO, NONE, CheckedStream, DamagedStreamError

AT_THE_END = -1
"""As Part.offset: the voxels are the last bytes of the file."""

TOO_SHORT = "it is too short for the voxels that its header states"
TOO_LONG = "it holds more voxels than its header states"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A file, or what follows a header, with voxels one after the other."""

    path: Path
    offset: int = 0
    """Bytes of the file before the stream, or AT_THE_END."""
    compression: str = NONE
    skip: int = 0
    """Decompressed bytes before the voxels."""
    lines: int = 0
    """Lines between ``offset`` and the stream."""


@dataclass(frozen=True)
class Payload:
    """The voxels of an image; its ``parts`` hold equal shares, in order."""

    parts: tuple[Part, ...]
    is_big_endian: bool = False
    stated_bytes: int | None = None
    """Of all voxels as they are stored, where that is not what the image library makes of them: a library must read
    the file then, once it is known to be whole."""


def damaged(path: Path, detail: str) -> SegmentationError:
    """``detail``: what is wrong, as the end of a sentence."""
    _log.error("a file is damaged: %s", detail)
    return SegmentationError("INPUT_DAMAGED", file=path.name, detail=detail)


@dataclass(frozen=True)
class Layers:
    """What a file holds behind its voxels where a size in its header is too small, which shuffles the voxels too."""

    sizes: tuple[int, ...]
    """Along the three axes, as stated."""
    bytes_per_voxel: int

    def are_in(self, left: int, left_without_zeros: int) -> bool:
        """True where whole layers follow, or more than filling; zeros of any other length are filling."""
        counts = (int(np.prod(self.sizes, dtype=object)) // size * self.bytes_per_voxel for size in self.sizes)
        layers = sorted(counts)
        return left_without_zeros >= layers[0] or (left > 0 and any(left % layer == 0 for layer in layers))


def read_payload(payload: Payload, count: int, layers: Layers | None = None) -> np.ndarray:
    """``count`` bytes of voxels, uint8, shape (count,). Every stream is read to its end.

    ``layers``: given where the voxels follow their header in one file, and nothing follows them.

    Raises SegmentationError("INPUT_DAMAGED") where there are fewer bytes or layers of voxels more, or a checksum does
    not fit.
    """
    each, rest = divmod(count, len(payload.parts))
    if rest or not each:
        raise damaged(payload.parts[0].path, "its list of data files does not match its size")
    for part in payload.parts:
        _check_length(part, each)
    voxels = np.empty(count, dtype=np.uint8)
    for number, part in enumerate(payload.parts):
        _read_part(part, memoryview(voxels)[number * each : (number + 1) * each], layers)
    return voxels


def check_payload(payload: Payload) -> None:
    """As ``read_payload`` for a library that reads the voxels itself. Raises SegmentationError("INPUT_DAMAGED")."""
    each = (payload.stated_bytes or 0) // len(payload.parts)
    for part in payload.parts:
        _check_length(part, each)
        if part.compression != NONE:
            read_payload(Payload((part,)), each)


def check_parts(payload: Payload) -> None:
    """Raises SegmentationError("INPUT_DAMAGED") for a file that is missing."""
    for part in payload.parts:
        _check_length(part, 0)


def check_possible(path: Path, compression: str, size: int, count: int) -> None:
    """Before memory is taken for ``count`` bytes that ``size`` bytes of a file are said to hold.

    Raises SegmentationError("INPUT_DAMAGED").
    """
    if count > size * HIGHEST_RATIO[compression]:
        raise damaged(path, TOO_SHORT)


def _check_length(part: Part, count: int) -> None:
    try:
        size = part.path.stat().st_size
    except OSError:
        raise damaged(part.path, "it is missing or cannot be opened") from None
    check_possible(part.path, part.compression, size - max(part.offset, 0), count)


def _read_part(part: Part, target: memoryview, layers: Layers | None) -> None:
    try:
        with ExitStack() as files:
            source = files.enter_context(part.path.open("rb"))
            source.seek(part.offset if part.offset != AT_THE_END else part.path.stat().st_size - len(target))
            for _ in range(part.lines):
                source.readline()
            stream = CheckedStream(source, part.compression)
            skipped = stream.read(part.skip) if part.skip else b""
            found = stream.read_into(target)
            rest = stream.finish() if part.compression != NONE or layers is not None else (0, 0)
    except DamagedStreamError as error:
        raise damaged(part.path, str(error)) from None
    except OSError:
        raise damaged(part.path, "it cannot be read to its end") from None
    if len(skipped) < part.skip or found < len(target):
        raise damaged(part.path, TOO_SHORT)
    if layers is not None and layers.are_in(*rest):
        raise damaged(part.path, TOO_LONG)
