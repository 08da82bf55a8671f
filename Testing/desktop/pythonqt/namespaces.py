"""The modules ``qt`` and ``ctk``: flat namespaces of proxy classes."""

from __future__ import annotations

import enum
import types
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from shiboken6 import Shiboken

from desktop.pythonqt.class_builder import OWNER_MODULES, attribute_enum
from desktop.pythonqt.proxies import QtClass, unwrap, wrap, wrap_class

_ABSENT = {"Slot", "Signal", "Property", "SIGNAL", "SLOT"}  # PySide6's own; PythonQt has none that works


class QtModule(types.ModuleType):
    """``import qt``: every class of QtCore, QtGui, QtWidgets and QtUiTools."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _ABSENT:
            raise AttributeError(f"module 'qt' has no attribute '{name}'")
        for source in (QtCore, QtGui, QtWidgets, QtUiTools):
            if hasattr(source, name):
                value = self._publish(getattr(source, name))
                setattr(self, name, value)
                return value
        raise AttributeError(f"module 'qt' has no attribute '{name}'")

    @staticmethod
    def _publish(value: Any) -> Any:
        if value is QtCore.Qt:
            return _enum_namespace(value)
        if isinstance(value, type) and issubclass(value, enum.Enum):
            return attribute_enum(value)
        if isinstance(value, type) and issubclass(value, Shiboken.Object):
            return wrap_class(value)
        if callable(value) and not isinstance(value, type):
            return lambda *arguments: wrap(value(*[unwrap(argument) for argument in arguments]))
        return value


def _enum_namespace(native: type) -> type:
    members: dict[str, Any] = {}
    for name in dir(native):
        value = getattr(native, name)
        if isinstance(value, type) and issubclass(value, enum.Enum):
            members[name] = attribute_enum(value)
            members.update({key: int(item.value) for key, item in value.__members__.items()})
    members["MidButton"] = int(QtCore.Qt.MouseButton.MiddleButton.value)
    return type(native.__name__, (), members)


def publish_classes(module: Any, name: str, natives: list[type]) -> dict[str, QtClass]:
    """Put the proxy classes of the stand-in's own widgets into ``ctk`` or ``slicer``."""
    published = {}
    for native in natives:
        OWNER_MODULES[native] = name
        published[native.__name__] = wrap_class(native)
        setattr(module, native.__name__, published[native.__name__])
    return published
