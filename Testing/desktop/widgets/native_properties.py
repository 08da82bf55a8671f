"""Shorthand for declaring Qt properties on the stand-in's own widget classes."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore


def stored(kind: Any, key: str, default: Any, changed: str = "") -> QtCore.Property:
    """A property that keeps its value on the object and calls the method ``changed`` (by name) after a change."""
    attribute = f"_stored_{key}"

    def read(self: Any) -> Any:
        return getattr(self, attribute, default)

    def write(self: Any, value: Any) -> None:
        if value == getattr(self, attribute, default):
            return
        setattr(self, attribute, value)
        if changed:
            getattr(self, changed)()

    return QtCore.Property(kind, read, write)


def setter(key: str) -> Any:
    """The slot that goes with ``stored``: ``setAddEnabled = setter("addEnabled")``."""

    def write(self: Any, value: Any) -> None:
        self.setProperty(key, value)

    return write
