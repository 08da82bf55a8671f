"""Compressed streams that are read to their ends, with their checksums compared.

Libraries stop where they have the bytes that they want: nibabel before the checksum, ITK's formats without looking at
it. A flipped bit then becomes other voxels without a word.

gzip ends with CRC-32 and length (RFC 1952), zlib with Adler-32 (RFC 1950); bzip2 has a CRC-32 in every block.
"""

from __future__ import annotations

import bz2
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

NONE, GZIP, ZLIB, BZIP2 = "none", "gzip", "zlib", "bzip2"

GZIP_MAGIC, BZIP2_MAGIC = b"\x1f\x8b", b"BZh"
_MAGIC = {GZIP: GZIP_MAGIC, BZIP2: BZIP2_MAGIC}
"""What a further member begins with, where there can be more than one."""

HIGHEST_RATIO = {NONE: 1, GZIP: 1032, ZLIB: 1032, BZIP2: 1_500_000}
"""A compressed file cannot hold more than its size times this. deflate: 258 bytes from 2 bits (zlib.net/zlib_tech);
bzip2: 45 MB of zeros become about 40 bytes."""

_COMPRESSED_BYTES, _BYTES = 1 << 18, 1 << 20
"""Read, and decompressed, at a time."""


class DamagedStreamError(Exception):
    """The text says what is wrong, as the end of a sentence."""


class CheckedStream:
    """The bytes of one stream in ``source``, from its position on. ``compression``: NONE, GZIP, ZLIB or BZIP2.

    As gzip itself does, members one after the other are one stream, zeros behind them are padding, and what is no
    member behind them is not looked at. Every method raises DamagedStreamError, and OSError where the disk fails.
    """

    def __init__(self, source: BinaryIO, compression: str) -> None:
        self._pieces = _plain(source) if compression == NONE else _decompressed(source, compression)
        self._left = memoryview(b"")

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer at the end."""
        data = bytearray(count)
        return bytes(data[: self.read_into(memoryview(data))])

    def read_into(self, target: memoryview) -> int:
        """Fills ``target``; returns how many bytes there were."""
        done = 0
        while done < len(target) and self._has_more():
            piece = self._left[: len(target) - done]
            target[done : done + len(piece)] = piece
            self._left = self._left[len(piece) :]
            done += len(piece)
        return done

    def finish(self) -> tuple[int, int]:
        """Reads on to the end, for its checksum; returns how many bytes were left, and how many without zeros
        at the end."""
        rest = used = 0
        while self._has_more():
            if last := len(bytes(self._left).rstrip(b"\0")):
                used = rest + last
            rest += len(self._left)
            self._left = memoryview(b"")
        return rest, used

    def _has_more(self) -> bool:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._left = memoryview(piece)
        return True


def compression_of(start: bytes) -> str:
    """GZIP or BZIP2 by the first bytes of a file, else NONE."""
    return next((kind for kind, magic in _MAGIC.items() if start.startswith(magic)), NONE)


def _plain(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(_BYTES):
        yield piece


def _decompressed(source: BinaryIO, compression: str) -> Iterator[bytes]:
    from isal import igzip_lib

    make: dict[str, Callable[[], Any]] = {
        GZIP: lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP),
        ZLIB: lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB),
        BZIP2: bz2.BZ2Decompressor,
    }
    compressed = source.read(_COMPRESSED_BYTES)
    while True:
        decompressor = make[compression]()
        while not decompressor.eof:
            data = b""
            if decompressor.needs_input:
                data, compressed = compressed or source.read(_COMPRESSED_BYTES), b""
                if not data:
                    raise DamagedStreamError("it ends too early")
            try:
                piece = decompressor.decompress(data, _BYTES)
            except (igzip_lib.error, OSError, ValueError, EOFError):
                raise DamagedStreamError("its compressed data are damaged") from None
            if piece:
                yield piece
        compressed = _next_member(decompressor.unused_data, source, compression)
        if not compressed:
            return


def _next_member(compressed: bytes, source: BinaryIO, compression: str) -> bytes:
    """The first bytes of the next member; none behind the last one."""
    magic = _MAGIC.get(compression)
    if magic is None:
        return b""
    while True:
        compressed = compressed.lstrip(b"\0")
        if len(compressed) >= len(magic):
            return compressed if compressed.startswith(magic) else b""
        more = source.read(_COMPRESSED_BYTES)
        if not more:
            return b""
        compressed += more
