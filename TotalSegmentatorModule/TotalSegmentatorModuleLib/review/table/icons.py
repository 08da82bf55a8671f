"""The pictures of states and levels: each has a form of its own, so that nobody has to tell colours apart.

Qt tints the icons of a chosen row in its own colour; these stay as they are, the colour of a structure most of all.
"""

from __future__ import annotations

from functools import cache

import qt
from TotalSegmentatorWire.resources import ICONS_FOLDER

_SIZES = (16, 32, 48)
"""Pixels: for screens of simple, double and triple density."""


@cache
def icon(name: str):
    """QIcon of a review state (ReviewState's values) or of a Kind."""
    drawing = qt.QIcon(str(ICONS_FOLDER / "Review" / (name + ".svg")))
    return _untinted([drawing.pixmap(qt.QSize(size, size)) for size in _SIZES])


@cache
def swatch(colour: tuple[float, float, float]):
    """QIcon in one colour, 0..1 per channel."""
    picture = qt.QPixmap(_SIZES[0], _SIZES[0])
    picture.fill(qt.QColor.fromRgbF(*colour))
    return _untinted([picture])


def _untinted(pictures: list):
    made = qt.QIcon()
    for picture in pictures:
        for mode in (qt.QIcon.Normal, qt.QIcon.Selected):
            made.addPixmap(picture, mode)
    return made
