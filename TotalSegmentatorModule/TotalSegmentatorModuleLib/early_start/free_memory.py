"""How much memory of this computer is free, for what nobody has asked for yet."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from TotalSegmentatorModuleLib.model_choice.machine_memory import free_memory_bytes, memory_bytes

LEAST_FREE_BYTES = 3 * 1024**3
"""The engine takes 0.4 GB with its libraries, up to 0.5 GB with a network of published size; the rest is Slicer's."""
_LEAST_INSTALLED_BYTES = 8 * 1024**3
"""Where the system does not tell what is free."""
MEMINFO = Path("/proc/meminfo")


def is_memory_free() -> bool:
    """Whether the engine may be started without being asked for."""
    free = _free_bytes()
    if free is not None:
        return free >= LEAST_FREE_BYTES
    installed = memory_bytes()
    return installed is not None and installed >= _LEAST_INSTALLED_BYTES


def _free_bytes() -> int | None:
    """With what the system would give up of its caches; None where the system does not tell."""
    if sys.platform == "win32":
        return free_memory_bytes()
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
    except OSError:  # macOS
        return None
    return int(match.group(1)) * 1024 if match else None
