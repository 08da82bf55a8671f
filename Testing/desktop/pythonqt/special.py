"""Attributes that PythonQt's generated wrappers have and PySide6 has not, and dialogs that nobody can click."""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

from desktop.pythonqt.class_builder import SPECIAL
from desktop.pythonqt.destruction import destroy
from desktop.pythonqt.proxies import QtInstance, alive, unwrap, wrap
from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.pythonqt.ui_loader import load_ui_device

DIALOG_ANSWERS: collections.deque[Any] = collections.deque()
"""What the next modal dialogs answer, first in first out; a dialog without an answer is recorded as an error."""

SESSION_FOLDER: list[Path] = []
"""The temporary folder of the running session."""


def _refuse(keywords: dict[str, Any], name: str) -> None:
    if keywords:
        raise TypeError(f"{name}() does not take keyword arguments (PythonQt supports none)")


def _answer(name: str, default: Any) -> Any:
    if DIALOG_ANSWERS:
        return DIALOG_ANSWERS.popleft()
    RUNTIME.record(RuntimeError(f"{name} was opened, and the test has not said what the user answers"))
    return default


def _static_dialog(name: str, default: Any) -> staticmethod:
    def ask(*arguments: Any, **keywords: Any) -> Any:
        _refuse(keywords, name)
        return _answer(name, default)

    ask.__name__ = name
    return staticmethod(ask)


def _modal(self: QtInstance, *arguments: Any) -> int:
    native = alive(self)
    native.show()
    with RUNTIME.returned_to_event_loop():
        QtWidgets.QApplication.processEvents()
    answer = _answer(f"{type(self).__name__}.exec_()", 0)
    if callable(answer):
        answer = answer(self)
    if not _is_alive(self):
        return int(answer)
    if isinstance(native, QtWidgets.QMessageBox):
        native.hide()
    else:
        native.done(int(answer))
    return int(answer)


def _is_alive(proxy: QtInstance) -> bool:
    return bool(proxy)


def _settings_text(value: Any) -> Any:
    """Values as an INI file gives them back after a restart: text, and tuples of text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return tuple(_settings_text(item) for item in value)
    return str(value) if isinstance(value, (int, float)) else wrap(value)


def _settings_value(self: QtInstance, key: str, default: Any = None) -> Any:
    native: QtCore.QSettings = alive(self)
    return _settings_text(native.value(key)) if native.contains(key) else default


def _find_children(self: QtInstance, kind: Any = None, name: str = "") -> tuple[Any, ...]:
    native: QtCore.QObject = alive(self)
    if isinstance(kind, str):
        found = [child for child in native.findChildren(QtCore.QObject) if child.inherits(kind)]
        return wrap([child for child in found if not name or child.objectName() == name])
    wanted = unwrap(kind) if kind is not None else QtCore.QObject
    return wrap(native.findChildren(wanted, name) if name else native.findChildren(wanted))


def _find_child(self: QtInstance, kind: Any, name: str = "") -> Any:
    found = _find_children(self, kind, name)
    return found[0] if found else None


def _process_events(*arguments: Any) -> None:
    with RUNTIME.returned_to_event_loop():
        QtCore.QCoreApplication.processEvents()
        # processEvents leaves the deferred deletions to the loop's own level; a test has only this level
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)


def _run_loop(self: QtInstance, *arguments: Any) -> int:
    with RUNTIME.returned_to_event_loop():
        return alive(self).exec()


def _writable_location(*arguments: Any, **keywords: Any) -> str:
    """A folder of the session, never the home folder of whoever runs the tests."""
    _refuse(keywords, "writableLocation")
    return str(SESSION_FOLDER[0] / "locations" / QtCore.QStandardPaths.StandardLocation(*arguments).name)


def _load(self: QtInstance, device: Any, parent: Any = None) -> Any:
    return load_ui_device(unwrap(device), unwrap(parent))


def _delete(self: QtInstance) -> None:
    destroy(alive(self))


def install(overrides: dict[str, dict[str, Callable[..., Any]]] | None = None) -> None:
    """Fill the table that ``class_builder`` reads; called once before the first class is made."""
    yes = QtWidgets.QMessageBox.StandardButton.Yes.value
    SPECIAL.update(
        {
            "QObject": {"findChildren": _find_children, "findChild": _find_child, "delete": _delete},
            "QDialog": {"exec_": _modal, "exec": _modal},
            "QSettings": {"value": _settings_value},
            "QUiLoader": {"load": _load},
            "QStandardPaths": {"writableLocation": staticmethod(_writable_location)},
            "QEventLoop": {"exec_": _run_loop, "exec": _run_loop},
            "QCoreApplication": {"processEvents": staticmethod(_process_events)},
            "QFileDialog": {
                name: _static_dialog(f"QFileDialog.{name}", default)
                for name, default in (
                    ("getOpenFileName", ""),
                    ("getSaveFileName", ""),
                    ("getExistingDirectory", ""),
                    ("getOpenFileNames", ()),
                )
            },
            "QInputDialog": {
                name: _static_dialog(f"QInputDialog.{name}", default)
                for name, default in (("getText", ""), ("getInt", 0), ("getDouble", 0.0), ("getItem", ""))
            },
            "QMessageBox": {
                name: _static_dialog(f"QMessageBox.{name}", default)
                for name, default in (
                    ("question", yes),
                    ("information", 0),
                    ("warning", 0),
                    ("critical", 0),
                    ("about", None),
                )
            },
        }
    )
    for name, attributes in (overrides or {}).items():
        SPECIAL.setdefault(name, {}).update(attributes)
