"""Compresses with gzip on several threads, into one ordinary gzip member that every reader takes.

Pieces of the data are deflated independently and end on a byte boundary, so that joining them gives one valid stream
(RFC 1951, 3.2.4); the checksum runs over the whole (RFC 1952). zlib lets other threads run while it works.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

_PIECE_BYTES = 4 << 20
"""Large enough that the restart of the dictionary costs nothing that counts."""
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""No name and no time: the same data give the same bytes."""


def write_gzip(
    stream: BinaryIO,
    parts: Iterable[bytes | memoryview],
    level: int,
    check_cancelled: Callable[[], None] = lambda: None,
) -> None:
    """Writes ``parts`` one after the other as one gzip member; ``check_cancelled`` is called now and then, it may
    raise."""
    threads = min(os.cpu_count() or 1, 8)
    checksum = length = 0
    waiting: deque[Future[bytes]] = deque()
    stream.write(_HEADER)
    with ThreadPoolExecutor(threads, thread_name_prefix="gzip") as pool:
        for piece in _pieces(parts):
            check_cancelled()
            waiting.append(pool.submit(_deflate, piece, level))
            checksum, length = zlib.crc32(piece, checksum), length + len(piece)
            if len(waiting) > threads:
                stream.write(waiting.popleft().result())
        for finished in waiting:
            stream.write(finished.result())
    stream.write(zlib.compressobj(level, wbits=-15).flush())  # the empty last block
    stream.write(struct.pack("<II", checksum, length & 0xFFFFFFFF))


def _pieces(parts: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for part in parts:
        data = memoryview(part).cast("B")
        for start in range(0, len(data), _PIECE_BYTES):
            yield data[start : start + _PIECE_BYTES]


def _deflate(piece: memoryview, level: int) -> bytes:
    compressor = zlib.compressobj(level, wbits=-15)
    return compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
