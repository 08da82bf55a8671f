"""Brings a part of the panel into sight."""

from __future__ import annotations

import qt


def scroll_to_top(widget) -> None:
    """Scroll the panel around ``widget`` (QWidget) so that it begins at the top, as far as the panel goes."""
    area = widget.parent()
    while area and not area.inherits("QScrollArea"):
        area = area.parent()
    if area:
        area.verticalScrollBar().setValue(widget.mapTo(area.widget(), qt.QPoint(0, 0)).y())
