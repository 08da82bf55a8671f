"""The other MRML widgets: the container qMRMLWidget and the table of segments."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.widgets.ctk_widgets import ctkSliderWidget
from desktop.widgets.native_properties import stored
from desktop.widgets.node_combo_box import qMRMLNodeComboBox


class qMRMLWidget(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """A widget that hands the scene on to its children by the .ui's connections."""

    _sceneChanged = QtCore.Signal(object)
    SIGNAL_NAMES = ("mrmlSceneChanged",)
    SLICER_SIGNALS: ClassVar[dict[str, str]] = {"mrmlSceneChanged(vtkMRMLScene*)": "_sceneChanged"}

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self._sceneChanged.emit(scene)


class qMRMLSortFilterSegmentsProxyModel(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Where the table below has a segment; Slicer's is a model."""

    def indexFromSegmentID(self, segment_id: str) -> QtCore.QModelIndex:
        rows = self.parent()
        items = [rows.item(row) for row in range(rows.count())]
        found = [item for item in items if item.data(QtCore.Qt.ItemDataRole.UserRole) == segment_id]
        return rows.indexFromItem(found[0]) if found else QtCore.QModelIndex()


class qMRMLSegmentsTableView(qMRMLWidget):  # noqa: N801 - Slicer's name
    """Names and colours of a segmentation's segments, kept up to date; no visibility buttons, no editing."""

    _selectionChanged = QtCore.Signal(object, object)
    SIGNAL_NAMES = (*qMRMLWidget.SIGNAL_NAMES, "selectionChanged")
    SLICER_SIGNALS: ClassVar[dict[str, str]] = {
        **qMRMLWidget.SLICER_SIGNALS,
        "selectionChanged(QItemSelection,QItemSelection)": "_selectionChanged",
    }
    selectionMode = stored(int, "selectionMode", 3)
    readOnly = stored(bool, "readOnly", False)
    headerVisible = stored(bool, "headerVisible", True)
    visibilityColumnVisible = stored(bool, "visibilityColumnVisible", True)
    colorColumnVisible = stored(bool, "colorColumnVisible", True)
    opacityColumnVisible = stored(bool, "opacityColumnVisible", False)
    statusColumnVisible = stored(bool, "statusColumnVisible", False)
    layerColumnVisible = stored(bool, "layerColumnVisible", False)
    filterBarVisible = stored(bool, "filterBarVisible", False, changed="_refresh")
    textFilter = stored(str, "textFilter", "", changed="_refresh")
    jumpToSelectedSegmentEnabled = stored(bool, "jumpToSelectedSegmentEnabled", False)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._tags: list[int] = []
        self._list = QtWidgets.QListWidget(self)
        self._list.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.MinimumExpanding)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        self._list.selectionModel().selectionChanged.connect(
            lambda selected, deselected: self._selectionChanged.emit(selected, deselected)
        )

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        if node is self._node:
            return
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._node, self._tags = node, []
        if node is not None:
            events = slicer.vtkSegmentation
            for event in (events.SegmentAdded, events.SegmentRemoved, events.SegmentModified):
                self._tags.append(node.AddObserver(event, lambda *_: RUNTIME.run(self._refresh, ())))
            self._tags.append(node.AddObserver("ModifiedEvent", lambda *_: RUNTIME.run(self._update_from_node, ())))
            self._update_from_node()
        self._refresh()

    def _update_from_node(self) -> None:
        """The list filter is switched on and off in the node."""
        self.setProperty("filterBarVisible", bool(self._node.GetSegmentListFilterEnabled()))

    def _refresh(self) -> None:
        chosen = self.selectedSegmentIDs()
        self._list.clear()
        if self._node is None:
            return
        segmentation = self._node.GetSegmentation()
        for segment_id in segmentation.GetSegmentIDs():
            segment = segmentation.GetSegment(segment_id)
            is_filtered = self.property("filterBarVisible")
            if is_filtered and self.property("textFilter").lower() not in segment.GetName().lower():
                continue
            item = QtWidgets.QListWidgetItem(segment.GetName(), self._list)
            item.setData(QtCore.Qt.ItemDataRole.UserRole, segment_id)
            pixmap = QtGui.QPixmap(16, 16)
            pixmap.fill(QtGui.QColor.fromRgbF(*segment.GetColor()))
            item.setIcon(QtGui.QIcon(pixmap))
            item.setSelected(segment_id in chosen)

    def setFilterBarVisible(self, visible: bool) -> None:
        self.setProperty("filterBarVisible", visible)

    def tableWidget(self) -> QtWidgets.QWidget:
        return self._list

    def sortFilterProxyModel(self) -> QtCore.QObject:
        return qMRMLSortFilterSegmentsProxyModel(self._list)

    def setTextFilter(self, text: str) -> None:
        self.setProperty("textFilter", text)

    def selectedSegmentIDs(self) -> list[str]:
        return [item.data(QtCore.Qt.ItemDataRole.UserRole) for item in self._list.selectedItems()]

    def setSelectedSegmentIDs(self, segment_ids: list[str]) -> None:
        for row in range(self._list.count()):
            item = self._list.item(row)
            item.setSelected(item.data(QtCore.Qt.ItemDataRole.UserRole) in segment_ids)

    def displayedSegmentIDs(self) -> list[str]:
        return [self._list.item(row).data(QtCore.Qt.ItemDataRole.UserRole) for row in range(self._list.count())]

    def clearSelection(self) -> None:
        self._list.clearSelection()

    segmentCount = QtCore.Property(int, lambda self: self._list.count())


class qMRMLSpinBox(QtWidgets.QDoubleSpinBox):  # noqa: N801 - Slicer's name
    """A spin box; Slicer's shows units from the scene."""


class qMRMLSliderWidget(ctkSliderWidget):  # noqa: N801 - Slicer's name
    """A slider; Slicer's shows units from the scene."""


MRML_CLASSES = [qMRMLNodeComboBox, qMRMLSegmentsTableView, qMRMLSliderWidget, qMRMLSpinBox, qMRMLWidget]
