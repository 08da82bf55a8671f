"""Follows a ctkPathLineEdit, whose own signal keeps silent when the line is emptied."""

from __future__ import annotations

from collections.abc import Callable


def follow_path(path_line, on_path: Callable[[str], None]) -> None:
    """Call ``on_path`` with the text of ``path_line`` (ctkPathLineEdit) whenever it changes, also to nothing.

    CTK takes an empty path for invalid input: it emits validInputChanged(false) then, and no currentPathChanged.
    """

    def on_validity(is_valid: bool) -> None:
        if not is_valid:
            on_path(path_line.currentPath)

    path_line.connect("currentPathChanged(QString)", on_path)
    path_line.connect("validInputChanged(bool)", on_validity)
