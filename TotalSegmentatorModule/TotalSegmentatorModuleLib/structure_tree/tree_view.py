"""The tree of structures with its search line.

The rows are Qt's own items, and Qt itself compares them with the search: a model or a filter of ours would be asked for
each row in Python. They are made some at a time when the tree is opened, so that Slicer never waits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import qt
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.structure_tree.tree_items import WORDS_ROLE, TreeItems
from TotalSegmentatorModuleLib.structure_tree.tree_rows import TreeGroup, TreeRow

_ROWS_AT_ONCE = 20
"""Made in one go: a few milliseconds."""
_MODEL_WIDTH = "Head, neck"
"""A text as wide as the column of the models."""


class StructureTree:
    """The tree of Inputs.ui. ``on_ticked`` gets the names whose boxes the user has changed, and whether they
    are ticked now; ``on_clicked`` the row of a structure that the user has clicked."""

    def __init__(
        self,
        ui: Widgets,
        on_ticked: Callable[[Collection[str], bool], None],
        on_clicked: Callable[[TreeRow], None],
    ) -> None:
        self._ui = ui
        self._on_clicked = on_clicked
        self._regions: tuple[TreeGroup, ...] = ()
        self._making: Iterator[None] | None = None
        self._is_outdated = True
        view = ui.structuresTreeView
        self._model = qt.QStandardItemModel(view)
        self._model.setHorizontalHeaderLabels([_("Structure"), _("Found by")])
        self._items = TreeItems(self._model, on_ticked)
        self._filter = qt.QSortFilterProxyModel(view)
        self._filter.setFilterRole(WORDS_ROLE)
        self._filter.setRecursiveFilteringEnabled(True)
        self._filter.setSourceModel(self._model)
        self._ticker = Ticker(self._make_some)
        view.setModel(self._filter)
        header = view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(1, qt.QHeaderView.Fixed)
        header.resizeSection(1, view.fontMetrics().horizontalAdvance(_MODEL_WIDTH) + 16)
        view.connect("clicked(QModelIndex)", self._on_view_clicked)
        ui.searchLineEdit.connect("textChanged(QString)", self._on_search)
        ui.searchLineEdit.connect("returnPressed()", self._go_to_first)
        self._keys = [
            _key(ui.searchLineEdit, "Down", self._go_to_first),
            _key(ui.searchLineEdit, "Escape", ui.searchLineEdit.clear),
            _key(view, "Escape", self._leave_search),
        ]

    def show_regions(self, regions: tuple[TreeGroup, ...]) -> None:
        """Offer the structures of ``regions`` from now on; made when the tree is opened."""
        if regions != self._regions:
            self._regions, self._is_outdated = regions, True
            self._make_if_open()

    def set_open(self, is_open: bool) -> None:
        """Show the tree, or hide it."""
        self._ui.treeFrame.setVisible(is_open)
        self._make_if_open()

    def show_choice(
        self, names: Collection[str], models: Mapping[str, str], extra_title: str, extra: Sequence[tuple[str, str, str]]
    ) -> None:
        """The ticked structures, which model (id or folder) finds each structure, and what nobody computes: title,
        remark and tool tip."""
        self._items.show_ticked(names)
        self._items.show_models(models)
        self._items.show_extra(extra_title, extra)
        self._ui.structuresTreeView.viewport().update()

    def focus_search(self) -> None:
        self._ui.searchLineEdit.setFocus()
        self._ui.searchLineEdit.selectAll()

    def close(self) -> None:
        for key in self._keys:
            key.deleteLater()
        self._keys = []
        self._ticker.dispose()
        self._items.close()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _on_view_clicked(self, index) -> None:
        row = self._items.row_at(index)
        if row is not None:
            self._on_clicked(row)

    def _make_if_open(self) -> None:
        if self._is_outdated and not self._ui.treeFrame.isHidden():
            self._is_outdated = False
            self._making = self._items.rebuild(self._regions)
            self._ticker.start()

    def _make_some(self) -> int | None:
        for _row in range(_ROWS_AT_ONCE):
            if self._making is None or next(self._making, self) is self:
                self._making = None
                self._show_search()
                return None
        return 0

    def _on_search(self, text: str) -> None:
        words = text.casefold().split()
        self._items.set_search(words)
        # each word anywhere, in any order
        self._filter.setFilterRegularExpression("".join("(?=.*{})".format(re.escape(word)) for word in words))
        self._show_search()

    def _show_search(self) -> None:
        view, text = self._ui.structuresTreeView, self._ui.searchLineEdit.text.strip()
        if text:
            view.expandAll()
        nothing = bool(text) and self._making is None and not self._filter.rowCount()
        self._ui.nothingLabel.setText(_("No structure is called '{text}'.").format(text=text) if nothing else "")
        self._ui.nothingLabel.setVisible(nothing)

    def _first_with_box(self):
        """Index of the first region that holds the words: before the regions comes what has no box."""
        tops = [self._filter.index(row, 0) for row in range(self._filter.rowCount())]
        regions = (each for each in tops if self._filter.data(each, qt.Qt.CheckStateRole) is not None)
        return next(regions, self._filter.index(0, 0))

    def _go_to_first(self) -> None:
        """From the search to the first structure that was found, where the space bar ticks it; without a search to the
        first row."""
        view = self._ui.structuresTreeView
        is_search = bool(self._ui.searchLineEdit.text.strip())
        index = self._first_with_box() if is_search else self._filter.index(0, 0)
        while is_search and self._filter.rowCount(index):
            index = self._filter.index(0, 0, index)
        if index.isValid():
            view.setCurrentIndex(index)
            view.setFocus()

    def _leave_search(self) -> None:
        """From the tree back to the search, which is empty then."""
        self._ui.searchLineEdit.clear()
        self._ui.searchLineEdit.setFocus()


def _key(widget, key: str, action: Callable[[], None]):
    """``action`` is called when the key is pressed while ``widget`` has the focus."""
    shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
    shortcut.setContext(qt.Qt.WidgetShortcut)
    shortcut.connect("activated()", action)
    return shortcut
