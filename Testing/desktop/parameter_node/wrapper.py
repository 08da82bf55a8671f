"""The decorator ``parameterNodeWrapper`` and the methods it gives to a class."""

from __future__ import annotations

import logging
import types
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
import slicer
import vtk

from desktop.parameter_node.annotations import Decimals, Default, SingleStep, is_validator, splitAnnotations
from desktop.parameter_node.connectors import GuiConnector, createGuiConnector
from desktop.parameter_node.serializers import Serializer, createSerializer

SlicerParameterNamePropertyName = "SlicerParameterName"


@dataclass
class ParameterInfo:
    """One annotated attribute of the class."""

    basename: str
    serializer: Serializer
    default: Default
    unalteredType: Any


class _Slot:
    """One parameter of one node; the value is kept in memory and read again when the node changes from elsewhere."""

    def __init__(self, info: ParameterInfo, node: Any, prefix: str | None) -> None:
        self.info, self.node, self.name = info, node, f"{prefix or ''}{info.basename}"
        self._writing = False
        if not info.serializer.isIn(node, self.name):
            info.serializer.write(node, self.name, info.default.value)
        self._cached = info.serializer.caches
        self._value = self._fresh() if self._cached else None
        if self._cached:
            me = weakref.ref(self)
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: _refresh(me))

    def __del__(self) -> None:
        if getattr(self, "_tag", None) is not None:
            self.node.RemoveObserver(self._tag)

    def _fresh(self) -> Any:
        serializer = self.info.serializer
        if not serializer.isIn(self.node, self.name):
            serializer.write(self.node, self.name, self.info.default.value)
        return serializer.read(self.node, self.name)

    def refresh(self) -> None:
        if not self._writing:
            self._value = self._fresh()

    def read(self) -> Any:
        return self._value if self._cached else self._fresh()

    def write(self, value: Any) -> None:
        self._writing = True
        try:
            with slicer.util.NodeModify(self.node):  # observers are called after the new value is in memory
                self.info.serializer.write(self.node, self.name, value)
                self._value = self._fresh() if self._cached else None
        finally:
            self._writing = False


def _refresh(reference: weakref.ref[_Slot]) -> None:
    slot = reference()
    if slot is not None:
        slot.refresh()


def _property(name: str) -> property:
    return property(
        lambda self: self._slots[name].read(),
        lambda self, value: self._slots[name].write(value),
    )


def _check_name(owner: Any, name: str) -> None:
    if name not in owner.allParameters:
        raise ValueError(f"Cannot find a param with the given name: {name}; known are {list(owner.allParameters)}")


class _Methods:
    """The functions that every wrapped class gets."""

    allParameters: dict[str, ParameterInfo]

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, tuple[dict[str, GuiConnector], int]] = {}
        self._next_tag = 0
        self._updating = False
        self._slots = {name: _Slot(info, parameterNode, prefix) for name, info in self.allParameters.items()}

    def default(self, name: str) -> Default:
        _check_name(self, name)
        return self.allParameters[name].default

    def isCached(self, name: str) -> bool:
        _check_name(self, name)
        return self.allParameters[name].serializer.caches

    @classmethod
    def dataType(cls, name: str) -> Any:
        _check_name(cls, name)
        return cls.allParameters[name].unalteredType

    def getValue(self, name: str) -> Any:
        _check_name(self, name)
        return self._slots[name].read()

    def setValue(self, name: str, value: Any) -> None:
        _check_name(self, name)
        self._slots[name].write(value)

    def connectGui(self, gui: Any) -> int:
        """Connect every widget that has the property ``SlicerParameterName``: children of a widget or attributes."""
        if getattr(gui, "isWidgetType", lambda: False)():
            widgets = list(gui.findChildren(qt.QWidget))
        else:
            widgets = list(vars(gui).values())
        named = [(widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets]
        return self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """``{parameter: widget or connector}`` -> tag for ``disconnectGui``. RuntimeError for an unfit widget."""
        for name in mapping:
            _check_name(self, name)
        connectors = {
            name: value if isinstance(value, GuiConnector) else createGuiConnector(value, self.dataType(name))
            for name, value in mapping.items()
        }
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._from_gui(name, connector))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._to_gui())
        self._guis[tag] = (connectors, observer)
        return tag

    def disconnectGui(self, guiTag: int) -> None:
        if guiTag not in self._guis:
            return
        connectors, observer = self._guis.pop(guiTag)
        for connector in connectors.values():
            connector.onChanged(None)
        self.RemoveObserver(observer)

    def _from_gui(self, name: str, connector: GuiConnector) -> Callable[[], None]:
        def changed() -> None:
            with slicer.util.NodeModify(self):
                if not self._updating:
                    self.setValue(name, connector.read())

        return changed

    def _to_gui(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors, _observer in list(self._guis.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updating = False

    def StartModify(self) -> Any:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: Any) -> Any:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def _process(cls: type) -> type:
    parameters: dict[str, ParameterInfo] = {}
    for name, annotated in typing.get_type_hints(cls, include_extras=True).items():
        kind, annotations = splitAnnotations(annotated)
        if isinstance(kind, types.UnionType):
            kind = typing.Union[typing.get_args(kind)]  # noqa: UP007 - built from a tuple
        serializer = createSerializer(annotated)
        stated = next((a for a in annotations if isinstance(a, Default)), None)
        if hasattr(cls, name):
            stated = Default(getattr(cls, name))
        unused = [a for a in annotations if not (is_validator(a) or isinstance(a, (Default, Decimals, SingleStep)))]
        if unused:
            logging.warning("Unused annotations: %s", unused)
        parameters[name] = ParameterInfo(name, serializer, stated or Default(serializer.default()), annotated)
        setattr(cls, name, _property(name))
    reserved = {key: value for key, value in vars(_Methods).items() if not key.startswith("__")}
    for key in ("allParameters", *reserved):
        if hasattr(cls, key):
            raise ValueError(f"Cannot use reserved name '{key}' in a parameterNodeWrapper")
    cls.allParameters = parameters  # type: ignore[attr-defined]
    cls._is_parameter_node_wrapper = True  # type: ignore[attr-defined]
    for key, value in reserved.items():
        setattr(cls, key, value)
    cls.__init__ = _Methods.__init__  # type: ignore[misc]
    return cls


def isParameterNodeWrapper(classOrObj: Any) -> bool:
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Class decorator: annotated attributes become properties that live in a parameter node."""
    return _process if classtype is None else _process(classtype)


def findChildWidgetForParameter(widget: Any, parameter: str) -> Any:
    """The descendant with ``SlicerParameterName`` equal to the name, or None."""
    for child in widget.findChildren(qt.QWidget):
        if child.property(SlicerParameterNamePropertyName) == parameter:
            return child
    return None
