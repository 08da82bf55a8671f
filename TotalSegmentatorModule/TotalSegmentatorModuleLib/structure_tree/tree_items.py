"""The items of the tree: their boxes, which stay in step with the names that are ticked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import qt
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.structure_tree.texts import group_text, model_text, model_tool_tip
from TotalSegmentatorModuleLib.structure_tree.tree_rows import TreeGroup, TreeRow

WORDS_ROLE = qt.Qt.UserRole + 1
"""What the search looks through."""
_KEY_ROLE = qt.Qt.UserRole + 2
"""The structure's name, or the number of the group."""
_TICKABLE = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable
_TITLE, _MODEL = range(2)


class _Group:
    """A region or system, and how many of its structures are ticked."""

    def __init__(self, group: TreeGroup, parent: _Group | None) -> None:
        self.title = group.title
        self.rows = tuple(group.all_rows())
        self.parent = parent
        self.items: list = []
        self.shown: tuple = ()
        """The state that its items show."""


class TreeItems:
    """Fills ``model`` (QStandardItemModel), some rows at a time. ``on_ticked`` gets the names whose boxes the user has
    changed, and whether they are ticked now."""

    def __init__(self, model, on_ticked: Callable[[Collection[str], bool], None]) -> None:
        self._model = model
        self._on_ticked = on_ticked
        self._names: frozenset[str] = frozenset()
        self._models: Mapping[str, str] = {}
        self._groups: list[_Group] = []
        self._rows: dict[str, TreeRow] = {}
        self._items: dict[str, list] = {}
        self._group_of: dict[str, _Group] = {}
        self._words: tuple[str, ...] = ()
        self._extra: list = []
        self._extra_texts: tuple[str, Sequence[tuple[str, str, str]]] = ("", ())
        model.connect("itemChanged(QStandardItem*)", self._on_changed)

    def close(self) -> None:
        """No click is heard any more: the model would keep this object, and this object the model."""
        self._model.disconnect("itemChanged(QStandardItem*)", self._on_changed)

    def rebuild(self, regions: Sequence[TreeGroup]) -> Iterator[None]:
        """Make all items anew; each step makes a row."""
        self._model.removeRows(0, self._model.rowCount())
        self._groups, self._rows, self._items, self._group_of, self._extra = [], {}, {}, {}, []
        for region in regions:
            yield from self._make_group(region, None, self._model.invisibleRootItem())
        self.show_extra(*self._extra_texts)

    def show_ticked(self, names: Collection[str]) -> None:
        """Tick the structures ``names`` and no others."""
        former, self._names = self._names, frozenset(names)
        changed = former ^ self._names
        with self._quiet():
            for name in changed & self._items.keys():
                self._items[name][_TITLE].setCheckState(_state(name in self._names))
            for group in self._groups:
                self._show_group(group)

    def show_models(self, models: Mapping[str, str]) -> None:
        """Which model finds each structure: its id, or the user's own model folder."""
        former, self._models = self._models, models
        with self._quiet():
            for name, items in self._items.items():
                if former.get(name) != models.get(name):
                    self._show_model(name, items[_MODEL])

    def show_extra(self, title: str, rows: Sequence[tuple[str, str, str]]) -> None:
        """A first group of what has no box: title, remark and tool tip of each row; none without rows."""
        self._extra_texts = title, rows
        if self._extra:
            self._model.removeRow(self._extra[0].row())
            self._extra = []
        if not rows:
            return
        heading = _plain(title)
        for text, remark, tool_tip in rows:
            items = [_plain(text), _plain(remark)]
            for item in items:
                item.setToolTip(tool_tip or text)
            items[_TITLE].setData("{} {}".format(text, remark).casefold(), WORDS_ROLE)
            heading.appendRow(items)
            self._extra += items
        self._extra.insert(0, heading)
        self._model.insertRow(0, [heading, _plain("")])

    def row_at(self, index) -> TreeRow | None:
        """The structure in the row of ``index`` (QModelIndex of any model above this one); None elsewhere."""
        return self._rows.get(index.sibling(index.row(), _TITLE).data(_KEY_ROLE))

    def set_search(self, words: Sequence[str]) -> None:
        """A group's box then concerns only the structures that hold all ``words``."""
        self._words = tuple(words)

    @property
    def matching(self) -> int:
        """How many structures hold the words of the search."""
        return sum(row.matches(self._words) for row in self._rows.values())

    # -- inside --------------------------------------------------------------------------------------------------------

    def _make_group(self, tree_group: TreeGroup, parent: _Group | None, above) -> Iterator[None]:
        group = _Group(tree_group, parent)
        title, beside = qt.QStandardItem(tree_group.title), _plain("")
        title.setFlags(_TICKABLE)
        title.setData(len(self._groups), _KEY_ROLE)
        title.setToolTip(_("Tick or untick all structures below"))
        group.items = [title, beside]
        self._groups.append(group)
        with self._quiet():
            self._show_group(group)
        above.appendRow(group.items)
        for inner in tree_group.groups:
            yield from self._make_group(inner, group, title)
        for row in tree_group.rows:
            title.appendRow(self._make_row(row, group))
            yield

    def _make_row(self, row: TreeRow, group: _Group) -> list:
        title, model = qt.QStandardItem(row.title), _plain("")
        self._show_model(row.name, model)
        title.setFlags(_TICKABLE)
        title.setCheckState(_state(row.name in self._names))
        title.setData(row.words, WORDS_ROLE)
        title.setData(row.name, _KEY_ROLE)
        if row.tg263_name:
            title.setToolTip(_("{structure} (TG-263: {name})").format(structure=row.title, name=row.tg263_name))
        self._rows[row.name], self._group_of[row.name] = row, group
        self._items[row.name] = [title, model]
        return self._items[row.name]

    def _show_model(self, name: str, item) -> None:
        model = self._models.get(name, "")
        item.setText(model_text(model) if model else "")
        item.setToolTip(model_tool_tip(model))

    def _show_group(self, group: _Group) -> None:
        count = sum(row.name in self._names for row in group.rows)
        if group.shown == (count,):
            return
        group.shown = (count,)
        title = group.items[_TITLE]
        is_some = 0 < count < len(group.rows)
        title.setCheckState(qt.Qt.PartiallyChecked if is_some else _state(count > 0))
        title.setText(group_text(group.title, count, len(group.rows)))

    def _on_changed(self, item) -> None:
        """The user has clicked a box, or pressed the space bar on it."""
        key = item.data(_KEY_ROLE)
        is_ticked = item.checkState() == qt.Qt.Checked
        if key in self._rows:
            names = {key}
        else:
            group = self._groups[int(key)]
            names = {row.name for row in group.rows if row.matches(self._words)}
            if names and names <= self._names and is_ticked:
                is_ticked = False  # all that the search shows are ticked already: a partial box would never untick them
            group.shown = ()  # the box shows the click, which is not what a search makes of it
        self._on_ticked(names, is_ticked)

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """Changes within are no clicks; the view has to be painted afterwards."""
        was_blocked = self._model.blockSignals(True)
        try:
            yield
        finally:
            self._model.blockSignals(was_blocked)


def _plain(text: str):
    item = qt.QStandardItem(text)
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    return item


def _state(is_ticked: bool) -> int:
    return qt.Qt.Checked if is_ticked else qt.Qt.Unchecked
