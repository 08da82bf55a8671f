"""Signals: both ways to connect, surplus arguments trimmed, False for a signal that does not exist."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6 import QtCore

from ..slot_runtime import RUNTIME
from .proxies import QtInstance, alive, unwrap, wrap


@dataclass
class _Connection:
    sender: weakref.ref[Any]  # weak: a timer that nobody else holds must die
    signal: str
    target: Callable[..., Any]
    relay: Callable[..., Any]
    handle: Any


_connections: dict[int, list[_Connection]] = {}


class QtSignal:
    """A signal of a Qt class; only objects have it, not the class."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, proxy: QtInstance | None, cls: type) -> BoundSignal:
        if proxy is None:
            raise AttributeError(f"type object '{cls.__name__}' has no attribute '{self.name}' (it is a signal)")
        alive(proxy)
        return BoundSignal(proxy, self.name)


class BoundSignal:
    """``object.signal``: can be connected, disconnected, and emitted by calling it."""

    def __init__(self, proxy: QtInstance, name: str) -> None:
        self._proxy = proxy
        self._name = name

    def connect(self, target: Callable[..., Any]) -> bool:
        return connect(self._proxy, _default_signature(self._proxy, self._name), target)

    def disconnect(self, target: Callable[..., Any] | None = None) -> bool:
        return disconnect(self._proxy, _default_signature(self._proxy, self._name), target)

    def emit(self, *arguments: Any) -> None:
        native = alive(self._proxy)
        name, _arity_of_signal = _find(native, _default_signature(self._proxy, self._name)) or (self._name, 0)
        getattr(native, name).emit(*[unwrap(argument) for argument in arguments])

    __call__ = emit


def connect_arguments(proxy: QtInstance, arguments: tuple[Any, ...]) -> bool:
    """``connect(signal, f)``, ``connect(signal, receiver, slot)``, ``connect(sender, signal, receiver, slot)``."""
    sender, signal, target = _parse(proxy, arguments)
    return connect(sender, signal, target)


def disconnect_arguments(proxy: QtInstance, arguments: tuple[Any, ...]) -> bool:
    """The counterparts; ``o.disconnect()`` alone removes all connections made from Python."""
    if not arguments:
        return _drop(proxy, lambda connection: True)
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return disconnect(proxy, arguments[0], None)
    sender, signal, target = _parse(proxy, arguments)
    return disconnect(sender, signal, target)


def _parse(proxy: QtInstance, arguments: tuple[Any, ...]) -> tuple[QtInstance, str, Callable[..., Any]]:
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
    native = alive(proxy)
    found = _find(native, signature)
    if found is None:
        print(f"{type(proxy).__name__}: no such signal: {signature}", file=sys.stderr)
        return False
    name, arity = found

    def relay(*arguments: Any) -> None:
        wrapped = tuple(wrap(argument) for argument in arguments[:arity])
        RUNTIME.run(target, trimmed(target, wrapped))

    bound = getattr(native, name)
    handle = bound.connect(_with_arity(relay, arity))
    entry = _Connection(weakref.ref(native), _normal(signature), target, relay, handle)
    key = id(native)
    if key not in _connections or not any(c.sender() is native for c in _connections[key]):
        _connections[key] = []
        native.destroyed.connect(lambda *_: _connections.pop(key, None))
    _connections[key].append(entry)
    return True


def _with_arity(relay: Callable[..., None], arity: int) -> Callable[..., None]:
    """The relay with exactly that many parameters: PySide6 chooses the signal's overload by them."""
    fixed: list[Callable[..., None]] = [
        lambda: relay(),
        lambda a: relay(a),
        lambda a, b: relay(a, b),
        lambda a, b, c: relay(a, b, c),
        lambda a, b, c, d: relay(a, b, c, d),
    ]
    return fixed[arity]


def disconnect(proxy: QtInstance, signature: str, target: Callable[..., Any] | None) -> bool:
    """Remove the connections of that signal and callable (all callables when None). True when there was one."""
    wanted = _normal(signature)
    return _drop(proxy, lambda c: c.signal == wanted and (target is None or c.target == target))


def _drop(proxy: QtInstance, chosen: Callable[[_Connection], bool]) -> bool:
    native = alive(proxy)
    entries = _connections.get(id(native), [])
    doomed = [entry for entry in entries if entry.sender() is native and chosen(entry)]
    for entry in doomed:
        if shiboken6.isValid(native):
            QtCore.QObject.disconnect(entry.handle)
        entries.remove(entry)
    return bool(doomed)


def trimmed(target: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """As many arguments as a Python function declares; ``*args`` and other callables get all of them."""
    function = getattr(target, "__func__", target)
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return arguments
    count = function.__code__.co_argcount - (1 if inspect.ismethod(target) else 0)
    return arguments[: max(count, 0)]


def _normal(signature: str) -> str:
    text = signature[1:] if signature[:1] == "2" else signature
    return QtCore.QMetaObject.normalizedSignature(text).data().decode()


def _find(native: Any, signature: str) -> tuple[str, int] | None:
    """Name of the PySide6 signal and number of arguments, or None."""
    wanted = _normal(signature)
    for known, name in getattr(native, "SLICER_SIGNALS", {}).items():
        if _normal(known) == wanted:
            return name, _arity(wanted)
    meta = native.metaObject()
    if meta.indexOfSignal(wanted) < 0 or "PyObject" in wanted:
        return None
    return wanted.split("(")[0], _arity(wanted)


def _arity(signature: str) -> int:
    inside = signature[signature.index("(") + 1 : -1]
    return inside.count(",") + 1 if inside else 0


def _default_signature(proxy: QtInstance, name: str) -> str:
    native = alive(proxy)
    for known in getattr(native, "SLICER_SIGNALS", {}):
        if known.split("(")[0] == name:
            return known
    meta = native.metaObject()
    found = [meta.method(index) for index in range(meta.methodCount())]
    named = [
        bytes(method.methodSignature().data()).decode()
        for method in found
        if method.methodType() == QtCore.QMetaMethod.Signal and bytes(method.name().data()).decode() == name
    ]
    return max(named, key=_arity)  # the full one: moc lists clones without the default arguments beside it


def disconnect_all(native: Any) -> None:
    """Remove everything that Python has connected to this object; for the end of a session."""
    for entry in _connections.pop(id(native), []):
        if entry.sender() is native and shiboken6.isValid(native):
            QtCore.QObject.disconnect(entry.handle)
