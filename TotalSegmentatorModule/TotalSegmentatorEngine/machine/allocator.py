"""Sets whether glibc's allocator is to keep the memory of large tensors between tiles.

PyTorch on a CPU allocates each layer's output anew. glibc returns such blocks to the system at once, which then hands
out every page again, zeroed: half of a tile's time. Kept blocks make a tile 1.8 times as fast and take nearly twice
the memory; so they are kept only while a network runs in PyTorch on a CPU. OpenVINO keeps its own memory.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, from glibc's malloc.h."""
_KEEP = 2**31 - 1
_GIVE_BACK = 32 * 1024**2
"""Where glibc's own thresholds end when a program has freed large blocks (mallopt(3), M_MMAP_THRESHOLD)."""


def keep_memory() -> None:
    """Blocks up to 2 GB that the main thread frees stay with the process. Does nothing where there is no glibc.

    Other threads have heaps of at most 64 MB each, so a network must run in the main thread to gain by this.
    """
    libc = glibc()
    if libc is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, _KEEP)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEEP)


def give_memory_back() -> None:
    """Free blocks go back to the system, now and from now on. Does nothing where there is no glibc."""
    libc = glibc()
    if libc is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, _GIVE_BACK)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * _GIVE_BACK)
        libc.malloc_trim(0)


def trim_memory() -> None:
    """Free blocks go back to the system, now. Does nothing where there is no glibc."""
    libc = glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def glibc() -> Any | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None
    except OSError:  # another C library, such as musl
        return None
