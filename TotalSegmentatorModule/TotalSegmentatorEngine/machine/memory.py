"""The memory of this machine, what this process may still take of it, and what it holds.

psutil knows the machine and the process; limits of cgroups and of the process itself (ulimit) are read here.
The functions import it, not the module: the command line runs without any package until the set-up has installed them.
"""

from __future__ import annotations

import ctypes
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

logger = logging.getLogger(__name__)

_UNLIMITED = 2**60
"""Larger than any machine: how cgroups of version 1 say that there is no limit (2**63 less a page)."""
LARGEST_NETWORK_COUNT = 6
"""So many networks stay in memory for the next job, and more while one model has more parts: the most parts that a
published model has, and the coarse model that localizes."""
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_VERSION_2 = (("memory.max", "memory.high"), "memory.current")
_VERSION_1 = (("memory.limit_in_bytes",), "memory.usage_in_bytes")
"""Files of a cgroup's limits and of its use. Above memory.high the system slows a process down to a standstill."""


def available_memory() -> int | None:
    """Bytes that this process may still take without swapping or meeting a limit; None where that is unknown."""
    return _smallest(_known(_free_memory), _known(_left_in_cgroups), _known(_below_resource_limits))


def memory_short(needed: int | None = None, free: int | None = None) -> SegmentationError:
    """The error to raise; both in bytes. Where nobody knows what was needed, more than there is."""
    free = (available_memory() or 0) if free is None else free
    if needed is None:
        needed = free + (resident_memory() or 0)
    return SegmentationError("MEMORY_SHORT", needed_gb=needed / 1e9, free_gb=free / 1e9)


def installed_memory() -> int | None:
    """Bytes of the machine itself; None where that is unknown."""
    import psutil

    return _known(lambda: psutil.virtual_memory().total)


def resident_memory() -> int | None:
    """Bytes of this process that are in memory now; None where that is unknown."""
    import psutil

    return _known(lambda: psutil.Process().memory_info().rss)


def _smallest(*sizes: int | None) -> int | None:
    """Of those that are known, and no less than 0: a limit may have been lowered below what is used."""
    known = [size for size in sizes if size is not None]
    return max(0, min(known)) if known else None


def _known(ask: Callable[[], int | None]) -> int | None:
    import psutil

    try:
        return ask()
    except (OSError, ValueError, NotImplementedError, psutil.Error) as error:
        logger.info("an amount of memory is unknown: %s", type(error).__name__)
        return None


def _free_memory() -> int:
    import psutil

    free = psutil.virtual_memory().available
    return min(free, _windows_commit_left()) if sys.platform == "win32" else free


# -- Linux -------------------------------------------------------------------------------------------------------------


def _kilobytes(path: Path, name: str) -> int | None:
    """Bytes of a line such as "MemAvailable:  8388608 kB"."""
    match = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _left_in_cgroups() -> int | None:
    """What the limits on the process leave: in its own cgroup and in those above it, of versions 2 and 1."""
    return _smallest(*(_left_in(folder, *names) for folder, *names in _cgroups()))


def _cgroups() -> Iterator[tuple[Path, tuple[str, ...], str]]:
    """Folders that may hold limits on this process, and the names of the files in them."""
    for line in _lines(PROC / "self" / "cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            roots, names = (CGROUPS, CGROUPS / "unified"), _VERSION_2
        elif "memory" in controllers.split(","):
            roots, names = (CGROUPS / "memory",), _VERSION_1
        else:
            continue
        for root in roots:
            for folder in _upwards(root, path):
                yield (folder, *names)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """A cgroup's folder and those above it. In a container the path may be the host's, which is not there: then the
    root alone is."""
    names = [name for name in path.split("/") if name not in ("", ".", "..")]
    for depth in range(len(names), -1, -1):
        yield root.joinpath(*names[:depth])


def _left_in(folder: Path, limit_names: tuple[str, ...], used_name: str) -> int | None:
    """Limit minus use of one cgroup; None without a limit. Cached file contents count as used, but the system gives
    them up."""
    limits = [_number(folder / name) for name in limit_names]
    limit = min((limit for limit in limits if limit is not None and limit < _UNLIMITED), default=None)
    used = None if limit is None else _number(folder / used_name)
    if used is None:
        return None
    # in version 1 the first number is without the cgroups below; use and limit are with them
    reclaimable = [re.match(r"(?:total_)?inactive_file (\d+)", line) for line in _lines(folder / "memory.stat")]
    return limit - used + max((int(match.group(1)) for match in reclaimable if match), default=0)


def _number(path: Path) -> int | None:
    """What the file holds; None for "max" and where there is no such file."""
    text = " ".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _below_resource_limits() -> int | None:
    """What the process's own limits on its data and its address space leave (ulimit -d and -v); None without one."""
    if not sys.platform.startswith("linux"):
        return None
    import resource

    left = []
    for kind, name in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        soft, _hard = resource.getrlimit(kind)
        used = _kilobytes(PROC / "self" / "status", name)
        if soft != resource.RLIM_INFINITY and used is not None:
            left.append(soft - used)
    return _smallest(*left)


# -- Windows (not run by the authors) ----------------------------------------------------------------------------------


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("dwLength", ctypes.c_uint32),
        ("dwMemoryLoad", ctypes.c_uint32),
        ("ullTotalPhys", ctypes.c_ulonglong),
        ("ullAvailPhys", ctypes.c_ulonglong),
        ("ullTotalPageFile", ctypes.c_ulonglong),
        ("ullAvailPageFile", ctypes.c_ulonglong),
        ("ullTotalVirtual", ctypes.c_ulonglong),
        ("ullAvailVirtual", ctypes.c_ulonglong),
        ("ullAvailExtendedVirtual", ctypes.c_ulonglong),
    )


def _windows_commit_left() -> int:
    """What may still be committed to memory and page files together, which psutil does not say."""
    status = _MemoryStatus(dwLength=ctypes.sizeof(_MemoryStatus))
    if not ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("GlobalMemoryStatusEx")
    return status.ullAvailPageFile
