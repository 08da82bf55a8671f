"""Builds the proxy class of a PySide6 class: properties as attributes, other getters as methods, enums as ints."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore
from shiboken6 import Shiboken

from .conversion import fit_arguments, overloads
from .proxies import QtClass, QtInstance, alive, guarded, unwrap, wrap, wrap_class, write_property

_OWN = {"connect", "disconnect", "className"}
SPECIAL: dict[str, dict[str, Any]] = {}
"""Class name -> attributes that PythonQt or the stand-in gives it; filled by ``pythonqt.special``."""
OWNER_MODULES: dict[type, str] = {}
"""Widget class of the stand-in -> name of the Slicer module that publishes it (ctk, slicer)."""


class QtMethod:
    """A method, slot or invokable of a Qt class."""

    def __init__(self, name: str, native_class: type) -> None:
        self.name = name
        self.native_class = native_class
        self.is_static = isinstance(inspect.getattr_static(native_class, name), staticmethod)

    def __get__(self, proxy: QtInstance | None, cls: type) -> Callable[..., Any]:
        if proxy is None:
            return QtFunction(self)
        alive(proxy)
        return QtBoundMethod(self, proxy)


def _call(function: Any, owner: type, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if keywords:
        raise TypeError(f"{owner.__name__}.{name}() does not take keyword arguments (PythonQt supports none)")
    native_arguments = [unwrap(argument) for argument in arguments]
    native_arguments = [
        guarded(argument) if callable(argument) and not isinstance(argument, type) else argument
        for argument in native_arguments
    ]
    described = getattr(owner, name, function)
    fitted = fit_arguments(overloads(owner, name, described), native_arguments)
    try:
        return wrap(function(*fitted))
    except TypeError as error:
        raise ValueError(f"Called {owner.__name__}.{name} with wrong arguments: {arguments!r}") from error


class QtFunction:
    """A static method, or a method taken from its class: ``qt.QObject.eventFilter(self, watched, event)``."""

    def __init__(self, method: QtMethod) -> None:
        self._method = method
        self.__name__ = method.name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        method = self._method
        if method.is_static:
            return _call(
                getattr(method.native_class, method.name), method.native_class, method.name, arguments, keywords
            )
        if not arguments or not isinstance(arguments[0], QtInstance):
            raise TypeError(f"{method.name}() needs an object as first argument")
        return QtBoundMethod(method, arguments[0])(*arguments[1:], **keywords)


class QtBoundMethod:
    """A method of one object; equal to another one of the same method and object, so that it can be disconnected."""

    def __init__(self, method: QtMethod, proxy: QtInstance) -> None:
        self.method = method
        self.proxy = proxy
        self.__name__ = method.name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        method, native = self.method, alive(self.proxy)
        if type(self.proxy)._python_derived and not method.is_static:
            # named through the class: the base's implementation, never the Python override (no endless recursion)
            base_function = getattr(method.native_class, method.name)

            def function(*native_arguments: Any) -> Any:
                return base_function(native, *native_arguments)
        else:
            function = getattr(native, method.name)
        return _call(function, method.native_class, method.name, arguments, keywords)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, QtBoundMethod)
        return same and self.proxy is other.proxy and self.method.name == other.method.name

    def __hash__(self) -> int:
        return hash((id(self.proxy), self.method.name))


class QtProperty:
    """A Qt property, read and written as an attribute."""

    def __init__(self, name: str, native_class: type) -> None:
        self.name = name
        static = inspect.getattr_static(native_class, name, None)
        self.function = QtMethod(name, native_class) if isinstance(static, staticmethod) else None

    def __get__(self, proxy: QtInstance | None, cls: type) -> Any:
        if proxy is not None:
            return wrap(alive(proxy).property(self.name))
        if self.function is not None:
            return self.function.__get__(None, cls)  # QTimer.singleShot is a property and a static function
        raise AttributeError(f"type object '{cls.__name__}' has no attribute '{self.name}' (it is a property)")

    def __set__(self, proxy: QtInstance, value: Any) -> None:
        write_property(proxy, self.name, value)


def build_class(native: type) -> QtClass:
    """Proxy class with a descriptor for every public name of the PySide6 class."""
    from .signals import QtSignal

    properties, signals = _meta_names(native)
    namespace: dict[str, Any] = {"__module__": OWNER_MODULES.get(native, "PythonQt"), "__doc__": native.__doc__}
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
            namespace[name] = _NestedClass(attribute)
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


class _NestedClass:
    def __init__(self, native: type) -> None:
        self.native = native

    def __get__(self, proxy: QtInstance | None, cls: type) -> QtClass:
        return wrap_class(self.native)


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
