"""The list of presets: those of the program, the user's own, and "Chosen structures" for any other choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.presets import WHOLE_BODY

ALL, NOTHING, CHOSEN = WHOLE_BODY, "nothing", "chosen"
"""Ids beside those of presets: all of the model; no box is ticked; names that make no preset."""
OWN = "own:"
"""Before the name of one of the user's own presets."""


@dataclass(frozen=True)
class PresetNames:
    """One entry of the list, and the structures that it stands for: none where it stands for all of the model."""

    id: str
    title: str
    names: tuple[str, ...]
    tool_tip: str = ""


class PresetChoice:
    """Fills a QComboBox. ``on_chosen`` gets the id of what the user chooses."""

    def __init__(self, combo, on_chosen: Callable[[str], None]) -> None:
        self._combo = combo
        self._on_chosen = on_chosen
        self._entries: tuple[PresetNames, ...] = ()
        combo.connect("activated(int)", self._on_activated)

    def offer(self, all_title: str, entries: Sequence[PresetNames]) -> None:
        """``all_title``: what the first entry calls all structures of the model; ``entries``: the presets, those of the
        user last."""
        shown = (PresetNames(ALL, all_title, ()), *entries, PresetNames(CHOSEN, _("Chosen structures"), ()))
        if shown == self._entries:
            return
        self._entries = shown
        self._combo.clear()
        first_own = next((entry.id for entry in entries if entry.id.startswith(OWN)), None)
        for entry in shown:
            if entry.id in (CHOSEN, first_own):
                self._combo.insertSeparator(self._combo.count)
            self._combo.addItem(entry.title, entry.id)
            self._combo.setItemData(self._combo.count - 1, entry.tool_tip or entry.title, qt.Qt.ToolTipRole)

    def show(self, preset: str) -> None:
        """Show the entry ``preset``; NOTHING counts as CHOSEN."""
        index = self._combo.findData(CHOSEN if preset == NOTHING else preset)
        self._combo.setCurrentIndex(index)

    def _on_activated(self, index: int) -> None:
        self._on_chosen(self._combo.itemData(index))
