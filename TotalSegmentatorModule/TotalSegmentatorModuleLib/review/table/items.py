"""The items of the review's table: what each cell shows, says to a screen reader, and is sorted by."""

from __future__ import annotations

from collections.abc import Callable

import qt
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.review.table.icons import icon, swatch
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.review.table.texts import (
    dice_tool_tip,
    hu_tool_tip,
    kind_title,
    row_tool_tip,
    shown_row_name,
    state_title,
    volume_tool_tip,
)
from TotalSegmentatorModuleLib.texts.quantities import volume_text


class Column:
    STATE, LEVEL, NAME, VOLUME, HU, DICE = range(6)

    NUMBERS = (VOLUME, HU, DICE)
    COUNT = 6


KEY_ROLE = qt.Qt.UserRole + 1
"""Key of the row, in its first item."""
SORT_ROLE = qt.Qt.UserRole + 2
"""What a column is sorted by."""
_STATES = list(ReviewState)
_NOTHING = -1e9
"""Sorts cells without a number before all others."""


class TableItems:
    """The items by the keys of their rows. ``font`` is that of the table."""

    def __init__(self, font) -> None:
        self._items: dict[str, list] = {}
        self._bold = qt.QFont(font)
        self._bold.setBold(True)

    def clear(self) -> None:
        self._items = {}

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def first(self, key: str):
        """The first item of a row."""
        return self._items[key][Column.STATE]

    def heading(self, kind: str):
        item = qt.QStandardItem()
        item.setSelectable(False)
        item.setFont(self._bold)
        item.setIcon(icon(kind))
        return item

    def make(self, row: ReviewRow, place: int, with_tg263: bool) -> list:
        """New items of a row, the ``place``-th below its heading as long as nobody sorts."""
        items = self._items[row.key] = [qt.QStandardItem() for _column in range(Column.COUNT)]
        for column in Column.NUMBERS:
            items[column].setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        items[Column.STATE].setData(row.key, KEY_ROLE)
        items[Column.LEVEL].setData(place, SORT_ROLE)
        items[Column.LEVEL].setIcon(icon(row.kind))
        items[Column.LEVEL].setAccessibleText(kind_title(row.kind))
        self.fill(row, with_tg263)
        return items

    def fill(self, row: ReviewRow, with_tg263: bool) -> None:
        """Bring the items of a row up to date."""
        items = self._items[row.key]
        items[Column.STATE].setIcon(icon(row.state.value))
        items[Column.STATE].setData(_STATES.index(row.state), SORT_ROLE)
        items[Column.STATE].setAccessibleText(state_title(row.state))
        items[Column.NAME].setText(shown_row_name(row, with_tg263))
        plain_name = row.tg263 if with_tg263 and row.tg263 else row.name
        items[Column.NAME].setData(plain_name.casefold(), SORT_ROLE)
        if row.colour is not None:
            items[Column.NAME].setIcon(swatch(row.colour))
        _fill_number(items[Column.VOLUME], row.volume_ml, volume_text, volume_tool_tip(row))
        _fill_number(items[Column.HU], row.mean_hu, "{:.0f}".format, hu_tool_tip(row))
        _fill_number(items[Column.DICE], row.dice, "{:.2f}".format, dice_tool_tip())
        tool_tip = row_tool_tip(row)
        for column in (Column.STATE, Column.NAME):
            items[column].setToolTip(tool_tip)


def _fill_number(item, number: float | None, form: Callable[[float], str], tool_tip: str) -> None:
    item.setText("" if number is None else form(number))
    item.setToolTip(tool_tip)
    item.setData(_NOTHING if number is None else float(number), SORT_ROLE)
