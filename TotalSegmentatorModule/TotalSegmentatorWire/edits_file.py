"""Where the table of the edits of reviews lies; both sides may delete it."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.user_folders import data_folder


def edits_file() -> Path:
    """Among the user's data; it is there only where somebody has turned it on."""
    return data_folder() / "review-edits.csv"


def secret_beside(file: Path) -> Path:
    """What makes the numbers of its reviews."""
    return file.with_suffix(".secret")


def report_beside(file: Path) -> Path:
    """What the panel shows of it."""
    return file.with_suffix(".html")


def delete_edits(file: Path) -> None:
    """With its report, and the secret without which nobody can tell what the numbers stood for. Raises OSError."""
    for path in (file, report_beside(file), secret_beside(file), file.with_suffix(".lock")):
        path.unlink(missing_ok=True)
