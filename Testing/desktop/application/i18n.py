"""``slicer.i18n`` in English, or with the few translations that a test gives."""

from __future__ import annotations

from pathlib import Path

TRANSLATIONS: dict[tuple[str, str], str] = {}
"""(context, English) to the translation."""


def getContext(sourceFile: str) -> str:
    """The context of a Python file: its name, after its folder's name where that is a package."""
    file = Path(sourceFile)
    is_packaged = (file.parent / "__init__.py").is_file()
    return f"{file.parent.name}.{file.stem}" if is_packaged else file.stem


def translate(context: str, text: str) -> str:
    return TRANSLATIONS.get((context, text), text)


def tr(text: str) -> str:
    """The text itself. TypeError for anything but text, which Slicer's translator would refuse too."""
    if not isinstance(text, str):
        raise TypeError(f"tr() needs text, not {type(text).__name__}")
    return text
