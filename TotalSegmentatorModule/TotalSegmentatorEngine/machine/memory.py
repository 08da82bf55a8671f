"""What memory this machine has, what this process may still take of it, and what it holds."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

logger = logging.getLogger(__name__)

_UNLIMITED = 2**60
"""Larger than any machine: how cgroups of version 1 say that there is no limit (2**63 less a page)."""
_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_VERSION_2 = (("memory.max", "memory.high"), "memory.current")
_VERSION_1 = (("memory.limit_in_bytes",), "memory.usage_in_bytes")
"""Files of a cgroup's limits and of its use. Above memory.high the system slows a process down to a standstill."""


def available_memory() -> int | None:
    """Bytes that this process may still take without swapping or meeting a limit; None where the system does not
    tell."""
    return _smallest(_told(_free_memory), _told(_left_in_cgroups), _told(_below_resource_limits))


def memory_short(needed: int | None = None, free: int | None = None) -> SegmentationError:
    """The error to raise; both in bytes. Where nobody knows what was needed, more than there is."""
    free = (available_memory() or 0) if free is None else free
    if needed is None:
        needed = free + (resident_memory() or 0)
    return SegmentationError("MEMORY_SHORT", needed_gb=needed / 1e9, free_gb=free / 1e9)


def installed_memory() -> int | None:
    """Bytes of the machine itself."""
    return _told(_installed)


def resident_memory() -> int | None:
    """Bytes of this process that are in memory now; None where the system does not tell."""
    return _told(_resident)


def _smallest(*sizes: int | None) -> int | None:
    """Of those that are known, and no less than 0: a limit may have been lowered below what is used."""
    known = [size for size in sizes if size is not None]
    return max(0, min(known)) if known else None


def _told(ask: Callable[[], int | None]) -> int | None:
    try:
        return ask()
    except (OSError, ValueError, KeyError, AttributeError, subprocess.SubprocessError) as error:
        logger.info("memory cannot be told (%s): %s", ask.__name__, type(error).__name__)
        return None


def _free_memory() -> int | None:
    if sys.platform.startswith("linux"):
        return _kilobytes(_PROC / "meminfo", "MemAvailable")
    if sys.platform == "darwin":
        return _macos_available()
    if sys.platform != "win32":
        return None
    status = _windows_status()
    return min(status.ullAvailPhys, status.ullAvailPageFile)  # the second: what may be committed, memory and page files


def _installed() -> int | None:
    if sys.platform.startswith("linux"):
        return _kilobytes(_PROC / "meminfo", "MemTotal")
    if sys.platform == "darwin":
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "hw.memsize"], capture_output=True, text=True, timeout=5, check=True
        )
        return int(answer.stdout)
    return _windows_status().ullTotalPhys if sys.platform == "win32" else None


def _resident() -> int | None:
    if sys.platform.startswith("linux"):
        return _kilobytes(_PROC / "self" / "status", "VmRSS")
    if sys.platform == "darwin":
        answer = subprocess.run(
            ["/bin/ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, timeout=5, check=True
        )
        return int(answer.stdout) * 1024
    return _windows_counters().WorkingSetSize if sys.platform == "win32" else None


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
    for line in _lines(_PROC / "self" / "cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            roots, names = (_CGROUPS, _CGROUPS / "unified"), _VERSION_2
        elif "memory" in controllers.split(","):
            roots, names = (_CGROUPS / "memory",), _VERSION_1
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
        used = _kilobytes(_PROC / "self" / "status", name)
        if soft != resource.RLIM_INFINITY and used is not None:
            left.append(soft - used)
    return _smallest(*left)


# -- macOS and Windows (not run by the authors) ------------------------------------------------------------------------


def _macos_available() -> int | None:
    """Free, inactive and purgeable pages by vm_stat."""
    answer = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, timeout=5, check=True).stdout
    page = re.search(r"page size of (\d+) bytes", answer)
    pages = sum(
        int(match.group(1))
        for name in ("free", "inactive", "speculative", "purgeable")
        if (match := re.search(rf"Pages {name}:\s+(\d+)\.", answer))
    )
    return pages * int(page.group(1)) if page and pages else None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("dwLength", ctypes.c_ulong),
        ("dwMemoryLoad", ctypes.c_ulong),
        ("ullTotalPhys", ctypes.c_ulonglong),
        ("ullAvailPhys", ctypes.c_ulonglong),
        ("ullTotalPageFile", ctypes.c_ulonglong),
        ("ullAvailPageFile", ctypes.c_ulonglong),
        ("ullTotalVirtual", ctypes.c_ulonglong),
        ("ullAvailVirtual", ctypes.c_ulonglong),
        ("ullAvailExtendedVirtual", ctypes.c_ulonglong),
    )


class _ProcessCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = (
        ("cb", ctypes.c_ulong),
        ("PageFaultCount", ctypes.c_ulong),
        ("PeakWorkingSetSize", ctypes.c_size_t),
        ("WorkingSetSize", ctypes.c_size_t),
        ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
        ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
        ("PagefileUsage", ctypes.c_size_t),
        ("PeakPagefileUsage", ctypes.c_size_t),
    )


def _windows_status() -> _MemoryStatus:
    status = _MemoryStatus()
    status.dwLength = ctypes.sizeof(_MemoryStatus)
    if not _windows_kernel().GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("GlobalMemoryStatusEx")
    return status


def _windows_counters() -> _ProcessCounters:
    counters = _ProcessCounters()
    counters.cb = ctypes.sizeof(_ProcessCounters)
    kernel = _windows_kernel()
    if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
        raise OSError("K32GetProcessMemoryInfo")
    return counters


@cache
def _windows_kernel() -> Any:
    """Of our own: types declared on ``ctypes.windll`` would hold for every other user of it, too."""
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong)
    return kernel
