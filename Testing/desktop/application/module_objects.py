"""The Qt objects around a scripted module: the module itself and its widget representation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets

from desktop.pythonqt.proxies import wrap
from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.widgets.mrml_widgets import qMRMLWidget
from desktop.widgets.native_properties import QtCore, stored


class qSlicerScriptedLoadableModule(QtCore.QObject):  # noqa: N801 - Slicer's name
    """What a scripted module describes itself on: ``parent`` of the class ``ScriptedLoadableModule``."""

    name = stored(str, "name", "")
    path = stored(str, "path", "")
    title = stored(str, "title", "")
    categories = stored("QStringList", "categories", [])
    contributors = stored("QStringList", "contributors", [])
    dependencies = stored("QStringList", "dependencies", [])
    associatedNodeTypes = stored("QStringList", "associatedNodeTypes", [])
    helpText = stored(str, "helpText", "")
    acknowledgementText = stored(str, "acknowledgementText", "")
    icon = stored(QtGui.QIcon, "icon", QtGui.QIcon())
    hidden = stored(bool, "hidden", False)
    index = stored(int, "index", -1)
    widgetRepresentationCreationEnabled = stored(bool, "widgetRepresentationCreationEnabled", True)

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self.setProperty("path", path)
        self.setProperty("name", Path(path).stem)
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None

    def widgetRepresentation(self) -> QtWidgets.QWidget | None:
        """Makes the panel when it is asked for first, as also ``slicer.util.getModuleLogic`` does, without a window."""
        if self._widget is None and self.property("widgetRepresentationCreationEnabled"):
            self._widget = qSlicerScriptedLoadableModuleWidget(self.property("path"))
            self._widget.setMRMLScene(slicer.mrmlScene)
            self._widget.instantiate()
        return self._widget

    def made_representation(self) -> qSlicerScriptedLoadableModuleWidget | None:
        """The panel if there is one already."""
        return self._widget

    def logic(self) -> Any:
        return slicer.app.applicationLogic().GetModuleLogic(self.property("name"))

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):  # noqa: N801 - Slicer's name
    """The Qt widget in which a scripted module builds its panel: ``parent`` of the class ``...Widget``."""

    moduleName = stored(str, "moduleName", "")

    def __init__(self, path: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        QtWidgets.QVBoxLayout(self)
        self._path, self._python, self._entered = path, None, False
        self.setProperty("moduleName", Path(path).stem)
        self.setObjectName(f"{Path(path).stem}ModuleWidget")

    def self(self) -> Any:
        """The Python object of the class ``<Module>Widget``."""
        return self._python

    def instantiate(self) -> None:
        """Make the Python widget and run its ``setup``, as when the user opens the module for the first time."""
        name = self.property("moduleName")
        widget_class = getattr(sys.modules[name], name + "Widget")
        self._python = widget_class(wrap(self))
        setattr(slicer.modules, name + "Widget", self._python)
        self._python.setup()

    def reload(self) -> None:
        self.instantiate()

    def enter(self) -> None:
        self._entered = True
        if hasattr(self._python, "enter"):
            RUNTIME.run(self._python.enter, ())

    def exit(self) -> None:
        self._entered = False
        if hasattr(self._python, "exit"):
            RUNTIME.run(self._python.exit, ())

    isEntered = QtCore.Property(bool, lambda self: self._entered)


def import_module_file(path: Path) -> Any:
    """Import a module's main file under its own name, with its folder on ``sys.path``, as Slicer's factory does."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module
