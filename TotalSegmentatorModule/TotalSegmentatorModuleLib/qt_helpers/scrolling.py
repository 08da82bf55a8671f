"""Brings a part of the panel into sight."""

from __future__ import annotations

import qt


def scroll_to_top(widget) -> None:
    """Scroll the panel around ``widget`` (QWidget) so that it begins at the top, as far as the panel goes."""
    area = _area_around(widget)
    if area:
        area.verticalScrollBar().setValue(_top(widget, area))


def scroll_into_sight(widget) -> None:
    """Scroll the panel around ``widget`` (QWidget) as little as shows all of it, or its upper part."""
    area = _area_around(widget)
    if area:
        bar, top, room = area.verticalScrollBar(), _top(widget, area), area.viewport().height
        bar.setValue(min(max(bar.value, top + widget.height - room), top))


def room_around(widget) -> int | None:
    """Height in pixels of what can be seen at once of the panel around ``widget`` (QWidget); None outside of one."""
    area = _area_around(widget)
    return area.viewport().height if area else None


def _area_around(widget):
    area = widget.parent()
    while area and not area.inherits("QScrollArea"):
        area = area.parent()
    return area


def _top(widget, area) -> int:
    return widget.mapTo(area.widget(), qt.QPoint(0, 0)).y()
