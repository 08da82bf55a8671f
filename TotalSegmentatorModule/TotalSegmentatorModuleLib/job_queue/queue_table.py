"""The list of the queue: a line for each CT."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import qt
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.job_queue.queued_ct import QueuedCt
from TotalSegmentatorModuleLib.job_queue.texts import line_tool_tip, state_text

_ID_ROLE = qt.Qt.UserRole + 1
_TITLE, _STATE = 0, 1


class QueueTable:
    """Fills a QTreeView. ``on_selected`` is called when other lines are selected."""

    def __init__(self, view, on_selected: Callable[[], None]) -> None:
        self._view = view
        self._shown: list[tuple] = []
        self._model = qt.QStandardItemModel()
        self._model.setHorizontalHeaderLabels([_("CT"), _("State")])
        view.setSelectionMode(qt.QAbstractItemView.ExtendedSelection)
        view.setModel(self._model)
        header = view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_TITLE, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(_STATE, qt.QHeaderView.ResizeToContents)
        self._selection = view.selectionModel()
        self._selection.connect("selectionChanged(QItemSelection,QItemSelection)", on_selected)

    def show(self, items: Iterable[QueuedCt]) -> None:
        """Lines that are as before are left alone, and what is selected stays."""
        items = list(items)
        if [item.id for item in items] != [shown[0] for shown in self._shown]:
            selected = self.selected_ids()
            self._model.removeRows(0, self._model.rowCount())
            self._shown = []
            for item in items:
                cells = [qt.QStandardItem(), qt.QStandardItem()]
                cells[_TITLE].setData(item.id, _ID_ROLE)
                self._model.appendRow(cells)
                self._shown.append((item.id, "", "", ""))
            self._select(selected)
        for row, item in enumerate(items):
            texts = (item.id, item.title, state_text(item), line_tool_tip(item))
            if texts != self._shown[row]:
                self._shown[row] = texts
                for column, text in ((_TITLE, item.title), (_STATE, state_text(item))):
                    cell = self._model.item(row, column)
                    cell.setText(text)
                    cell.setToolTip(texts[3])

    def selected_ids(self) -> list[str]:
        """In the order of the list."""
        rows = sorted(index.row() for index in self._selection.selectedRows(_TITLE))
        return [self._model.item(row, _TITLE).data(_ID_ROLE) for row in rows]

    def _select(self, ids: list[str]) -> None:
        for row in range(self._model.rowCount()):
            if self._model.item(row, _TITLE).data(_ID_ROLE) in ids:
                flags = qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows
                self._selection.select(self._model.index(row, _TITLE), flags)
