"""``slicer.app.layoutManager()``: the three slice views and one 3-D view by name, without windows on screen."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from desktop.widgets.native_properties import stored


class qMRMLSliceWidget(QtCore.QObject):  # noqa: N801 - Slicer's name
    """One slice view: its logic and nodes."""

    def __init__(self, name: str, logic: Any, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._name, self._logic = name, logic

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


class qMRMLThreeDView(QtCore.QObject):  # noqa: N801 - Slicer's name
    """The 3-D view's camera commands, which have no effect without a window."""

    def resetFocalPoint(self) -> None:
        """Centre the view (see ``Desktop.three_d_png`` for pictures)."""

    def resetCamera(self) -> None:
        """Frame the view (see ``Desktop.three_d_png`` for pictures)."""

    def scheduleRender(self) -> None:
        """Ask for a picture; there is no window to draw in."""

    forceRender = scheduleRender


class qMRMLThreeDWidget(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Holder of the 3-D view."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._view = qMRMLThreeDView(self)

    def threeDView(self) -> qMRMLThreeDView:
        return self._view


class qSlicerLayoutManager(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Views by name. Slice views are named Red, Green and Yellow as in Slicer's default layout."""

    layoutChanged = QtCore.Signal(int)
    layout = stored(int, "layout", 3, changed="_changed")

    def __init__(self, world: Any) -> None:
        super().__init__()
        self._world = world
        self._slices = {name: qMRMLSliceWidget(name, logic, self) for name, logic in world.slice_logics.items()}
        self._three_d = qMRMLThreeDWidget(self)

    def _changed(self) -> None:
        self.layoutChanged.emit(self.property("layout"))

    def setLayout(self, layout: int) -> None:
        self.setProperty("layout", layout)

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
