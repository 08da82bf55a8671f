"""Saves a text in a file that the user chooses."""

from __future__ import annotations

from pathlib import Path

import qt
from TotalSegmentatorWire.errors.problem import SegmentationError


def save_text(parent, title: str, file_name: str, kinds: str, text: str) -> None:
    """Ask for a file, with ``file_name`` as a proposal, and write ``text`` to it, all of it or nothing; nothing where
    the user declines. ``parent``: QWidget; ``kinds``: as QFileDialog's filter. Raises
    SegmentationError("OUTPUT_NOT_WRITABLE")."""
    chosen = qt.QFileDialog.getSaveFileName(parent, title, file_name, kinds)
    if not chosen:
        return
    path = Path(chosen)
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
