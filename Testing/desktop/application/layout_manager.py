"""``slicer.app.layoutManager()``: the slice views and one 3-D view by name, which show nothing but take the focus.

The layout for two monitors has a second window with slice views of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from desktop.application.plot_view import qMRMLPlotWidget
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


_SECOND_WINDOW = "views+"
_SECOND_VIEWS = {"Red+": "Axial", "Yellow+": "Sagittal", "Green+": "Coronal"}
"""As in vtkMRMLLayoutLogic's dualMonitorFourUpView."""


class qSlicerLayoutManager(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Views by name. Slice views are named Red, Green and Yellow as in Slicer's default layout."""

    layoutChanged = QtCore.Signal(int)
    layout = stored(int, "layout", 3, changed="_changed")

    def __init__(self, world: Any) -> None:
        super().__init__()
        self._world = world
        self._slices: dict[str, qMRMLSliceWidget] = {}
        self._viewports = {"": QtWidgets.QFrame()}
        self._second_window: QtWidgets.QWidget | None = None
        self._three_d = qMRMLThreeDWidget(world.view_node, self.viewport())
        self._plot: qMRMLPlotWidget | None = None
        self._fill("", [self._three_d], world.slice_logics)

    def _fill(self, viewport_name: str, views: list[QtWidgets.QWidget], slice_logics: Mapping[str, Any]) -> None:
        viewport = self._viewports[viewport_name]
        viewport.setMinimumSize(120, 120)
        slices = {name: qMRMLSliceWidget(name, logic, viewport) for name, logic in slice_logics.items()}
        self._slices.update(slices)
        layout = QtWidgets.QVBoxLayout(viewport)
        for view in (*views, *slices.values()):
            layout.addWidget(view)

    def _changed(self) -> None:
        layout = self.property("layout")
        if self._plot is None and layout == self._world.logics["Plots"].GetLayoutWithPlot(layout):
            self._plot = qMRMLPlotWidget(self._world.scene, self.viewport())
            self.viewport().layout().addWidget(self._plot)
        is_for_two = self.property("layout") == slicer.vtkMRMLLayoutNode.SlicerLayoutDualMonitorFourUpView
        if is_for_two and self._second_window is None:  # qMRMLLayoutManager::createViewport
            self._second_window = QtWidgets.QWidget()
            self._viewports[_SECOND_WINDOW] = QtWidgets.QWidget(self._second_window)
            QtWidgets.QVBoxLayout(self._second_window).addWidget(self._viewports[_SECOND_WINDOW])
            logics = {name: self._world.add_slice_view(name, way, 1) for name, way in _SECOND_VIEWS.items()}
            self._fill(_SECOND_WINDOW, [], logics)
        if self._second_window is not None:  # kept, and hidden by a layout without it
            self.viewport().window().activateWindow()  # a hidden window would stay the active one without a screen
            self._second_window.setVisible(is_for_two)
        self.layoutChanged.emit(self.property("layout"))

    def setLayout(self, layout: int) -> None:
        self.setProperty("layout", int(layout))  # VTK's enums are no plain integers

    def viewport(self, name: str = "") -> QtWidgets.QWidget | None:
        """The widget that the views of a window are in; the main window's has no name."""
        return self._viewports.get(name)

    viewportNames = QtCore.Property("QStringList", lambda self: list(self._viewports))

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

    def plotWidget(self, index: int) -> qMRMLPlotWidget | None:
        return self._plot if index == 0 else None

    plotViewCount = QtCore.Property(int, lambda self: int(self._plot is not None))
