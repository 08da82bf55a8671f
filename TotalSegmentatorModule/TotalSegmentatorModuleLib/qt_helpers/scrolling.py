"""Brings a part of the panel into sight."""

from __future__ import annotations

import qt

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker


class IntoSight:
    """Brings the newest of several parts of a panel into sight, when it has got its height."""

    def __init__(self) -> None:
        self._part = None
        self._ticker = Ticker(self._scroll)

    def bring(self, part) -> None:
        """``part``: a QWidget, which is passed over if it is hidden by then."""
        self._part = part
        self._ticker.start()

    def close(self) -> None:
        self._ticker.dispose()

    def _scroll(self) -> None:
        if self._part and self._part.visible:  # which may be gone by now
            scroll_into_sight(self._part)


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
