"""Lists and dictionaries that write themselves back to the parameter node when they are changed."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class ObservedList(collections.abc.MutableSequence):
    """A list that is saved after every change; when saving fails it is what the node holds, and the error is raised."""

    def __init__(self, items: list[Any], save: Callable[[list[Any]], None], load: Callable[[], ObservedList]) -> None:
        self._items, self._save, self._load = items, save, load

    def _changed(self) -> None:
        try:
            self._save(self._items)
        finally:
            self._items = self._load()._items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._items[index] = value
        self._changed()

    def __delitem__(self, index: Any) -> None:
        del self._items[index]
        self._changed()

    def insert(self, index: int, value: Any) -> None:
        self._items.insert(index, value)
        self._changed()

    def extend(self, values: Iterable[Any]) -> None:
        self._items.extend(values)
        self._changed()

    def __iadd__(self, values: Iterable[Any]) -> ObservedList:
        self.extend(values)
        return self

    def __imul__(self, count: int) -> ObservedList:
        self._items *= count
        self._changed()
        return self

    def clear(self) -> None:
        self._items.clear()
        self._changed()

    def sort(self, *arguments: Any, **keywords: Any) -> None:
        self._items.sort(*arguments, **keywords)
        self._changed()

    def reverse(self) -> None:
        self._items.reverse()
        self._changed()

    def __add__(self, other: Any) -> Any:
        raise NotImplementedError("Adding an ObservedList is not supported. However, += is supported.")

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        raise NotImplementedError("Multiplying an ObservedList is not supported. However, *= is supported.")

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return self._items == (other._items if isinstance(other, ObservedList) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ObservedList({self._items})"


class ObservedDict(collections.abc.MutableMapping):
    """A dictionary that is saved after every change; when saving fails it is what the node holds."""

    def __init__(
        self, items: dict[Any, Any], save: Callable[[dict[Any, Any]], None], load: Callable[[], ObservedDict]
    ) -> None:
        self._items, self._save, self._load = items, save, load

    def _changed(self) -> None:
        try:
            self._save(self._items)
        finally:
            self._items = self._load()._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._items[key] = value
        self._changed()

    def __delitem__(self, key: Any) -> None:
        del self._items[key]
        self._changed()

    def popitem(self) -> tuple[Any, Any]:
        item = self._items.popitem()
        self._changed()
        return item

    def clear(self) -> None:
        self._items.clear()
        self._changed()

    def __repr__(self) -> str:
        return f"ObservedDict({self._items})"
