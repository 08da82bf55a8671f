"""Boxes to tick in trees on a dark background."""

from __future__ import annotations

import qt

_DARK = 128
"""Of 255: a darker background counts as dark."""


def outline_boxes(panel) -> None:
    """Give the boxes of the trees (QTreeView) below ``panel`` an outline that is seen.

    Qt's style Fusion, which Slicer uses, fills an empty box with the tree's background and draws its outline darker
    than the window's colour, so that in a dark theme nothing is left of it. In a tree nothing else has that colour.
    """
    for view in panel.findChildren(qt.QTreeView):
        palette = view.palette
        if palette.color(qt.QPalette.Base).lightness() < _DARK:
            palette.setColor(qt.QPalette.Window, palette.color(qt.QPalette.Text))
            view.setPalette(palette)
