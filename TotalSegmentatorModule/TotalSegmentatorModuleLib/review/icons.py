"""The pictures of states and levels: each has a form of its own, so that nobody has to tell colours apart."""

from __future__ import annotations

from functools import cache

import qt
from TotalSegmentatorWire.resources import ICONS_FOLDER


@cache
def icon(name: str):
    """QIcon of a review state (ReviewState's values) or of a Kind."""
    path = str(ICONS_FOLDER / "Review" / (name + ".svg"))
    picture = qt.QIcon(path)
    picture.addFile(path, qt.QSize(), qt.QIcon.Selected)  # else Qt tints it in a chosen row
    return picture
