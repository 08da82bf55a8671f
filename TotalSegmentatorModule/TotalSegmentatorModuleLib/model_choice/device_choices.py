"""The devices that the panel offers on this computer."""

from __future__ import annotations

import platform
import sys

from slicer.i18n import tr as _
from TotalSegmentatorSetup.packages.nvidia_driver import has_card


def device_choices() -> list[tuple[str, str]]:
    """Ids and titles. A graphics card is offered where there is one; whether the engine's
    packages can use it, the engine finds out."""
    choices = [("auto", _("Automatic")), ("cpu", _("Processor (CPU)"))]
    if has_card():
        choices.append(("cuda", _("NVIDIA GPU (CUDA)")))
    if _is_apple_silicon():
        choices.append(("mps", _("Apple GPU (MPS)")))
    return choices


def _is_apple_silicon() -> bool:
    """Also where Slicer itself runs as an Intel program: then only the kernel's version names the processor."""
    return sys.platform == "darwin" and (platform.machine() == "arm64" or "ARM64" in platform.version().upper())
