"""Which quality suits this computer, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.model_selection import FAST, FINE

from TotalSegmentatorModuleLib.model_choice.device_choices import device_choices
from TotalSegmentatorModuleLib.model_choice.machine_memory import memory_bytes

_GPUS = ("cuda", "mps")
_SMALL_MEMORY_GB = 12
"""A body of 512 x 512 x 800 at 1.5 mm was measured to need 3.8 GB (docs/performance.md, "memory"); the rest is for
the system, and for Slicer with the CT, its segmentation and their surfaces."""
_GIB = 2**30


@dataclass(frozen=True)
class Recommendation:
    """``quality`` is FINE or FAST; ``reason`` completes a sentence: "this computer has 8 GB of memory"."""

    quality: str
    reason: str


def recommendation_here(device: str) -> Recommendation:
    """For this computer, where a job is to run on ``device``."""
    has_gpu = device != "cpu" and any(offered in _GPUS for offered, _title in device_choices())
    return recommendation(memory_bytes(), has_gpu)


def recommendation(memory_bytes: int | None, has_gpu: bool) -> Recommendation:
    """``memory_bytes``: all that is built in, None where that is unknown; ``has_gpu``: one that the engine may use."""
    memory_gb = None if memory_bytes is None else round(memory_bytes / _GIB)
    if memory_gb is not None and memory_gb < _SMALL_MEMORY_GB:
        return Recommendation(FAST, _("this computer has {count} GB of memory").format(count=memory_gb))
    if not has_gpu:
        return Recommendation(FAST, _("it runs on the processor, for which 1.5 mm is much more work"))
    if memory_gb is None:
        return Recommendation(FINE, _("this computer has a graphics card"))
    return Recommendation(FINE, _("this computer has a graphics card and {count} GB of memory").format(count=memory_gb))
