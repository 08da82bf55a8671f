"""Which rows of the review are shown: the boxes above the table."""

from __future__ import annotations

from collections.abc import Callable, Collection

from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import GROUPS

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.table.rows import Kind, ReviewRow
from TotalSegmentatorModuleLib.review.table.texts import group_title, kind_title, state_title

_ALL = ""
_OPEN = "open"


class ReviewFilters:
    """``on_changed`` is called when another choice is made."""

    def __init__(self, ui: Widgets, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._groups: list[str] = []
        ui.stateComboBox.addItem(_("Any status"), _ALL)
        ui.stateComboBox.addItem(_("Still open"), _OPEN)
        for state in ReviewState:
            ui.stateComboBox.addItem(state_title(state), state.value)
        ui.levelComboBox.addItem(_("Any remark"), _ALL)
        for kind in Kind.FROM_WORST:
            ui.levelComboBox.addItem(kind_title(kind), kind)
        ui.groupComboBox.addItem(_("Any group"), _ALL)
        ui.filterLineEdit.connect("textChanged(QString)", lambda _text: on_changed())
        for combo in (ui.stateComboBox, ui.levelComboBox, ui.groupComboBox):
            combo.connect("currentIndexChanged(int)", lambda _index: on_changed())

    def offer_groups(self, rows: Collection[ReviewRow]) -> None:
        """Offer the groups that the rows have."""
        groups = [group for group in GROUPS if any(row.group == group for row in rows)]
        if groups == self._groups:
            return
        self._groups = groups
        combo = self._ui.groupComboBox
        chosen = combo.currentData
        was_blocked = combo.blockSignals(True)
        while combo.count > 1:
            combo.removeItem(combo.count - 1)
        for group in groups:
            combo.addItem(group_title(group), group)
        combo.setCurrentIndex(max(0, combo.findData(chosen)))
        combo.blockSignals(was_blocked)

    @property
    def is_narrow(self) -> bool:
        """Whether the user looks for something: then no heading stays closed over it."""
        ui = self._ui
        boxes = (ui.stateComboBox, ui.levelComboBox, ui.groupComboBox)
        return bool(ui.filterLineEdit.text.strip()) or any(box.currentData not in (_ALL, _OPEN) for box in boxes)

    def matches(self) -> Callable[[ReviewRow], bool]:
        """A predicate for the present choices."""
        ui = self._ui
        words = ui.filterLineEdit.text.casefold().split()
        state, kind, group = ui.stateComboBox.currentData, ui.levelComboBox.currentData, ui.groupComboBox.currentData

        def match(row: ReviewRow) -> bool:
            names = " ".join((row.name, row.key.replace("_", " "), row.tg263)).casefold()
            has_state = state == _ALL or (row.is_open if state == _OPEN else row.state.value == state)
            return (
                has_state
                and kind in (_ALL, row.kind)
                and group in (_ALL, row.group)
                and all(word in names for word in words)
            )

        return match
