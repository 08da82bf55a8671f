"""The review's table: a tree of headings and rows whose model is Qt's own.

A model of ours would be asked by Qt for each cell that it paints, in Python; QStandardItemModel answers by itself, so
that scrolling stays smooth, and is told only what has changed. What sorts a column stands in a role of its own:
PythonQt does not call a comparison written in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.review.table.group import TableGroup
from TotalSegmentatorModuleLib.review.table.items import KEY_ROLE, SORT_ROLE, Column, TableItems
from TotalSegmentatorModuleLib.review.table.rows import Kind, ReviewRow
from TotalSegmentatorModuleLib.review.table.texts import column_titles, column_tool_tips

_FIRST_OPEN = (*Kind.FROM_WORST[:2], Kind.UNCHECKED)
"""Headings that begin open: the others need no look."""
_ROWS_AT_ONCE = 15
"""Made in one go: a few milliseconds. The others follow when the application has time, or when they are needed."""
_UNSORTED = (Column.LEVEL, qt.Qt.AscendingOrder)
"""As the rows are made."""


class ReviewTable:
    """Fills a QTreeView. ``on_chosen`` is called with the key of the row that the user chooses, or None."""

    def __init__(self, view, on_chosen: Callable[[str | None], None]) -> None:
        self._view = view
        self._on_chosen = on_chosen
        self._rows: dict[str, ReviewRow] = {}
        self._items = TableItems(view.font)
        self._groups: dict[str, TableGroup] = {}
        self._ticker = Ticker(self._fill_some)
        self._open = {kind: kind in _FIRST_OPEN for kind in Kind.FROM_WORST}
        self._matches: Callable[[ReviewRow], bool] = lambda _row: True
        self._opens_all = False
        self._with_tg263 = False
        self._is_quiet = False
        self._sorted_by: tuple[int, int] = _UNSORTED
        self._chosen: str | None = None
        self._model = qt.QStandardItemModel()
        self._model.setHorizontalHeaderLabels(list(column_titles()))
        self._model.setSortRole(SORT_ROLE)
        for column, text in enumerate(column_tool_tips()):
            self._model.horizontalHeaderItem(column).setToolTip(text)
        view.setSelectionMode(qt.QAbstractItemView.ExtendedSelection)
        view.setModel(self._model)
        self._set_up_columns()
        self._selection = view.selectionModel()
        self._selection.connect("currentChanged(QModelIndex,QModelIndex)", self._on_current)
        view.connect("clicked(QModelIndex)", self._on_clicked)
        view.connect("expanded(QModelIndex)", lambda index: self._on_expanded(index, True))
        view.connect("collapsed(QModelIndex)", lambda index: self._on_expanded(index, False))

    # -- contents ------------------------------------------------------------------------------------------------------

    def show(self, rows: Sequence[ReviewRow], with_tg263: bool) -> None:
        """Show ``rows``, which are in their order; with TG-263 names where there are some."""
        former, self._rows = self._rows, {row.key: row for row in rows}
        is_same = [(key, row.kind) for key, row in former.items()] == [(row.key, row.kind) for row in rows]
        if is_same and with_tg263 == self._with_tg263:
            changed = [row for row in rows if row != former[row.key]]
            for row in changed:
                if row.key in self._items:
                    self._items.fill(row, self._with_tg263)
            if changed:
                self._apply_filter()
            return
        self._with_tg263 = with_tg263
        self._view.setColumnHidden(Column.DICE, all(row.dice is None for row in rows))
        self._view.setColumnHidden(Column.VOLUME, all(row.volume_ml is None for row in rows))
        self._view.setColumnHidden(Column.HU, all(row.mean_hu is None for row in rows))
        self._rebuild()

    def set_filter(self, matches: Callable[[ReviewRow], bool], opens_all: bool) -> None:
        """Hide the rows that do not match; ``opens_all`` opens the headings of those that do."""
        self._matches, self._opens_all = matches, opens_all
        self._apply_filter()

    def row(self, key: str | None) -> ReviewRow | None:
        return self._rows.get(key) if key is not None else None

    @property
    def rows(self) -> list[ReviewRow]:
        return list(self._rows.values())

    # -- what is chosen ------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> str | None:
        """Key of the row that is chosen. A heading that the user goes to leaves it as it is."""
        return self._chosen

    @property
    def selected(self) -> list[ReviewRow]:
        """The rows that are selected, of which the chosen one is the last that was clicked, in the order of the
        table."""
        indexes = self._selection.selectedRows(Column.STATE)
        keys = {index.data(KEY_ROLE) for index in indexes if index.parent().isValid()}
        return [row for row in self._rows.values() if row.key in keys]

    def choose(self, key: str | None) -> None:
        """Choose a row and bring it into sight; its heading is opened for as long as the row is chosen."""
        if key is None or key not in self._rows:
            self._selection.clear()
            self._set_chosen(None)
            return
        self._view.scrollTo(self._make_current(key))

    def expect(self, key: str) -> None:
        """The row ``key`` is to be chosen as soon as it is shown; nobody is told until then."""
        self._chosen = key

    def keys_in_sight(self) -> list[str]:
        """Keys of the rows below headings that are meant to be open, in the order of the screen: not of the one that is
        open only because the chosen row has come to stand there, which has been checked again."""
        open_groups = [group for kind, group in self._groups.items() if group.is_open and self._is_meant_open(kind)]
        for group in open_groups:
            self._fill(group)
        return [key for group in open_groups for key in group.keys_in_sight()]

    def close(self) -> None:
        self._ticker.dispose()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _set_up_columns(self) -> None:
        header = self._view.header()
        metrics = self._view.fontMetrics()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(20)
        widths = {Column.STATE: 24, Column.LEVEL: 24}
        for column, widest in ((Column.VOLUME, "0.888"), (Column.HU, "-888"), (Column.DICE, "Dice")):
            widths[column] = metrics.horizontalAdvance(widest) + 10
            self._model.horizontalHeaderItem(column).setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        for column in range(len(column_titles())):
            is_name = column == Column.NAME
            header.setSectionResizeMode(column, qt.QHeaderView.Stretch if is_name else qt.QHeaderView.Fixed)
            if not is_name:
                header.resizeSection(column, widths[column])
        header.setSectionsClickable(True)
        header.connect("sectionClicked(int)", self._on_header)

    def _rebuild(self) -> None:
        position = self._view.verticalScrollBar().value
        was_in_sight = self._is_in_sight(self._chosen)
        self._is_quiet = True
        try:
            self._model.removeRows(0, self._model.rowCount())
            self._items.clear()
            self._groups = {}
            for kind in Kind.FROM_WORST:
                rows = [row for row in self._rows.values() if row.kind == kind]
                if rows:
                    self._groups[kind] = TableGroup(kind, rows, self._view, self._model, self._items)
            is_new = self._chosen not in self._rows and not position
            self._apply_filter(_ROWS_AT_ONCE if is_new else None)
            if self._chosen in self._rows:
                self._make_current(self._chosen)
            else:
                self._selection.clear()
        finally:
            self._is_quiet = False
        self._view.verticalScrollBar().setValue(position)
        if self._chosen not in self._rows:
            self._set_chosen(None)
        elif was_in_sight:
            self._view.scrollTo(self._view.currentIndex())
        self._ticker.start()

    def _make_current(self, key: str):
        """Returns the QModelIndex of the row ``key``, whose heading is open now, and for as long as it is chosen."""
        group = self._groups[self._rows[key].kind]
        self._fill(group)
        index = self._model.indexFromItem(self._items.first(key))
        if not group.is_open:
            was_quiet, self._is_quiet = self._is_quiet, True
            self._view.setExpanded(group.index, True)
            self._is_quiet = was_quiet
            group.name(self._rows, self._matches)  # nobody listens to the view
        self._view.setCurrentIndex(index)
        return index

    def _is_meant_open(self, kind: str) -> bool:
        return self._opens_all or self._open[kind]

    def _is_in_sight(self, key: str | None) -> bool:
        if key is None or key not in self._items:
            return False
        place = self._view.visualRect(self._model.indexFromItem(self._items.first(key)))
        return not place.isEmpty() and self._view.viewport().rect.intersects(place)

    def _fill(self, group: TableGroup, at_most: int | None = None) -> int:
        """Make the rows of ``group`` that are not there yet; returns how many."""
        if group.is_filled:
            return 0
        was_quiet, self._is_quiet = self._is_quiet, True
        count = group.fill(self._rows, self._with_tg263, at_most)
        group.filter(self._rows, self._matches)
        if group.is_filled and self._sorted_by != _UNSORTED:
            group.sort(*self._sorted_by)
        self._is_quiet = was_quiet
        return count

    def _fill_some(self) -> int | None:
        waiting = [group for group in self._groups.values() if not group.is_filled]
        if not waiting:
            return None
        self._fill(next((group for group in waiting if group.is_open), waiting[0]), _ROWS_AT_ONCE)
        return 0

    def _apply_filter(self, at_most: int | None = None) -> None:
        """``at_most``: make no more rows than this now."""
        was_quiet, self._is_quiet = self._is_quiet, True
        for kind, group in self._groups.items():
            is_open = group.filter(self._rows, self._matches) and self._is_meant_open(kind)
            is_open = is_open or (self._chosen in self._rows and self._rows[self._chosen].kind == kind)
            if is_open and at_most is None:
                self._fill(group)
            elif is_open and at_most:
                at_most -= self._fill(group, at_most)
            self._view.setExpanded(group.index, is_open)
            group.name(self._rows, self._matches)
        self._is_quiet = was_quiet

    def _show_order(self) -> None:
        column, order = self._sorted_by
        for group in self._groups.values():
            group.sort(column, order)
        self._view.header().setSortIndicatorShown(column != Column.LEVEL)
        self._view.header().setSortIndicator(column, order)

    def _on_header(self, column: int) -> None:
        former, order = self._sorted_by
        is_again = column == former and column != Column.LEVEL
        falling = is_again and order == qt.Qt.AscendingOrder
        self._sorted_by = (column, qt.Qt.DescendingOrder if falling else qt.Qt.AscendingOrder)
        self._show_order()

    def _on_current(self, index, _former) -> None:
        if not self._is_quiet and index.isValid() and index.parent().isValid():
            self._set_chosen(index.sibling(index.row(), Column.STATE).data(KEY_ROLE))

    def _set_chosen(self, key: str | None) -> None:
        if key != self._chosen:
            self._chosen = key
            self._on_chosen(key)

    def _on_clicked(self, index) -> None:
        if not index.parent().isValid():
            self._fill(self._group_at(index))
            self._view.setExpanded(index, not self._view.isExpanded(index))

    def _on_expanded(self, index, is_open: bool) -> None:
        if not self._is_quiet and not index.parent().isValid():
            group = self._group_at(index)
            self._open[group.kind] = is_open
            group.name(self._rows, self._matches)

    def _group_at(self, index) -> TableGroup:
        return next(group for group in self._groups.values() if group.row == index.row())
