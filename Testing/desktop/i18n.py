"""``slicer.i18n`` without translations: what the English user interface shows."""

from __future__ import annotations


def translate(context: str, text: str) -> str:
    """The text itself: the stand-in runs in English."""
    return text


def tr(text: str) -> str:
    """The text itself. TypeError for anything but text, which Slicer's translator would refuse too."""
    if not isinstance(text, str):
        raise TypeError(f"tr() needs text, not {type(text).__name__}")
    return text
