"""Python objects that stand for Qt objects the way PythonQt's wrappers do.

Every PySide6 class has one proxy class, with no inheritance between proxy classes: PythonQt has none either that
``isinstance`` could see. A proxy holds its PySide6 object in ``_native``; calls unwrap the
arguments and wrap the result.
"""

from __future__ import annotations

import enum
import sys
import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore, QtWidgets
from shiboken6 import Shiboken

from desktop.pythonqt import signals
from desktop.pythonqt.conversion import property_value
from desktop.pythonqt.slot_runtime import RUNTIME

_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_INTERNAL = ("_native", "__class__", "__weakref__", "__dict__")
_proxies: weakref.WeakValueDictionary[int, QtInstance] = weakref.WeakValueDictionary()


class QtClass(type):
    """Type of the proxy classes. ``native`` is the PySide6 class; Python subclasses get a native one of their own."""

    _native_class: type
    _python_derived: bool

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], native: type | None = None
    ) -> QtClass:
        cls = super().__new__(mcs, name, bases, namespace)
        if native is not None:
            cls._native_class = native
            cls._python_derived = False
        elif name != "QtInstance":
            cls._python_derived = True
        return cls

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], native: type | None = None
    ) -> None:
        super().__init__(name, bases, namespace)

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"


class ProxyClasses(dict[type, QtClass]):
    """The proxy class of each PySide6 class, made at first use."""

    build: Callable[[type], QtClass]
    """Set by ``class_builder``, whose classes need the functions below."""

    def __missing__(self, native: type) -> QtClass:
        self[native] = self.build(native)
        return self[native]


PROXY_CLASSES = ProxyClasses()


class QtInstance(metaclass=QtClass):
    """Base of all proxies (PythonQt's ``PythonQtInstanceWrapper``)."""

    # -- attributes ----------------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        # only reached when no descriptor of the class fits: dynamic properties and children by name, as in PythonQt
        if name.startswith("__") or name == "_native":
            raise AttributeError(name)
        native = alive(self)
        if isinstance(native, QtCore.QObject):
            if name.encode() in [bytes(key.data()) for key in native.dynamicPropertyNames()]:
                return wrap(native.property(name))
            for child in native.children():
                if child.objectName() == name:
                    return wrap(child)
        raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        descriptor = _static(type(self), name)
        if name in _INTERNAL or hasattr(type(descriptor), "__set__"):
            object.__setattr__(self, name, value)
            return
        if type(self)._python_derived:
            object.__setattr__(self, name, value)
            return
        native = alive(self)
        if isinstance(native, QtCore.QObject) and name.encode() in [
            bytes(k.data()) for k in native.dynamicPropertyNames()
        ]:
            native.setProperty(name, unwrap(value))
            return
        raise AttributeError(f"Attribute '{name}' does not exist or is not writable on {type(self).__name__}")

    # -- what PythonQt adds to every QObject ---------------------------------------------------------------------------
    def className(self) -> str:
        native = alive(self)
        return native.metaObject().className() if isinstance(native, QtCore.QObject) else type(self).__name__

    def connect(self, *arguments: Any) -> bool:
        """``connect(signal, callable)`` or ``connect(signal, receiver, slot)``; False when there is no such signal."""
        return connect(*_connection(self, arguments))

    def disconnect(self, *arguments: Any) -> bool:
        """As ``connect``; the name of a signal alone removes all of its connections, nothing removes all."""
        if not arguments:
            return signals.disconnect(alive(self))
        if len(arguments) == 1 and isinstance(arguments[0], str):
            return signals.disconnect(alive(self), arguments[0])
        sender, signal, target = _connection(self, arguments)
        return signals.disconnect(alive(sender), signal, target)

    def __bool__(self) -> bool:
        """False after deletion, and for a layout without items, as PythonQt has it."""
        if not shiboken6.isValid(self._native):
            return False
        return not isinstance(self._native, QtWidgets.QLayout) or self._native.count() > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QtInstance):
            return NotImplemented
        if self is other or self._native is other._native:
            return True
        if isinstance(self._native, QtCore.QObject) or isinstance(other._native, QtCore.QObject):
            return False
        return bool(self._native == other._native)

    def __hash__(self) -> int:
        return id(self._native)

    def __repr__(self) -> str:
        if not shiboken6.isValid(self._native):
            return f"<deleted {type(self).__name__}>"
        name = self._native.objectName() if isinstance(self._native, QtCore.QObject) else ""
        return f"{type(self).__name__} (stand-in{', name ' + repr(name) if name else ''})"

    def __str__(self) -> str:
        return repr(self)


def _connection(proxy: QtInstance, arguments: tuple[Any, ...]) -> tuple[QtInstance, str, Callable[..., Any]]:
    """Sender, signal and callable of ``connect(signal, f)``, ``connect(signal, receiver, slot)`` or
    ``connect(sender, signal, receiver, slot)``."""
    if len(arguments) in (3, 4) and isinstance(arguments[0], QtInstance):
        sender, arguments = arguments[0], arguments[1:]
    else:
        sender = proxy
    if len(arguments) == 3 and isinstance(arguments[2], str):
        signal, receiver, slot = arguments
        arguments = (signal, getattr(receiver, slot.lstrip("012").split("(")[0]))
    if len(arguments) != 2 or not isinstance(arguments[0], str) or not callable(arguments[1]):
        raise ValueError(f"Called connect with wrong arguments: {arguments!r}")
    return sender, arguments[0], arguments[1]


def connect(proxy: QtInstance, signature: str, target: Callable[..., Any]) -> bool:
    """Connect a Python callable; False (and a line on stderr) when the object has no such signal."""

    def receive(*arguments: Any) -> None:
        RUNTIME.run(target, signals.trimmed(target, tuple(wrap(argument) for argument in arguments)))

    connected = signals.connect(alive(proxy), signature, target, receive)
    if not connected:
        print(f"{type(proxy).__name__}: no such signal: {signature}", file=sys.stderr)
    return connected


def _static(cls: type, name: str) -> Any:
    for klass in cls.__mro__:
        if name in klass.__dict__:
            return klass.__dict__[name]
    return None


def adopt(proxy: QtInstance, native: Any) -> None:
    """Tie a proxy to its PySide6 object."""
    object.__setattr__(proxy, "_native", native)
    if not isinstance(native, QtCore.QEvent):  # thousands come by, each once
        _proxies[id(native)] = proxy
    if type(proxy)._python_derived:
        native._proxy = proxy  # virtual functions find their Python side; the pair lives as long as its Qt parent


def alive(proxy: QtInstance) -> Any:
    """The PySide6 object; ValueError after its C++ side was deleted, as PythonQt says it."""
    native = proxy.__dict__.get("_native")
    if native is None:
        raise ValueError(f"{type(proxy).__name__}.__init__() was not called")
    if not shiboken6.isValid(native):
        raise ValueError(f"Trying to use a destroyed {type(proxy).__name__} object")
    return native


def wrap(value: Any) -> Any:
    """What Python code sees of a value that came from Qt: proxies, ints for enums, tuples for lists."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, QtCore.QObject):
        return wrap_native(value)
    if isinstance(value, (bool, str, bytes)):
        return value
    if isinstance(value, enum.Enum):
        return int(value.value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(wrap(item) for item in value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    if isinstance(value, Shiboken.Object):
        return wrap_native(value)
    if isinstance(value, type) and issubclass(value, Shiboken.Object):
        return wrap_class(value)
    return value


def wrap_native(native: Any) -> QtInstance:
    """The proxy of a PySide6 object; the same one as long as somebody holds it."""
    proxy = _proxies.get(id(native))
    if proxy is not None and proxy._native is native:
        return proxy
    held = getattr(native, "_proxy", None)
    if isinstance(held, QtInstance):
        return held
    cls = wrap_class(type(native))
    proxy = cls.__new__(cls)
    adopt(proxy, native)
    return proxy


def wrap_class(native: type) -> QtClass:
    """The proxy class of a PySide6 class, made at first use."""
    return PROXY_CLASSES[native]


def unwrap(value: Any) -> Any:
    """What Qt gets of a value from Python; callables are guarded so that their exceptions are recorded."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, QtInstance):
        return alive(value)
    if isinstance(value, QtClass):
        return value._native_class
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(item) for item in value)
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    return value


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A Python callable for Qt: wraps its arguments, records its exceptions, counts its time."""

    def call(*arguments: Any) -> Any:
        wrapped = tuple(wrap(argument) for argument in arguments)
        return unwrap(RUNTIME.run(function, signals.trimmed(function, wrapped)))

    return call


def write_property(proxy: QtInstance, name: str, value: Any) -> None:
    """Set a Qt property. AttributeError, as in PythonQt, when it is read-only or does not accept the value."""
    native = alive(proxy)
    meta = native.metaObject()
    entry = meta.property(meta.indexOfProperty(name))
    if not entry.isWritable():
        raise AttributeError(f"Property '{name}' of {type(proxy).__name__} is not writable")
    try:
        converted = property_value(entry.typeName(), unwrap(value))
    except ValueError as error:
        raise AttributeError(f"Property '{name}' of {type(proxy).__name__}: {error}") from error
    if not native.setProperty(name, converted):
        raise AttributeError(f"Property '{name}' of {type(proxy).__name__} does not accept {value!r}")
