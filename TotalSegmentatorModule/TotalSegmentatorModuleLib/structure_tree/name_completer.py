"""Completion in a line edit that holds a comma-separated list: proposes names for the entry that is being typed."""

from __future__ import annotations

import qt

from TotalSegmentatorModuleLib.structure_tree.name_list import complete_last_entry, last_entry


class StructureCompleter:
    """Completes the last entry of ``line_edit`` (QLineEdit).

    QLineEdit's own completer would replace the whole text, so the popup is driven from here.
    """

    def __init__(self, line_edit) -> None:
        self._line_edit = line_edit
        self._completer = None
        line_edit.connect("textEdited(QString)", self._on_edited)

    def set_names(self, names: list[str]) -> None:
        """Propose these names from now on."""
        if self._completer is not None:
            self._completer.disconnect("activated(QString)", self._on_chosen)
            self._completer.deleteLater()
        self._completer = qt.QCompleter(list(names), self._line_edit)
        self._completer.setCaseSensitivity(qt.Qt.CaseInsensitive)
        self._completer.setFilterMode(qt.Qt.MatchContains)
        self._completer.setWidget(self._line_edit)
        self._completer.connect("activated(QString)", self._on_chosen)

    def _on_edited(self, text: str) -> None:
        entry = last_entry(text).replace(" ", "_")
        if self._completer is None or not entry:
            return
        self._completer.setCompletionPrefix(entry)
        is_complete = self._completer.completionCount() == 1 and self._completer.currentCompletion() == entry
        if self._completer.completionCount() and not is_complete:
            self._completer.complete()
        else:
            self._completer.popup().hide()

    def _on_chosen(self, name: str) -> None:
        self._line_edit.setText(complete_last_entry(self._line_edit.text, name))
