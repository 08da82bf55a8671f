"""Builds the proxy class of a PySide6 class: properties as attributes, other getters as methods, enums as ints."""

from __future__ import annotations

import enum
from typing import Any

from PySide6 import QtCore
from shiboken6 import Shiboken

from desktop.pythonqt.construction import initialize
from desktop.pythonqt.descriptors import QtMethod, QtNestedClass, QtProperty, QtSignal
from desktop.pythonqt.proxies import PROXY_CLASSES, QtClass, QtInstance

_OWN = {"connect", "disconnect", "className"}
SPECIAL: dict[str, dict[str, Any]] = {}
"""Class name -> attributes that PythonQt or the stand-in gives it; filled by ``pythonqt.special``."""
OWNER_MODULES: dict[type, str] = {}
"""Widget class of the stand-in -> name of the Slicer module that publishes it (ctk, slicer)."""


def build_class(native: type) -> QtClass:
    """Proxy class with a descriptor for every public name of the PySide6 class."""
    properties, signals = _meta_names(native)
    namespace: dict[str, Any] = {"__module__": OWNER_MODULES.get(native, "PythonQt"), "__doc__": native.__doc__}
    namespace["__init__"] = initialize
    for name in dir(native):
        if name.startswith("_") or name in _OWN:
            continue
        if name in properties or name in signals:
            continue
        attribute = getattr(native, name)
        if isinstance(attribute, type) and issubclass(attribute, enum.Enum):
            namespace[name] = attribute_enum(attribute)
            namespace.update({member: int(item.value) for member, item in attribute.__members__.items()})
        elif isinstance(attribute, type) and issubclass(attribute, Shiboken.Object):
            namespace[name] = QtNestedClass(attribute)
        elif callable(attribute) and not isinstance(attribute, type):
            namespace.setdefault(name, QtMethod(name, native))
    namespace.update({name: QtProperty(name, native) for name in properties})
    namespace.update({name: QtSignal(name) for name in signals})
    if "objectName" in properties:
        namespace["name"] = QtProperty("objectName", native)  # PythonQt's own alias
    if "exec_" not in namespace and "exec" in namespace:
        namespace["exec_"] = QtMethod("exec", native)
    for base in reversed(native.__mro__):
        namespace.update(SPECIAL.get(base.__name__, {}))
    return QtClass(native.__name__, (QtInstance,), namespace, native=native)


def attribute_enum(native: type[enum.Enum]) -> type:
    """The enum as a plain namespace of ints: ``qt.QMessageBox.StandardButton.Ok`` and ``qt.QMessageBox.Ok`` agree."""
    members = {name: int(item.value) for name, item in native.__members__.items()}
    return type(native.__name__, (int,), members)


def _meta_names(native: type) -> tuple[set[str], set[str]]:
    if not issubclass(native, QtCore.QObject):
        return set(), set()
    meta = native.staticMetaObject
    properties = {meta.property(index).name() for index in range(meta.propertyCount())}
    methods = [meta.method(index) for index in range(meta.methodCount())]
    signals = {
        bytes(method.name().data()).decode() for method in methods if method.methodType() == QtCore.QMetaMethod.Signal
    }
    public = {name for name in signals - properties if not name.startswith("_")}
    return properties, public | set(getattr(native, "SIGNAL_NAMES", ()))


PROXY_CLASSES.build = build_class
