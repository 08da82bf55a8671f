"""How much memory a job will need and how much the machine has to give, judged before the job starts."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors import SegmentationError

from .model_folder import ModelFolder

logger = logging.getLogger(__name__)

ACTIVATION_COPIES = 8
"""Tensors of the finest stage's size that a U-Net holds at its peak on a CPU: skip, upsampled, their concatenation,
the convolution's input and output in the library's own order, the normalised output. Measured: 7.1 for the published
network of 1.5 mm (32 features, patch 128 cubed)."""
ACTIVATION_COPIES_WITH_ARENA = 13
"""The same where glibc's allocator keeps what it has got (see the worker's environment). Measured: 12.8."""

BUFFER_BYTES = 256 * 1024**2
"""Buffers of the libraries."""


def check_memory(needed: int, granted: int = 0) -> None:
    """Raises SegmentationError("MEMORY_SHORT") where ``needed`` bytes are more than the machine has to give.

    ``granted`` is what an earlier job of this process needed: memory that it may still hold and will use again.
    """
    free = available_memory()
    if free is None:
        return
    free += min(granted, _resident_bytes())
    if needed > free:
        raise memory_short(needed, free)


def memory_short(needed: int, free: int | None = None) -> SegmentationError:
    """The error to raise; both in bytes."""
    free = (available_memory() or 0) if free is None else free
    return SegmentationError("MEMORY_SHORT", needed_gb=needed / 1024**3, free_gb=free / 1024**3)


def _resident_bytes(statistics: Path = Path("/proc/self/statm")) -> int:
    """What this process holds; 0 on systems whose allocator gives memory back as soon as it is free."""
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return 0
    try:
        return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def estimated_bytes(
    ct_shape: Sequence[int],
    image_shape: Sequence[int],
    folder: ModelFolder,
    weights_are_loaded: bool = False,
    on_cpu: bool = True,
) -> int:
    """Peak memory of a job beyond the CT itself, in bytes.

    ``ct_shape`` is the CT's grid, ``image_shape`` the grid that the network sees; both in the same axes. On a
    GPU the network's own tensors are not in the machine's memory.
    """
    ct, image, patch = math.prod(ct_shape), math.prod(image_shape), math.prod(folder.patch_size)
    outputs = len(folder.labels) + 1
    padded = [
        max(size, length) for size, length in zip(_network_axes(image_shape, folder), folder.patch_size, strict=True)
    ]
    ring = 4 * outputs * folder.patch_size[0] * padded[1] * padded[2]
    copies = ACTIVATION_COPIES_WITH_ARENA if "MALLOC_MMAP_THRESHOLD_" in os.environ else ACTIVATION_COPIES
    tile = 4 * patch * (2 * outputs + copies * _finest_features(folder.settings)) if on_cpu else 0
    weights = 0 if weights_are_loaded else sum(path.stat().st_size for path in folder.checkpoints)
    resampling = 2 * ct + 4 * ct_shape[0] * image_shape[1] * image_shape[2] + 8 * image
    predicting = ring + tile + 8 * image
    restoring = 2 * ct + image
    return BUFFER_BYTES + weights + max(resampling, predicting, restoring)


def _network_axes(shape: Sequence[int], folder: ModelFolder) -> list[int]:
    return [shape[axis] for axis in folder.transpose_forward]


def _finest_features(settings: dict[str, Any]) -> int:
    """Feature maps of the first stage, in plans of the old and the new format."""
    if "architecture" not in settings:
        return int(settings["UNet_base_num_features"])
    features = settings["architecture"]["arch_kwargs"]["features_per_stage"]
    return int(features if isinstance(features, int) else features[0])


# -- what the machine has ----------------------------------------------------------------------------------------------


def available_memory() -> int | None:
    """Bytes that this process may still take without swapping; None where the system does not tell."""
    try:
        if sys.platform.startswith("linux"):
            return _linux_available()
        if sys.platform == "darwin":
            return _macos_available()
        if sys.platform == "win32":
            return _windows_available()
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        logger.info("the free memory cannot be told: %s", type(error).__name__)
    return None


def _linux_available(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """MemAvailable, or what a container's limit leaves if that is less."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    machine = int(match.group(1)) * 1024 if match else None
    container = _cgroup_available(cgroup)
    known = [size for size in (machine, container) if size is not None]
    return min(known) if known else None


def _cgroup_available(cgroup: Path) -> int | None:
    """Limit minus use of a container, in cgroup versions 2 and 1; None without a limit."""
    for limit_name, used_name in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit = (cgroup / limit_name).read_text().strip()
            used = int((cgroup / used_name).read_text())
        except (OSError, ValueError):
            continue
        if limit == "max" or int(limit) >= 2**60:
            return None
        return max(
            0, int(limit) - used + _reclaimable(cgroup / limit_name.replace(limit_name.split("/")[-1], "memory.stat"))
        )
    return None


def _reclaimable(statistics: Path) -> int:
    """Cached file contents count as used, but the system gives them up."""
    try:
        match = re.search(r"^(?:total_)?inactive_file (\d+)", statistics.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match.group(1)) if match else 0


def _macos_available() -> int | None:
    """Free, inactive and purgeable pages by vm_stat. Not run by the authors."""
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


def _windows_available() -> int | None:
    """Available physical memory by GlobalMemoryStatusEx. Not run by the authors."""
    status = _MemoryStatus()
    status.dwLength = ctypes.sizeof(_MemoryStatus)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.ullAvailPhys)
