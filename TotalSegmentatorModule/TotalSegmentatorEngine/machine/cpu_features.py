"""What this computer's processor can compute by itself."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

_BF16_FLAGS = frozenset(["avx512_bf16", "amx_bf16"])
"""Names in Linux's /proc/cpuinfo of instructions that multiply bfloat16 numbers."""


_CPUINFO = Path("/proc/cpuinfo")


@cache
def has_bf16(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether the processor multiplies bfloat16 numbers; emulated, they are slower than float32.

    False where that is unknown: on Windows only assembler could ask, so reduced precision is not
    offered there on a CPU, and neither on Apple's processors, whose GPU is what makes them fast (not run by the
    authors).
    """
    return sys.platform.startswith("linux") and bool(_BF16_FLAGS & _linux_flags(cpuinfo))


@cache
def has_amx(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether it does so in units of its own for matrices, several times as fast. False where that is unknown."""
    return sys.platform.startswith("linux") and "amx_bf16" in _linux_flags(cpuinfo)


def _linux_flags(cpuinfo: Path) -> frozenset[str]:
    try:
        match = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(match.group(1).split()) if match else frozenset()


@cache
def cpu_features(cpuinfo: Path = _CPUINFO) -> str:
    """What the processor can do, in the system's own words; empty where it does not tell (Windows and macOS, where
    ``processor_name`` tells kinds of processors apart)."""
    return " ".join(sorted(_linux_flags(cpuinfo))) if sys.platform.startswith("linux") else ""


@cache
def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """A name that distinguishes kinds of processors, for measurements that belong to it."""
    if sys.platform.startswith("linux"):
        try:
            text = cpuinfo.read_text()
        except OSError:
            text = ""
        fields = [re.search(rf"^{key}\s*:(.*)$", text, re.MULTILINE) for key in ("model name", "cpu family", "model")]
        return " ".join(field.group(1).strip() for field in fields if field) or platform.machine()
    if sys.platform == "darwin":
        try:
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return platform.machine()
    return platform.processor() or platform.machine()
