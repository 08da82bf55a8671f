"""Slicer's Segment Editor as other modules use it: it can be opened on a segment with an effect, shows it in its list,
and has its shortcuts. What is drawn in a test goes through Slicer's own logic, with the masks that are set."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk.util.numpy_support
from PySide6 import QtCore, QtGui, QtWidgets

from desktop.application.editor_effects import NAMES, qSlicerSegmentEditorAbstractEffect, set_defaults
from desktop.pythonqt.proxies import wrap
from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.widgets.mrml_widgets import qMRMLSegmentsTableView, qMRMLWidget
from desktop.widgets.native_properties import stored

_SHORTCUTS = ("Z", "Ctrl+Z", "Y", "Q", "W", "I", "1", "2")
"""Some of those that Slicer's editor sets on the main window (qMRMLSegmentEditorWidget::installKeyboardShortcuts)."""


class qMRMLSegmentEditorWidget(qMRMLWidget):  # noqa: N801 - Slicer's name
    """Follows a vtkMRMLSegmentEditorNode, by itself the scene's own one."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._shortcuts: list[QtGui.QShortcut] = []
        self._pressed: list[str] = []
        self._node: Any = None
        self._observer = 0
        self._segmentation: Any = None
        self._effect: qSlicerSegmentEditorAbstractEffect | None = None
        self._table = qMRMLSegmentsTableView(self)
        self._table.setObjectName("SegmentsTableView")
        QtWidgets.QVBoxLayout(self).addWidget(self._table)

    def mrmlSegmentEditorNode(self) -> Any:
        if self._node is None or not slicer.mrmlScene.IsNodePresent(self._node):
            node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
            if node is None:
                node = slicer.vtkMRMLSegmentEditorNode()
                node.SetSingletonTag("SegmentEditor")
                node = slicer.mrmlScene.AddNode(node)
            self.setMRMLSegmentEditorNode(node)
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        if self._node is not None:
            self._node.RemoveObserver(self._observer)
        self._node, self._segmentation, self._effect = node, None, None
        self._table.setSegmentationNode(None)
        if node is not None:
            set_defaults(node)
            self._observer = node.AddObserver("ModifiedEvent", lambda *_: RUNTIME.run(self._update, ()))
            self._update()

    def setSegmentationNode(self, node: Any) -> None:
        if node is not self.segmentationNode():
            self.mrmlSegmentEditorNode().SetAndObserveSegmentationNode(node)
            self.setActiveEffectByName("")

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

    # -- effects -------------------------------------------------------------------------------------------------------

    def availableEffectNames(self) -> list[str]:
        return list(NAMES)

    def setActiveEffectByName(self, name: str) -> None:
        self.mrmlSegmentEditorNode().SetActiveEffectName(name if name in NAMES else "")

    def activeEffect(self) -> QtCore.QObject | None:
        return self._effect

    def _update(self) -> None:
        """The node was modified (updateWidgetFromMRML)."""
        node = self._node
        if node.GetSegmentationNode() is not self._segmentation:
            self._segmentation = node.GetSegmentationNode()
            self._table.setSegmentationNode(self._segmentation)
            if self._segmentation is not None:
                role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
                node.SetAndObserveSourceVolumeNode(self._segmentation.GetNodeReference(role))
                segments = self._segmentation.GetSegmentation()
                node.SetSelectedSegmentID(segments.GetNthSegmentID(0) if segments.GetNumberOfSegments() else None)
        chosen = node.GetSelectedSegmentID()
        if chosen and chosen not in self._table.displayedSegmentIDs():  # the list has no such row: nothing is selected
            node.SetSelectedSegmentID(None)
            node.SetActiveEffectName("")
        self._table.setSelectedSegmentIDs([chosen] if chosen else [])
        name = (node.GetActiveEffectName() or "") if node.GetSourceVolumeNode() is not None else ""
        if name != (self._effect.objectName() if self._effect is not None else ""):
            self._effect = qSlicerSegmentEditorAbstractEffect(name, node) if name else None

    def draw(self, mask: np.ndarray) -> None:
        """For tests: one stroke over the voxels of ``mask`` (bool (k, j, i), on the grid of the source volume)."""
        self._modify(mask, slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd)

    def erase(self, mask: np.ndarray) -> None:
        """The same with the eraser."""
        self._modify(mask, slicer.vtkSlicerSegmentEditorLogic.ModificationModeRemove)

    def _modify(self, mask: np.ndarray, mode: int) -> None:
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetSegmentEditorNode(self._node)
        logic.ResetModifierLabelmapToDefault()
        labelmap = logic.GetModifierLabelmap()
        scalars = vtk.util.numpy_support.vtk_to_numpy(labelmap.GetPointData().GetScalars())
        scalars.reshape(mask.shape)[mask] = 1
        node, segment_id = self.segmentationNode(), self.currentSegmentID()
        logic.ModifySegmentByLabelmap(node, segment_id, labelmap, mode, True, False)
        logic.SetSegmentEditorNode(None)  # it must not outlive the scene
        logic.SetMRMLScene(None)

    # -- shortcuts -----------------------------------------------------------------------------------------------------

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
        self._entered = False
        self._editor = qMRMLSegmentEditorWidget()
        self._editor.setMRMLScene(slicer.mrmlScene)
        QtWidgets.QVBoxLayout(self).addWidget(self._editor)
        self._python = _Python(self._editor)

    def self(self) -> Any:
        return self._python

    def enter(self) -> None:
        self._entered = True
        self._editor.installKeyboardShortcuts(self._window)
        self._editor.mrmlSegmentEditorNode()

    def exit(self) -> None:
        self._entered = False
        self._editor.setActiveEffectByName("")
        self._editor.uninstallKeyboardShortcuts()

    isEntered = QtCore.Property(bool, lambda self: self._entered)


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

    def close(self) -> None:
        """The application quits."""
        if self._widget is not None:
            self._widget.self().editor.setMRMLSegmentEditorNode(None)
            self._widget.deleteLater()
            self._widget = None
