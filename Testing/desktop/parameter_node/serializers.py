"""How a value of each type is kept in the parameter node: with the names and texts that Slicer writes.

name -> parameter ``name``; nodes also as node reference ``name``; lists ``name.len`` and ``name.0`` ...; tuples
``name.0`` ...; unions ``name.0`` for the first member type, ``name.1`` for the second ...; dictionaries as
lists of tuples.
"""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer

from desktop.parameter_node.annotations import IsInstance, IsNone, NotNone, Validator, is_validator, splitAnnotations
from desktop.parameter_node.observed import ObservedDict, ObservedList

PATHS = (
    pathlib.Path,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)


class Serializer:
    """Reads and writes one value; ``validators`` run before writing."""

    caches = True

    def __init__(self, validators: list[Validator] | None = None) -> None:
        self.validators = validators or []

    def validate(self, value: Any) -> None:
        for validator in self.validators:
            validator.validate(value)

    def handles(self, kind: type) -> bool:
        """Whether a union may offer a value of this type to this member; ``validate`` has the last word."""
        return True

    def default(self) -> Any:
        raise NotImplementedError

    def isIn(self, node: Any, name: str) -> bool:
        return node.HasParameter(name)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        self._put(node, name, value)

    def _put(self, node: Any, name: str, value: Any) -> None:
        raise NotImplementedError

    def read(self, node: Any, name: str) -> Any:
        raise NotImplementedError

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class TextSerializer(Serializer):
    """A value that is kept as one text."""

    def __init__(
        self, default: Any, to_text: Callable[[Any], str], from_text: Callable[[str], Any], kinds: Any
    ) -> None:
        super().__init__([NotNone(), IsInstance(kinds)])
        self._handled = (int, float) if kinds in (int, (int, float)) else PATHS if kinds in PATHS else (kinds,)
        self._default, self._to_text, self._from_text = default, to_text, from_text

    def handles(self, kind: type) -> bool:
        return kind in self._handled  # the exact type: True is not an int here

    def default(self) -> Any:
        return self._default

    def _put(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, self._to_text(value))

    def read(self, node: Any, name: str) -> Any:
        return self._from_text(node.GetParameter(name))


class NodeSerializer(Serializer):
    """A MRML node, by reference."""

    def __init__(self, kind: type) -> None:
        super().__init__([IsInstance(kind)])

    def handles(self, kind: type) -> bool:
        return issubclass(kind, slicer.vtkMRMLNode)

    def default(self) -> Any:
        return None

    def _put(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneSerializer(Serializer):
    """The member None of a union."""

    def __init__(self) -> None:
        super().__init__([IsNone()])

    def handles(self, kind: type) -> bool:
        return kind is type(None)

    def default(self) -> Any:
        return None

    def _put(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "True")

    def read(self, node: Any, name: str) -> Any:
        return None


class EnumSerializer(Serializer):
    """An enum member, by name."""

    def __init__(self, kind: type[enum.Enum]) -> None:
        super().__init__([IsInstance(kind)])
        if not len(kind):
            raise ValueError("Cannot serialize empty Enum.")
        self._kind = kind

    def handles(self, kind: type) -> bool:
        return issubclass(kind, enum.Enum)

    def default(self) -> Any:
        return next(iter(self._kind))

    def _put(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> Any:
        key = node.GetParameter(name)
        try:
            return self._kind[key]
        except KeyError as error:
            raise ValueError(f"Found {key!r} in parameter node but it is not a name in {self._kind!r}") from error


class TupleSerializer(Serializer):
    def __init__(self, members: list[Serializer]) -> None:
        super().__init__()
        self._members = members
        self.caches = all(member.caches for member in members)

    def default(self) -> Any:
        return tuple(member.default() for member in self._members)

    def isIn(self, node: Any, name: str) -> bool:
        return self._members[0].isIn(node, f"{name}.0")

    def _put(self, node: Any, name: str, value: Any) -> None:
        if len(value) != len(self._members):
            raise ValueError("Unexpected number of tuple values")
        with slicer.util.NodeModify(node):
            for index, (member, item) in enumerate(zip(self._members, value, strict=True)):
                member.write(node, f"{name}.{index}", item)

    def read(self, node: Any, name: str) -> Any:
        return tuple(member.read(node, f"{name}.{index}") for index, member in enumerate(self._members))

    def remove(self, node: Any, name: str) -> None:
        for index, member in enumerate(self._members):
            member.remove(node, f"{name}.{index}")


class ListSerializer(Serializer):
    def __init__(self, element: Serializer) -> None:
        super().__init__()
        self._element = element
        self.caches = element.caches

    def default(self) -> Any:
        return []

    def isIn(self, node: Any, name: str) -> bool:
        return node.HasParameter(f"{name}.len")

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}.len")) if self.isIn(node, name) else 0

    def _put(self, node: Any, name: str, value: Any) -> None:
        values = list(value)
        for item in values:  # a wrong element must leave the old list untouched
            self._element.validate(item)
        with slicer.util.NodeModify(node):
            old_length = self._length(node, name)
            for index, item in enumerate(values):
                self._element.write(node, f"{name}.{index}", item)
            node.SetParameter(f"{name}.len", str(len(values)))
            for index in range(len(values), old_length):
                self._element.remove(node, f"{name}.{index}")

    def read(self, node: Any, name: str) -> Any:
        items = [self._element.read(node, f"{name}.{index}") for index in range(self._length(node, name))]
        return ObservedList(items, lambda changed: self.write(node, name, changed), lambda: self.read(node, name))

    def remove(self, node: Any, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index in range(self._length(node, name)):
                self._element.remove(node, f"{name}.{index}")
            node.UnsetParameter(f"{name}.len")


class DictSerializer(Serializer):
    def __init__(self, key: Serializer, value: Serializer) -> None:
        super().__init__()
        self._pairs = ListSerializer(TupleSerializer([key, value]))
        self.caches = self._pairs.caches

    def default(self) -> Any:
        return {}

    def isIn(self, node: Any, name: str) -> bool:
        return self._pairs.isIn(node, name)

    def _put(self, node: Any, name: str, value: Any) -> None:
        self._pairs.write(node, name, list(value.items()))

    def read(self, node: Any, name: str) -> Any:
        items = dict(self._pairs.read(node, name))
        return ObservedDict(items, lambda changed: self.write(node, name, changed), lambda: self.read(node, name))

    def remove(self, node: Any, name: str) -> None:
        self._pairs.remove(node, name)


class UnionSerializer(Serializer):
    """One of several types; ``Optional[X]`` is one with None as the second and default member."""

    def __init__(self, members: list[Serializer]) -> None:
        super().__init__()
        self._members = members
        self.caches = all(member.caches for member in members)

    def default(self) -> Any:
        if len(self._members) == 2 and isinstance(self._members[1], NoneSerializer):
            return None
        return self._members[0].default()

    def isIn(self, node: Any, name: str) -> bool:
        return any(member.isIn(node, f"{name}.{index}") for index, member in enumerate(self._members))

    def validate(self, value: Any) -> None:
        super().validate(value)
        self._member_for(value)

    def _member_for(self, value: Any) -> int:
        refusal: Exception = TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        for index, member in enumerate(self._members):
            if member.handles(type(value)):
                try:
                    member.validate(value)
                except (TypeError, ValueError) as error:
                    refusal = error
                else:
                    return index
        raise refusal

    def _put(self, node: Any, name: str, value: Any) -> None:
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            index = self._member_for(value)
            self._members[index].write(node, f"{name}.{index}", value)

    def read(self, node: Any, name: str) -> Any:
        for index, member in enumerate(self._members):
            if member.isIn(node, f"{name}.{index}"):
                return member.read(node, f"{name}.{index}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node: Any, name: str) -> None:
        for index, member in enumerate(self._members):
            member.remove(node, f"{name}.{index}")


def createSerializer(annotated: Any) -> Serializer:
    """The serializer of a possibly annotated type. TypeError when there is none."""
    kind, annotations = splitAnnotations(annotated)
    serializer = _plain(kind)
    serializer.validators = [*serializer.validators, *(a for a in annotations if is_validator(a))]
    return serializer


def _plain(kind: Any) -> Serializer:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return UnionSerializer([createSerializer(argument) for argument in arguments])
    if origin is list and len(arguments) == 1:
        return ListSerializer(createSerializer(arguments[0]))
    if origin is tuple and arguments:
        return TupleSerializer([createSerializer(argument) for argument in arguments])
    if origin is dict and len(arguments) == 2:
        return DictSerializer(createSerializer(arguments[0]), createSerializer(arguments[1]))
    if kind is type(None):
        return NoneSerializer()
    if kind is bool:
        return TextSerializer(False, lambda value: "True" if value else "False", lambda text: text == "True", bool)
    if kind is int:
        return TextSerializer(0, str, int, int)
    if kind is float:
        return TextSerializer(0.0, str, float, (int, float))
    if kind is str:
        return TextSerializer("", str, str, str)
    if kind in PATHS:
        return TextSerializer(kind(), str, kind, kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return EnumSerializer(kind)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeSerializer(kind)
    raise TypeError(f"Unable to create serializer for type: {kind}")
