"""Connections of PySide6 objects to Python callables, with Slicer's own signals and surplus arguments trimmed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6 import QtCore


@dataclass
class _Connection:
    signal: str
    target: Callable[..., Any]
    relay: Callable[..., Any]
    handle: Any


_connections: dict[int, list[_Connection]] = {}
"""By the address of the sender's C++ object. Its Python object may go and come back while the connections stay, and
another sender's may then be at the same place; holding it would keep a timer alive that nobody else holds."""


def connect(native: Any, signature: str, target: Callable[..., Any], receive: Callable[..., None]) -> bool:
    """Call ``receive`` with the signal's arguments on behalf of ``target``; False when there is no such signal."""
    found = find(native, signature)
    if found is None:
        return False
    name, arity = found

    def relay(*arguments: Any) -> None:
        receive(*arguments[:arity])

    handle = getattr(native, name).connect(_with_arity(relay, arity))
    key = _address(native)
    if key not in _connections:
        _connections[key] = []
        native.destroyed.connect(lambda *_: _connections.pop(key, None))
    _connections[key].append(_Connection(_normal(signature), target, relay, handle))
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


def disconnect(native: Any, signature: str | None = None, target: Callable[..., Any] | None = None) -> bool:
    """Remove the connections of that signal (None: of all) and callable (None: all). True when there was one."""
    wanted = None if signature is None else _normal(signature)
    entries = _connections.get(_address(native), [])
    doomed = [
        entry for entry in entries if wanted in (None, entry.signal) and (target is None or entry.target == target)
    ]
    for entry in doomed:
        QtCore.QObject.disconnect(entry.handle)
        entries.remove(entry)
    return bool(doomed)


def end_all() -> None:
    """Nobody listens any more: the application has quit. Some senders live as long as the process."""
    entries = [entry for several in _connections.values() for entry in several]
    _connections.clear()
    for entry in entries:
        QtCore.QObject.disconnect(entry.handle)


def _address(native: Any) -> int:
    return shiboken6.getCppPointer(native)[0]


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


def find(native: Any, signature: str) -> tuple[str, int] | None:
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


def default_signature(native: Any, name: str) -> str:
    """Signature of the signal of that name: Slicer's own, or Qt's with the most arguments."""
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
