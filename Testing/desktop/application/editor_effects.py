"""The effects of the Segment Editor: their names and settings, which stand in the editor's node; they draw nothing."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore

NAMES = ("Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices", "Margin",
         "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume")  # fmt: skip
"""Those of Slicer itself; modules find effects by these names."""
_DEFAULTS = {
    "BrushAbsoluteDiameter": "5",
    "BrushRelativeDiameter": "3",
    "BrushDiameterIsRelative": "1",
    "BrushSphere": "0",
    "Islands.Operation": "KEEP_LARGEST_ISLAND",
    "Islands.MinimumSize": "1000",
}
"""qSlicerSegmentEditorPaintEffect::setMRMLDefaults, SegmentEditorIslandsEffect.setMRMLDefaults."""


class qSlicerSegmentEditorAbstractEffect(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Its ``name`` is Slicer's, which is not translated."""

    def __init__(self, name: str, node: Any) -> None:
        super().__init__()
        self.setObjectName(name)  # which is what ``name`` reads in the stand-in
        self._node = node

    def parameterSetNode(self) -> Any:
        return self._node

    def parameter(self, name: str) -> str:
        own = f"{self.objectName()}.{name}"
        return self._node.GetAttribute(own) or self._node.GetAttribute(name) or ""

    def setParameter(self, name: str, value: Any) -> None:
        self.setCommonParameter(f"{self.objectName()}.{name}", value)

    def setCommonParameter(self, name: str, value: Any) -> None:
        """Without a ModifiedEvent, as in Slicer."""
        was_disabled = self._node.GetDisableModifiedEvent()
        self._node.SetDisableModifiedEvent(1)
        self._node.SetAttribute(name, str(value))
        self._node.SetDisableModifiedEvent(was_disabled)
        self._node.InvokeEvent(slicer.vtkMRMLSegmentEditorNode.EffectParameterModified)


def set_defaults(node: Any) -> None:
    """What the effects write into a node that is new to them."""
    for name, value in _DEFAULTS.items():
        if node.GetAttribute(name) is None:
            node.SetAttribute(name, value)
