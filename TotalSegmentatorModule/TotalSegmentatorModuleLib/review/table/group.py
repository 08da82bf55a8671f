"""A heading of the review's table with the rows below it.

Below a closed heading the rows are made later, some at a time: most structures have no remarks and are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import qt

from TotalSegmentatorModuleLib.review.table.items import KEY_ROLE, Column, TableItems
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.review.table.texts import group_text


class TableGroup:
    """Of one Kind, in ``view`` (QTreeView) with ``model`` (QStandardItemModel); the rows have their items in
    ``items``."""

    def __init__(self, kind: str, rows: Sequence[ReviewRow], view, model, items: TableItems) -> None:
        self.kind = kind
        self._keys = [row.key for row in rows]
        self._view = view
        self._model = model
        self._items = items
        self._heading = items.heading(kind)
        model.appendRow(self._heading)
        view.setFirstColumnSpanned(model.rowCount() - 1, qt.QModelIndex(), True)

    @property
    def index(self):
        """QModelIndex of the heading."""
        return self._model.indexFromItem(self._heading)

    @property
    def row(self) -> int:
        """Place of the heading among all headings."""
        return self._heading.row()

    @property
    def is_filled(self) -> bool:
        return self._heading.rowCount() == len(self._keys)

    @property
    def is_open(self) -> bool:
        return self._view.isExpanded(self.index)

    def fill(self, rows: dict[str, ReviewRow], with_tg263: bool, at_most: int | None = None) -> None:
        """Make the rows that are not there yet, all or ``at_most`` so many."""
        first = self._heading.rowCount()
        for place, key in enumerate(self._keys[first:][:at_most], first):
            self._heading.appendRow(self._items.make(rows[key], place, with_tg263))

    def keys_in_sight(self) -> Iterator[str]:
        """Of the rows that no filter hides, from top to bottom; none below a closed heading."""
        parent = self.index
        if self._view.isExpanded(parent):
            for place in range(self._heading.rowCount()):
                if not self._view.isRowHidden(place, parent):
                    yield self._key_at(place)

    def filter(self, rows: dict[str, ReviewRow], matches: Callable[[ReviewRow], bool]) -> bool:
        """Hide what does not match, the heading too if nothing does; returns whether anything does."""
        parent = self.index
        for place in range(self._heading.rowCount()):
            is_hidden = not matches(rows[self._key_at(place)])
            if self._view.isRowHidden(place, parent) != is_hidden:
                self._view.setRowHidden(place, parent, is_hidden)
        is_any = any(matches(rows[key]) for key in self._keys)
        self._view.setRowHidden(parent.row(), qt.QModelIndex(), not is_any)
        return is_any

    def name(self, rows: dict[str, ReviewRow], matches: Callable[[ReviewRow], bool]) -> None:
        """Write the heading."""
        shown = [rows[key] for key in self._keys if matches(rows[key])]
        self._heading.setText(group_text(self.kind, self.is_open, shown, len(self._keys)))

    def sort(self, column: int, order: int) -> None:
        self._heading.sortChildren(column, order)

    def _key_at(self, place: int) -> str:
        return self._heading.child(place, Column.STATE).data(KEY_ROLE)
