"""Slicer's Segment Editor as other modules use it: it can be opened on a segment, and has its shortcuts; no effects."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from desktop.pythonqt.proxies import wrap
from desktop.widgets.mrml_widgets import qMRMLWidget
from desktop.widgets.native_properties import stored

_SHORTCUTS = ("Z", "Ctrl+Z", "Y", "Q", "W", "I", "1", "2")
"""Some of those that Slicer's editor sets on the main window (qMRMLSegmentEditorWidget::installKeyboardShortcuts)."""


class qMRMLSegmentEditorWidget(qMRMLWidget):  # noqa: N801 - Slicer's name
    """What the editor is opened on, kept in the scene's own vtkMRMLSegmentEditorNode."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._shortcuts: list[QtGui.QShortcut] = []
        self._pressed: list[str] = []

    def mrmlSegmentEditorNode(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag("SegmentEditor")
            node = slicer.mrmlScene.AddNode(node)
        return node

    def setSegmentationNode(self, node: Any) -> None:
        self.mrmlSegmentEditorNode().SetAndObserveSegmentationNode(node)

    def segmentationNode(self) -> Any:
        return self.mrmlSegmentEditorNode().GetSegmentationNode()

    def setSourceVolumeNode(self, node: Any) -> None:
        self.mrmlSegmentEditorNode().SetAndObserveSourceVolumeNode(node)

    def sourceVolumeNode(self) -> Any:
        return self.mrmlSegmentEditorNode().GetSourceVolumeNode()

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self.mrmlSegmentEditorNode().SetSelectedSegmentID(segment_id)

    def currentSegmentID(self) -> str:
        return self.mrmlSegmentEditorNode().GetSelectedSegmentID() or ""

    def pressedShortcuts(self) -> list[str]:
        """For tests: which of its shortcuts were pressed, in their order; "ambiguous ..." where another one has the
        same key."""
        return self._pressed

    def installKeyboardShortcuts(self, window: QtWidgets.QWidget) -> None:
        self.uninstallKeyboardShortcuts()
        for key in _SHORTCUTS:
            shortcut = QtGui.QShortcut(QtGui.QKeySequence(key), window)
            shortcut.activated.connect(lambda key=key: self._pressed.append(key))
            shortcut.activatedAmbiguously.connect(lambda key=key: self._pressed.append("ambiguous " + key))
            self._shortcuts.append(shortcut)

    def uninstallKeyboardShortcuts(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []


class _Python:
    """The Python object of the class ``SegmentEditorWidget``."""

    def __init__(self, editor: qMRMLSegmentEditorWidget) -> None:
        self.editor = wrap(editor)
        self.parameterSetNode = editor.mrmlSegmentEditorNode()


class SegmentEditorModuleWidget(QtWidgets.QWidget):
    """The module's panel."""

    def __init__(self, window: QtWidgets.QWidget) -> None:
        super().__init__()
        self._window = window
        self._editor = qMRMLSegmentEditorWidget()
        self._editor.setMRMLScene(slicer.mrmlScene)
        QtWidgets.QVBoxLayout(self).addWidget(self._editor)
        self._python = _Python(self._editor)

    def self(self) -> Any:
        return self._python

    def enter(self) -> None:
        self._editor.installKeyboardShortcuts(self._window)

    def exit(self) -> None:
        self._editor.uninstallKeyboardShortcuts()


class SegmentEditorModule(QtCore.QObject):
    """``slicer.modules.segmenteditor``."""

    name = stored(str, "name", "SegmentEditor")

    def __init__(self, window: QtWidgets.QWidget) -> None:
        super().__init__()
        self._window = window
        self._widget: SegmentEditorModuleWidget | None = None

    def widgetRepresentation(self) -> QtWidgets.QWidget:
        if self._widget is None:
            self._widget = SegmentEditorModuleWidget(self._window)
        return self._widget
