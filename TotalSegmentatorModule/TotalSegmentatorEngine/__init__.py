"""The worker side: reads a CT, runs the networks, writes the labels. By itself: ``python -m TotalSegmentatorEngine``.

It never imports slicer, vtk or qt; torch is imported only by the modules that run networks, after the input is checked.

In plain Python (docs/python.md)::

    import TotalSegmentatorEngine as engine
    result = engine.segment("ct.nii.gz", preset="rt-thorax")
    result.save("organs.seg.nrrd")

What is below is imported when it is first used, so that the import of the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from TotalSegmentatorWire.choice.presets import Preset, PresetRow, read_presets
    from TotalSegmentatorWire.errors.problem import SegmentationError

    from TotalSegmentatorEngine.python_api.result import Segmentation
    from TotalSegmentatorEngine.python_api.segment import SegmentationWarning, segment

__all__ = [
    "Preset",
    "PresetRow",
    "Segmentation",
    "SegmentationError",
    "SegmentationWarning",
    "read_presets",
    "segment",
]

_HOMES = {
    "Preset": "TotalSegmentatorWire.choice.presets",
    "PresetRow": "TotalSegmentatorWire.choice.presets",
    "Segmentation": "TotalSegmentatorEngine.python_api.result",
    "SegmentationError": "TotalSegmentatorWire.errors.problem",
    "SegmentationWarning": "TotalSegmentatorEngine.python_api.segment",
    "read_presets": "TotalSegmentatorWire.choice.presets",
    "segment": "TotalSegmentatorEngine.python_api.segment",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
