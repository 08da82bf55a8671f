"""Arguments of a Qt call as PythonQt would accept them, turned into what PySide6 wants.

PySide6 insists on enum objects and on exact types; PythonQt takes ints for enums and the ``str`` of anything for a
``QString``. The overload is chosen from the signatures that shiboken knows, first strictly, then leniently.
"""

from __future__ import annotations

import collections.abc
import enum
import inspect
import math
import operator
import types
import typing
from typing import Any

from shiboken6 import Shiboken
from shibokensupport.signature import get_signature

_NO_FIT = object()
_signatures: dict[tuple[type | None, str], list[list[inspect.Parameter]] | None] = {}


def overloads(owner: type | None, name: str, function: Any) -> list[list[inspect.Parameter]] | None:
    """Positional parameters of each overload without ``self``, or None where shiboken knows no signature."""
    key = (owner, name)
    if key not in _signatures:
        try:
            found = get_signature(function)
        except (AttributeError, TypeError, ValueError):
            found = None
        if found is None:
            _signatures[key] = None
        else:
            listed = found if isinstance(found, list) else [found]
            _signatures[key] = [_positional(signature) for signature in listed]
    return _signatures[key]


def _positional(signature: inspect.Signature) -> list[inspect.Parameter]:
    keep = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    parameters = [p for p in signature.parameters.values() if p.kind in keep]
    return parameters[1:] if parameters and parameters[0].name == "self" else parameters


def fit_arguments(choices: list[list[inspect.Parameter]] | None, arguments: list[Any]) -> list[Any]:
    """Arguments converted for the first overload that takes them; unchanged when none does (PySide6 then complains)."""
    if not choices:
        return arguments
    for loose in (False, True):
        for parameters in choices:
            fitted = _fit_all(parameters, arguments, loose)
            if fitted is not None:
                return fitted
    return arguments


def _fit_all(parameters: list[inspect.Parameter], arguments: list[Any], loose: bool) -> list[Any] | None:
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    variable = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
    if len(arguments) < len(required) or (len(arguments) > len(parameters) and not variable):
        return None
    fitted = []
    for index, argument in enumerate(arguments):
        parameter = parameters[min(index, len(parameters) - 1)]
        value = _fit(argument, parameter.annotation, loose)
        if value is _NO_FIT:
            return None
        fitted.append(value)
    return fitted


def _fit(value: Any, wanted: Any, loose: bool) -> Any:
    if wanted in (inspect.Parameter.empty, typing.Any, object):
        return value
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        for member in typing.get_args(wanted):
            fitted = _fit(value, member, loose)
            if fitted is not _NO_FIT:
                return fitted
        return _NO_FIT
    if wanted in (None, type(None)):
        return value if value is None else _NO_FIT
    if origin is not None:
        return _fit_generic(value, origin)
    if isinstance(wanted, type):
        return _fit_class(value, wanted, loose)
    return value


def _fit_generic(value: Any, origin: Any) -> Any:
    if origin is collections.abc.Callable:
        return value if callable(value) else _NO_FIT
    if origin is type:
        return value if isinstance(value, type) else _NO_FIT
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        return value if isinstance(value, dict) else _NO_FIT
    if isinstance(origin, type) and issubclass(origin, collections.abc.Iterable):
        return list(value) if isinstance(value, (list, tuple)) else _NO_FIT
    return value


def _fit_class(value: Any, wanted: type, loose: bool) -> Any:
    if issubclass(wanted, enum.Enum):
        return _fit_enum(value, wanted)
    if wanted is bool:
        return _fit_bool(value, loose)
    if wanted is int:
        return _fit_int(value, loose)
    if wanted is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if number or (loose and isinstance(value, bool)) else _NO_FIT
    if wanted is str:
        return value if isinstance(value, str) else (str(value) if loose else _NO_FIT)
    if wanted in (bytes, bytearray, memoryview):
        if isinstance(value, (bytes, bytearray)):
            return value
        return value.encode() if loose and isinstance(value, str) else _NO_FIT
    if isinstance(value, wanted):
        return value
    if value is None or isinstance(value, (bool, int, float)):
        return _NO_FIT
    if issubclass(wanted, Shiboken.Object) and loose:
        return value  # an implicit conversion (QPixmap to QIcon, str to QKeySequence); PySide6 decides
    return _NO_FIT


def _fit_enum(value: Any, wanted: type[enum.Enum]) -> Any:
    if isinstance(value, wanted):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return wanted(value)
        except ValueError:
            return _NO_FIT
    return _NO_FIT


def _fit_bool(value: Any, loose: bool) -> Any:
    if isinstance(value, bool):
        return value
    number = _whole_number(value) if loose else None
    return _NO_FIT if number is None else bool(number)


def _fit_int(value: Any, loose: bool) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _whole_number(value) if loose else None
    return _NO_FIT if number is None else number


def _whole_number(value: Any) -> int | None:
    """What PythonQt takes for an int or bool: numbers, never text, None, lists or other objects."""
    if isinstance(value, float):
        return math.floor(value)
    try:
        return operator.index(value)
    except TypeError:
        return None


def property_value(type_name: str, value: Any) -> Any:
    """Value for a Qt property of that type as PythonQt converts it: ``label.text = 5`` shows "5".

    Raises ValueError when there is no conversion.
    """
    if type_name == "QString":
        return str(value)
    if type_name in ("bool", "int"):
        number = _whole_number(value)
        if number is None:
            raise ValueError(f"a property of type {type_name} does not accept {value!r}")
        return bool(number) if type_name == "bool" else number
    if type_name == "double":
        if isinstance(value, str) or not hasattr(value, "__float__"):
            raise ValueError(f"a property of type double does not accept {value!r}")
        return float(value)
    if type_name == "QStringList":
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"a property of type QStringList does not accept {value!r}")
        return [str(item) for item in value]
    return value
