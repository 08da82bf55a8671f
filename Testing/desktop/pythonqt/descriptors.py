"""What a proxy class holds for each name of its Qt class: methods, properties, signals and nested classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from desktop.pythonqt import signals
from desktop.pythonqt.conversion import fit_arguments, overloads
from desktop.pythonqt.proxies import (
    QtClass,
    QtInstance,
    alive,
    connect,
    guarded,
    unwrap,
    wrap,
    wrap_class,
    write_property,
)


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
    try:
        return wrap(function(*_native_arguments(function, owner, name, arguments) if arguments else ()))
    except TypeError as error:
        raise ValueError(f"Called {owner.__name__}.{name} with wrong arguments: {arguments!r}") from error


def _native_arguments(function: Any, owner: type, name: str, arguments: tuple[Any, ...]) -> list[Any]:
    native_arguments = [unwrap(argument) for argument in arguments]
    native_arguments = [
        guarded(argument) if callable(argument) and not isinstance(argument, type) else argument
        for argument in native_arguments
    ]
    return fit_arguments(overloads(owner, name, getattr(owner, name, function)), native_arguments)


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
        return connect(self._proxy, self._signature(), target)

    def disconnect(self, target: Callable[..., Any] | None = None) -> bool:
        return signals.disconnect(alive(self._proxy), self._signature(), target)

    def emit(self, *arguments: Any) -> None:
        native = alive(self._proxy)
        name, _arity = signals.find(native, self._signature()) or (self._name, 0)
        getattr(native, name).emit(*[unwrap(argument) for argument in arguments])

    def _signature(self) -> str:
        return signals.default_signature(alive(self._proxy), self._name)

    __call__ = emit


class QtNestedClass:
    def __init__(self, native: type) -> None:
        self.native = native

    def __get__(self, proxy: QtInstance | None, cls: type) -> QtClass:
        return wrap_class(self.native)
