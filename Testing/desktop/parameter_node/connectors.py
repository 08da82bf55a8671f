"""Which widget can show which parameter type. As in Slicer the widget's type must match exactly."""

from __future__ import annotations

import enum
import logging
import types
import typing
from collections.abc import Callable
from typing import Any

import ctk
import qt
import slicer

from desktop.parameter_node.annotations import (
    Choice,
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    findFirstAnnotation,
    splitAnnotations,
    unannotatedType,
)
from desktop.parameter_node.serializers import PATHS

_registered: list[type[GuiConnector]] = []


class GuiConnector:
    """Adapts a widget to one parameter. ``signal`` names the widget's signal of change."""

    signal = ""

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        raise NotImplementedError

    @classmethod
    def create(cls, widget: Any, datatype: Any) -> GuiConnector | None:
        return cls(widget, datatype) if cls.canRepresent(widget, datatype) else None

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        self._widget = widget
        self._type, self._annotations = splitAnnotations(datatype)
        self._callback: Callable[[], None] | None = None

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        self._callback = callback
        if callback is None:
            self._disconnect()
        else:
            self._connect()

    def changed(self) -> None:
        if self._callback is not None:
            self._callback()

    def _connect(self) -> None:
        if self.signal:
            getattr(self._widget, self.signal).connect(self.changed)

    def _disconnect(self) -> None:
        if self.signal:
            getattr(self._widget, self.signal).disconnect(self.changed)

    def widget(self) -> Any:
        return self._widget

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


def parameterNodeGuiConnector(classtype: type | None = None) -> Any:
    """Class decorator that adds a connector to those tried by ``createGuiConnector``."""

    def register(cls: type) -> type:
        _registered.append(cls)
        return cls

    return register if classtype is None else register(classtype)


def createGuiConnector(widget: Any, datatype: Any) -> GuiConnector:
    """The first connector that fits widget and type. RuntimeError when none does, as in Slicer."""
    if isinstance(datatype, types.UnionType):
        datatype = typing.Union[typing.get_args(datatype)]  # noqa: UP007 - built from a tuple
    for connector in _registered:
        if connector.canRepresent(widget, datatype):
            return connector.create(widget, datatype)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{type(widget)}'.")


@parameterNodeGuiConnector
class CheckBoxConnector(GuiConnector):
    """bool - QCheckBox, ctkCheckBox"""

    signal = "stateChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return unannotatedType(datatype) is bool and type(widget) in (qt.QCheckBox, ctk.ctkCheckBox)

    def read(self) -> bool:
        return self._widget.checked

    def write(self, value: bool) -> None:
        self._widget.checked = value


@parameterNodeGuiConnector
class PushButtonConnector(CheckBoxConnector):
    """bool - QPushButton, which is made checkable"""

    signal = "toggled"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return unannotatedType(datatype) is bool and type(widget) in (qt.QPushButton, ctk.ctkCheckablePushButton)

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        super().__init__(widget, datatype)
        if not widget.checkable:
            logging.warning("Making push button checkable for conversion to bool")
            widget.checkable = True


def _range(annotations: Any) -> tuple[Any, Any]:
    within = findFirstAnnotation(annotations, WithinRange)
    if within is not None:
        return within.minimum, within.maximum
    lowest, highest = findFirstAnnotation(annotations, Minimum), findFirstAnnotation(annotations, Maximum)
    return (lowest.minimum if lowest else None, highest.maximum if highest else None)


@parameterNodeGuiConnector
class IntConnector(GuiConnector):
    """int - QSpinBox, and QSlider when bounded"""

    signal = "valueChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return unannotatedType(datatype) is int and type(widget) in (qt.QSlider, qt.QSpinBox)

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        super().__init__(widget, datatype)
        step = findFirstAnnotation(self._annotations, SingleStep)
        if step is not None:
            widget.singleStep = step.value
        low, high = _range(self._annotations)
        if type(widget) is qt.QSlider and (low is None or high is None):
            raise RuntimeError("Cannot have a connection to QSlider where the int type is unbounded.")
        widget.setMinimum(-(2**31) if low is None else low)
        widget.setMaximum(2**31 - 1 if high is None else high)

    def read(self) -> int:
        return self._widget.value

    def write(self, value: int) -> None:
        self._widget.value = value


@parameterNodeGuiConnector
class FloatConnector(GuiConnector):
    """float or int - QDoubleSpinBox, ctkDoubleSpinBox, qMRMLSpinBox; when bounded the slider widgets"""

    signal = "valueChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return unannotatedType(datatype) in (float, int) and type(widget) in (
            qt.QDoubleSpinBox,
            ctk.ctkSliderWidget,
            slicer.qMRMLSliderWidget,
            ctk.ctkDoubleSlider,
            ctk.ctkDoubleSpinBox,
            slicer.qMRMLSpinBox,
        )

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        super().__init__(widget, datatype)
        decimals = findFirstAnnotation(self._annotations, Decimals)
        if type(widget) is not ctk.ctkDoubleSlider and (self._type is int or decimals is not None):
            widget.decimals = 0 if self._type is int else decimals.value
        step = findFirstAnnotation(self._annotations, SingleStep)
        if step is not None:
            widget.singleStep = step.value
        low, high = _range(self._annotations)
        if type(widget) in (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget) and (low is None or high is None):
            raise RuntimeError("Cannot have a connection to ctkSliderWidget where the float types is unbounded.")
        widget.minimum = float("-inf") if low is None else low
        widget.maximum = float("inf") if high is None else high

    def read(self) -> float:
        return int(self._widget.value) if self._type is int else self._widget.value

    def write(self, value: float) -> None:
        self._widget.value = int(value) if self._type is int else value


@parameterNodeGuiConnector
class ChoiceConnector(GuiConnector):
    """Choice of int, float, str, bool - QComboBox, ctkComboBox; the combo box is filled with the choices"""

    signal = "currentIndexChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) in (qt.QComboBox, ctk.ctkComboBox) and unannotatedType(datatype) in (int, float, str, bool)

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        super().__init__(widget, datatype)
        choice = findFirstAnnotation(self._annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        self._choices = list(choice.choices)
        widget.clear()
        for item in self._choices:
            widget.addItem(str(item))

    def read(self) -> Any:
        return self._choices[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        if value not in self._choices:
            raise ValueError(f"Unable to find value {value} in choices {self._choices}")
        self._widget.currentIndex = self._choices.index(value)


@parameterNodeGuiConnector
class EnumConnector(GuiConnector):
    """enum.Enum - QComboBox, ctkComboBox, with ``label()`` of the members where the enum has one"""

    signal = "currentIndexChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        kind = unannotatedType(datatype)
        is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
        return is_enum and type(widget) in (qt.QComboBox, ctk.ctkComboBox)

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        super().__init__(widget, datatype)
        label = getattr(self._type, "label", lambda member: member.name)
        self._members = list(self._type)
        saved = widget.currentIndex
        widget.clear()
        for member in self._members:
            widget.addItem(label(member))
        widget.currentIndex = max(saved, 0) if saved < len(self._members) else 0

    def read(self) -> Any:
        return self._members[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        self._widget.currentIndex = self._members.index(value)


@parameterNodeGuiConnector
class LineEditConnector(GuiConnector):
    """str - QLineEdit"""

    signal = "textChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) is qt.QLineEdit and unannotatedType(datatype) is str

    def read(self) -> str:
        return self._widget.text

    def write(self, value: str) -> None:
        if value != self._widget.text:
            self._widget.text = value


@parameterNodeGuiConnector
class LabelConnector(LineEditConnector):
    """str - QLabel, one way"""

    signal = ""

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) is qt.QLabel and unannotatedType(datatype) is str


@parameterNodeGuiConnector
class TextEditConnector(GuiConnector):
    """str - QTextEdit (not QPlainTextEdit)"""

    signal = "textChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) is qt.QTextEdit and unannotatedType(datatype) is str

    def read(self) -> str:
        return self._widget.toPlainText()

    def write(self, value: str) -> None:
        self._widget.setPlainText(value)


@parameterNodeGuiConnector
class PathConnector(GuiConnector):
    """pathlib types - ctkPathLineEdit"""

    signal = "currentPathChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) is ctk.ctkPathLineEdit and unannotatedType(datatype) in PATHS

    def read(self) -> Any:
        return self._type(self._widget.currentPath)

    def write(self, value: Any) -> None:
        self._widget.currentPath = str(value)


@parameterNodeGuiConnector
class DirectoryConnector(GuiConnector):
    """pathlib types - ctkDirectoryButton"""

    signal = "directoryChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) is ctk.ctkDirectoryButton and unannotatedType(datatype) in PATHS

    def read(self) -> Any:
        return self._type(self._widget.directory)

    def write(self, value: Any) -> None:
        self._widget.directory = str(value)


@parameterNodeGuiConnector
class NodeConnector(GuiConnector):
    """MRML node classes, also optional ones - qMRMLNodeComboBox, whose nodeTypes are set"""

    signal = "currentNodeChanged"

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return type(widget) is slicer.qMRMLNodeComboBox and bool(_node_types(datatype))

    def __init__(self, widget: Any, datatype: Any = None) -> None:
        super().__init__(widget, datatype)
        widget.nodeTypes = _node_types(datatype)

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


def _node_types(datatype: Any) -> list[str]:
    kind = unannotatedType(datatype)
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    classes = [unannotatedType(member) for member in members if unannotatedType(member) is not type(None)]
    if not all(isinstance(member, type) and issubclass(member, slicer.vtkMRMLNode) for member in classes):
        return []
    return [member().GetClassName() for member in classes]
