"""How much memory this computer has."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows (sysinfoapi.h)."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "free", "pages", "free_pages", "virtual", "free_virtual")),
        ("extended", ctypes.c_ulonglong),
    )


@cache
def memory_bytes() -> int | None:
    """All memory that is built in, in bytes; None where the system does not tell."""
    if sys.platform == "win32":
        status = _windows_status()
        return None if status is None else status.total
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def free_memory_bytes() -> int | None:
    """On Windows, what is free, in bytes (not run by the authors); None elsewhere."""
    status = _windows_status() if sys.platform == "win32" else None
    return None if status is None else status.free


def _windows_status() -> _MemoryStatus | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    return status if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
