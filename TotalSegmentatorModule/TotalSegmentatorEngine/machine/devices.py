"""Which device a job runs on, and with how many threads. torch is imported by these functions, not by the module."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import SegmentationError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

DEVICE_KINDS = ("auto", "cpu", "cuda", "mps")


def check_device_name(name: str) -> None:
    """Raises SegmentationError("DEVICE_UNAVAILABLE") for a name other than auto, cpu, cuda, cuda:N or mps."""
    kind, _, index = name.partition(":")
    if kind not in DEVICE_KINDS or (":" in name and not (kind == "cuda" and index.isdigit())):
        raise SegmentationError("DEVICE_UNAVAILABLE", device=name[:20])


def choose_device(name: str) -> torch.device:
    """The device that ``name`` means on this computer; "auto" takes CUDA where there is one, else the CPU.

    Apple's GPU is never taken unasked: what torch can do there differs between versions, and it has not been run.
    Raises SegmentationError("DEVICE_UNAVAILABLE").
    """
    import torch

    check_device_name(name)
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(name)
    if device.type == "cuda":
        index = device.index or 0
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise SegmentationError("DEVICE_UNAVAILABLE", device=name)
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SegmentationError("DEVICE_UNAVAILABLE", device=name)
    return device


def cuda_count() -> int:
    """GPUs that torch can use by CUDA. torch is imported only where the driver knows of several."""
    if gpus_of_driver() < 2:
        return gpus_of_driver()
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def auto_is_cuda() -> bool:
    """Whether "auto" means CUDA (``choose_device``). Before torch is imported, whether the driver offers a GPU: it is
    not known yet whether this torch can use one."""
    torch = sys.modules.get("torch")
    if torch is None or getattr(torch.__spec__, "_initializing", False):  # the latter: another thread imports it now
        return gpus_of_driver() > 0
    return torch.cuda.is_available()


def gpus_of_driver() -> int:
    """GPUs that CUDA's driver offers to this process (CUDA Driver API: cuInit, cuDeviceGetCount)."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(name)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):  # no NVIDIA driver, or what goes by its name is none
        return 0
    return count.value


def use_physical_cores() -> int:
    """Lets torch compute with one thread a physical core; returns the number of threads.

    A second thread on the same core only competes for its arithmetic units. Where the number of cores is unknown,
    torch's own choice stays.
    """
    import torch

    cores = physical_cores()
    if cores is not None and cores != torch.get_num_threads():
        torch.set_num_threads(cores)
    return torch.get_num_threads()


def physical_cores() -> int | None:
    """Physical cores that this process may use; None where that is unknown."""
    if sys.platform.startswith("linux"):
        return _linux_cores()
    if sys.platform == "darwin":
        return _macos_cores()
    return None  # Windows: torch's own choice is the number of physical cores


def _linux_cores(cpu_folder: Path = Path("/sys/devices/system/cpu")) -> int | None:
    allowed = os.sched_getaffinity(0)
    cores = set()
    for cpu in allowed:
        try:
            siblings = (cpu_folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
        except OSError:
            return None
        cores.add(siblings)
    quota = _cgroup_cpu_quota()
    count = len(cores) or None
    return count if count is None or quota is None else max(1, min(count, quota))


def _cgroup_cpu_quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Whole CPUs that a container may use; None without a limit."""
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def _macos_cores() -> int | None:
    """Performance cores of an Apple processor, else all physical cores. Not run by the authors."""
    for key in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
        try:
            answer = subprocess.run(
                ["/usr/sbin/sysctl", "-n", key], capture_output=True, text=True, timeout=5, check=True
            )
            return int(answer.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            logger.info("sysctl %s: %s", key, type(error).__name__)
    return None
