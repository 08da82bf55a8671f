"""Making the PySide6 object behind a new proxy, with Python overrides of virtual functions for Python subclasses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from desktop.pythonqt.conversion import fit_arguments, overloads
from desktop.pythonqt.descriptors import QtProperty, QtSignal
from desktop.pythonqt.proxies import QtClass, QtInstance, adopt, unwrap, wrap
from desktop.pythonqt.slot_runtime import RUNTIME

_FAILED = object()
_subclasses: dict[QtClass, type] = {}


def initialize(proxy: QtInstance, *arguments: Any, **keywords: Any) -> None:
    """``__init__`` of every proxy class."""
    if keywords:
        raise TypeError(f"{type(proxy).__name__}() does not take keyword arguments")
    adopt(proxy, construct(type(proxy), arguments))


def construct(cls: QtClass, arguments: tuple[Any, ...]) -> Any:
    """A new PySide6 object for the proxy class. ValueError when Qt has no such constructor."""
    native_class = _subclass(cls) if cls._python_derived else cls._native_class
    base = cls._native_class
    native_arguments = fit_arguments(overloads(base, "__init__", base), [unwrap(argument) for argument in arguments])
    try:
        return native_class(*native_arguments)
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"Could not find matching overload for given arguments: {cls.__name__}{arguments!r}"
        ) from error


def _subclass(cls: QtClass) -> type:
    if cls not in _subclasses:
        base = cls._native_class
        namespace = {name: _forward(name, base) for name in _overridden(cls, base)}
        namespace["_proxy"] = None
        _subclasses[cls] = type(base)(cls.__name__, (base,), namespace)
    return _subclasses[cls]


def _overridden(cls: QtClass, base: type) -> set[str]:
    """Methods of Qt that the Python class defines anew. Properties are left alone: PythonQt ignores those too."""
    names: set[str] = set()
    plain = next(klass for klass in cls.__mro__ if isinstance(klass, QtClass) and not klass._python_derived)
    for klass in cls.__mro__[: cls.__mro__.index(plain)]:
        names |= {name for name, value in vars(klass).items() if callable(value) and not name.startswith("_")}
    untouchable = {name for name in names if isinstance(vars(plain).get(name), (QtProperty, QtSignal))}
    return {name for name in names - untouchable if hasattr(base, name)}


def _forward(name: str, base: type) -> Callable[..., Any]:
    base_function = getattr(base, name)

    def virtual(native: Any, *arguments: Any) -> Any:
        proxy: QtInstance | None = native._proxy
        if proxy is None:  # called by Qt's constructor, before Python knows the object
            return base_function(native, *arguments)
        result = RUNTIME.run(getattr(type(proxy), name), (proxy, *map(wrap, arguments)), _FAILED)
        return base_function(native, *arguments) if result is _FAILED else unwrap(result)

    virtual.__name__ = name
    return virtual
