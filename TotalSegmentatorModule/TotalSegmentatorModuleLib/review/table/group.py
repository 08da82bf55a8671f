"""A heading of the review's table with the rows below it.

The rows are made some at a time: most structures have no remarks and are not looked at. What is known here is not asked
of Qt: each answer costs as much as a cell.
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
        self._made: list[str] = []
        """Keys of the rows that are there, from top to bottom."""
        self._hidden: set[str] = set()
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
        return len(self._made) == len(self._keys)

    @property
    def is_open(self) -> bool:
        return self._view.isExpanded(self.index)

    def fill(self, rows: dict[str, ReviewRow], with_tg263: bool, at_most: int | None = None) -> int:
        """Make the rows that are not there yet, all or ``at_most`` so many; returns how many."""
        first = len(self._made)
        for place, key in enumerate(self._keys[first:][:at_most], first):
            self._heading.appendRow(self._items.make(rows[key], place, with_tg263))
            self._made.append(key)
        return len(self._made) - first

    def keys_in_sight(self) -> Iterator[str]:
        """Of the rows that no filter hides, from top to bottom; none below a closed heading."""
        if self.is_open:
            yield from (key for key in self._made if key not in self._hidden)

    def filter(self, rows: dict[str, ReviewRow], matches: Callable[[ReviewRow], bool]) -> bool:
        """Hide what does not match, the heading too if nothing does; returns whether anything does."""
        parent = self.index
        matching = {key for key in self._keys if matches(rows[key])}
        for place, key in enumerate(self._made):
            if (key in matching) == (key in self._hidden):
                self._view.setRowHidden(place, parent, key not in matching)
        self._hidden = {key for key in self._made if key not in matching}
        self._view.setRowHidden(parent.row(), qt.QModelIndex(), not matching)
        return bool(matching)

    def name(self, rows: dict[str, ReviewRow], matches: Callable[[ReviewRow], bool]) -> None:
        """Write the heading."""
        shown = [rows[key] for key in self._keys if matches(rows[key])]
        elsewhere = sum(row.kind != self.kind and row.has_flag(self.kind) for row in rows.values())
        self._heading.setText(group_text(self.kind, self.is_open, shown, len(self._keys), elsewhere))

    def sort(self, column: int, order: int) -> None:
        self._heading.sortChildren(column, order)
        children = (self._heading.child(place, Column.STATE) for place in range(len(self._made)))
        self._made = [child.data(KEY_ROLE) for child in children]
