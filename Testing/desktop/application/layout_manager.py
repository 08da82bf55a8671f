"""``slicer.app.layoutManager()``: the slice views and one 3-D view by name, which show nothing but take the focus."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from desktop.widgets.native_properties import stored


class qMRMLSliceWidget(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """One slice view: its logic and nodes."""

    def __init__(self, name: str, logic: Any, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._name, self._logic = name, logic
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)  # as VTK's widget in it (QVTKOpenGLNativeWidget)

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceController(self) -> qMRMLSliceWidget:
        return self

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()

    def setSliceOffsetValue(self, offset: float) -> None:
        self._logic.SetSliceOffset(offset)

    sliceOrientation = QtCore.Property(str, lambda self: self._logic.GetSliceNode().GetOrientation())


class qMRMLThreeDView(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """The 3-D view's camera commands, which have no effect without a window."""

    def resetFocalPoint(self) -> None:
        """Centre the view (see ``Desktop.three_d_png`` for pictures)."""

    def resetCamera(self) -> None:
        """Frame the view (see ``Desktop.three_d_png`` for pictures)."""

    def scheduleRender(self) -> None:
        """Ask for a picture; there is no window to draw in."""

    forceRender = scheduleRender


class qMRMLThreeDWidget(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """Holder of the 3-D view."""

    def __init__(self, node: Any, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._node = node
        self._view = qMRMLThreeDView(self)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)

    def mrmlViewNode(self) -> Any:
        return self._node

    def threeDView(self) -> qMRMLThreeDView:
        return self._view


class qSlicerLayoutManager(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Views by name. Slice views are named Red, Green and Yellow as in Slicer's default layout."""

    layoutChanged = QtCore.Signal(int)
    layout = stored(int, "layout", 3, changed="_changed")

    def __init__(self, world: Any) -> None:
        super().__init__()
        self._world = world
        self._viewport = QtWidgets.QFrame()
        self._viewport.setMinimumSize(120, 120)
        layout = QtWidgets.QVBoxLayout(self._viewport)
        views = self._viewport
        self._slices = {name: qMRMLSliceWidget(name, logic, views) for name, logic in world.slice_logics.items()}
        self._three_d = qMRMLThreeDWidget(world.view_node, views)
        for view in (self._three_d, *self._slices.values()):
            layout.addWidget(view)

    def _changed(self) -> None:
        self.layoutChanged.emit(self.property("layout"))

    def setLayout(self, layout: int) -> None:
        self.setProperty("layout", layout)

    def viewport(self) -> QtWidgets.QWidget:
        """The widget that all views are in."""
        return self._viewport

    def sliceViewNames(self) -> list[str]:
        return list(self._slices)

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        return self._slices.get(name)

    def mrmlSliceLogics(self) -> Any:
        return self._world.application_logic.GetSliceLogics()

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget | None:
        return self._three_d if index == 0 else None

    def resetSliceViews(self) -> None:
        for logic in self._world.slice_logics.values():
            logic.FitSliceToBackground()

    def resetThreeDViews(self) -> None:
        self._three_d.threeDView().resetFocalPoint()

    threeDViewCount = QtCore.Property(int, lambda self: 1)
