"""Loads a Qt Designer .ui with QUiLoader and the stand-in's widgets, as strictly as Slicer's Qt 5.15 would."""

from __future__ import annotations

import re
import sys
from typing import Any
from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from desktop.pythonqt.destruction import present_widget
from desktop.pythonqt.proxies import connect, wrap, wrap_class

_prepared: dict[bytes, tuple[bytes, ElementTree.Element | None]] = {}
"""Content of a .ui -> what QUiLoader reads of it, and its connections: each panel of a process loads the same files."""
CUSTOM_WIDGETS: dict[str, type] = {}
"""Class name in the .ui -> widget class of the stand-in; filled by ``environment``."""


class _Loader(QtUiTools.QUiLoader):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[QtWidgets.QWidget] = []
        """The stand-in's widgets, and their parents: without a reference to these PySide ends them with their parents'
        Python objects, which nobody else holds."""

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> QtWidgets.QWidget:
        if class_name in CUSTOM_WIDGETS:
            parent = present_widget(parent)
            widget = CUSTOM_WIDGETS[class_name](parent) if parent is not None else CUSTOM_WIDGETS[class_name]()
            widget.setObjectName(name)
            self.made += [widget, *([parent] if parent is not None else [])]
            return widget
        if class_name.startswith(("ctk", "qMRML", "qSlicer")):
            raise RuntimeError(f"The stand-in has no widget class {class_name} ('{name}' in the .ui)")
        return super().createWidget(class_name, parent, name)


def load_ui_device(device: QtCore.QIODevice, parent: QtWidgets.QWidget | None) -> Any:
    """The .ui's top widget as a proxy.

    Raises RuntimeError for what Slicer could not load: an enum in the scoped form that only Qt 6 reads, a widget class
    that the stand-in lacks, a connection to a signal or slot that does not exist.
    """
    content = bytes(device.readAll().data())
    if content not in _prepared:
        _prepared[content] = _prepare(content)
    readable, connections = _prepared[content]
    buffer = QtCore.QBuffer()
    buffer.setData(readable)
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    loader = _Loader()
    widget = loader.load(buffer, parent)
    if widget is None:
        raise RuntimeError("Qt could not make the widgets of the .ui")
    widget._made = loader.made  # as long as there is the top widget
    if connections is not None:
        _connect(widget, connections)
    return wrap(widget)


def _prepare(content: bytes) -> tuple[bytes, ElementTree.Element | None]:
    """The .ui without its connections, and these."""
    root = ElementTree.fromstring(content.decode("utf-8"))
    _check_enums(root)
    missing = {element.get("class", "") for element in root.iter("widget")}
    missing = {c for c in missing if c.startswith(("ctk", "qMRML", "qSlicer")) and c not in CUSTOM_WIDGETS}
    if missing:
        raise RuntimeError(f"The stand-in has no widget class {', '.join(sorted(missing))}")
    connections = root.find("connections")
    if connections is not None:
        root.remove(connections)
    return ElementTree.tostring(root, encoding="utf-8"), connections


def _check_enums(root: ElementTree.Element) -> None:
    for element in [*root.iter("enum"), *root.iter("set")]:
        for part in re.split(r"\|", element.text or ""):
            if part.count("::") > 1:
                raise RuntimeError(f"The .ui says {part}: Slicer's Qt 5.15 reads only the form without the enum's name")
        _number_of_custom_enum(element)


def _number_of_custom_enum(element: ElementTree.Element) -> None:
    """``ctkPathLineEdit::Dirs|ctkPathLineEdit::Readable`` as a number: the loader does not know CTK's enums."""
    parts = [part.split("::") for part in (element.text or "").split("|")]
    if any(len(part) != 2 or part[0] not in CUSTOM_WIDGETS for part in parts):
        return
    value = 0
    for class_name, key in parts:
        wrapped = wrap_class(CUSTOM_WIDGETS[class_name])
        if not isinstance(vars(wrapped).get(key), int):
            raise RuntimeError(f"The .ui says {class_name}::{key}, which {class_name} does not have")
        value |= vars(wrapped)[key]
    element.tag, element.text = "number", str(value)


def _connect(top: QtWidgets.QWidget, connections: ElementTree.Element) -> None:
    def named(name: str) -> Any:
        found = top if top.objectName() == name else top.findChild(QtCore.QObject, name)
        if found is None:
            raise RuntimeError(f"The .ui connects '{name}', which it does not contain")
        return wrap(found)

    for entry in connections.iter("connection"):
        sender, receiver = named(entry.findtext("sender", "")), named(entry.findtext("receiver", ""))
        signal, slot = entry.findtext("signal", ""), entry.findtext("slot", "")
        if not connect(sender, signal, _Slot(receiver, slot)):
            print(f"QObject::connect: No such signal {sender.className()}::{signal}", file=sys.stderr)
            raise RuntimeError(f"The .ui connects {sender.className()}::{signal}, which does not exist")


class _Slot:
    """A slot named in the .ui, with as many arguments as its signature says."""

    def __init__(self, receiver: Any, slot: str) -> None:
        name, parameters = slot.rstrip(")").split("(", 1)
        self.function = getattr(receiver, name)
        self.count = len(parameters.split(",")) if parameters else 0

    def __call__(self, *arguments: Any) -> None:
        self.function(*arguments[: self.count])
