"""Sections of a low panel: the one that the user opens closes the others."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.scrolling import room_around, scroll_into_sight, scroll_to_top

LOW_PX = 700
"""Height of the panel below which two open sections cannot be seen together: that of a screen with 900 rows."""


class OneSection:
    """``buttons``: the ctkCollapsibleButtons of the sections. What a program opens or closes changes no other, and
    does not scroll."""

    def __init__(self, buttons: Sequence) -> None:
        self._buttons = tuple(buttons)
        self._opened = self._buttons[0]
        self._is_alone = False
        self._scroller = Ticker(self._scroll)
        for button in self._buttons:
            # Qt's signal for clicks and keys only; the arguments are bound here
            button.connect("clicked(bool)", lambda _is_open=False, button=button: self._on_clicked(button))

    def open(self, button) -> None:
        """Open a section for the user, who has asked for it elsewhere, and bring it into sight."""
        button.collapsed = False
        self._make_room(button)
        self._bring(button, is_alone=True)

    def close(self) -> None:
        self._scroller.dispose()

    def _on_clicked(self, button) -> None:
        if not button.collapsed:
            self._bring(button, is_alone=self._make_room(button))

    def _bring(self, button, is_alone: bool) -> None:
        """``is_alone``: others were closed, so that everything has moved."""
        self._opened, self._is_alone = button, is_alone
        self._scroller.start()  # when the section has got its height

    def _scroll(self) -> None:
        (scroll_to_top if self._is_alone else scroll_into_sight)(self._opened)

    def _make_room(self, button) -> bool:
        """Close the others where the panel is low; whether one was open."""
        room = room_around(button)
        others = [each for each in self._buttons if each is not button and not each.collapsed]
        if room is None or room >= LOW_PX:
            return False
        for each in others:
            each.collapsed = True
        return bool(others)
