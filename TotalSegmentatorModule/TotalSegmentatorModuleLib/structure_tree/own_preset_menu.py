"""The menu for the user's own presets: save, rename, remove, share as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.own_presets import SUFFIX, own_id
from TotalSegmentatorWire.choice.presets import Preset, PresetRow
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.structure_tree.own_presets import OwnPresets
from TotalSegmentatorModuleLib.structure_tree.preset_choice import OWN

_KINDS = "JSON (*.json)"


class OwnPresetMenu:
    """A QPushButton with a menu. ``chosen_rows`` tells what would be saved: none where nothing or all of the model is
    chosen. ``on_changed`` gets the id of the preset that is to be chosen now, or nothing."""

    def __init__(
        self,
        button,
        chosen_rows: Callable[[], tuple[PresetRow, ...]],
        on_changed: Callable[[str], None],
        show_problem: Callable[[SegmentationError], None],
    ) -> None:
        self._button = button
        self._chosen_rows = chosen_rows
        self._on_changed = on_changed
        self._show_problem = show_problem
        self._store = OwnPresets(settings.presets_folder())
        self._title = ""
        """Of the own preset that is chosen."""
        self._menu = qt.QMenu(button)
        self._menu.setToolTipsVisible(True)
        self._save = self._add(_("&Save..."), _("Keep the ticked structures as a preset of your own"), self._on_save)
        self._rename = self._add(_("&Rename..."), _("Give your preset another name"), self._on_rename)
        self._remove = self._add(_("R&emove"), _("Delete your preset; segmentations stay"), self._on_remove)
        self._share = self._add(_("S&hare as file..."), _("Write your preset to a file for others"), self._on_share)
        self._add(_("&Import from file..."), _("Add a preset that somebody has shared"), self._on_import)
        button.setMenu(self._menu)

    @property
    def presets(self) -> dict[str, Preset]:
        """By their titles."""
        return self._store.presets

    def show(self, preset: str) -> None:
        """``preset``: id of the entry that is chosen in the list."""
        title = preset[len(OWN) :] if preset.startswith(OWN) else ""
        self._title = title if title in self.presets else ""
        self._save.setEnabled(bool(self._chosen_rows()))
        for action in (self._rename, self._remove, self._share):
            action.setEnabled(bool(self._title))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _add(self, text: str, tool_tip: str, on_chosen: Callable[[], None]):
        action = self._menu.addAction(text)
        action.setToolTip(tool_tip)
        action.connect("triggered(bool)", lambda _checked: self._run(on_chosen))
        return action

    def _run(self, on_chosen: Callable[[], None]) -> None:
        try:
            on_chosen()
        except SegmentationError as error:
            self._show_problem(error)

    def _ask_title(self, caption: str, title: str) -> str:
        """A name that is free, or that the user agrees to replace; empty where the user declines."""
        label = _("Name of the preset:")
        answer = (
            qt.QInputDialog.getText(slicer.util.mainWindow(), caption, label, qt.QLineEdit.Normal, title) or ""
        ).strip()
        if not answer or answer == title or answer not in self.presets:
            return answer
        question = _("There is a preset '{name}'. Replace it?").format(name=answer)
        return answer if slicer.util.confirmOkCancelDisplay(question, windowTitle=caption) else ""

    def _on_save(self) -> None:
        title = self._ask_title(_("Save preset"), self._title)
        if title:
            self._store.save(Preset(own_id(title), title, self._chosen_rows()))
            self._on_changed(OWN + title)

    def _on_rename(self) -> None:
        title = self._ask_title(_("Rename preset"), self._title)
        if title:
            self._store.rename(self._title, title)
            self._on_changed(OWN + title)

    def _on_remove(self) -> None:
        question = _("Remove your preset '{name}'? This cannot be undone.").format(name=self._title)
        if slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Remove preset")):
            self._store.remove(self._title)
            self._on_changed("")

    def _on_share(self) -> None:
        caption = _("Share preset")
        chosen = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), caption, self._title + SUFFIX, _KINDS)
        if chosen:
            self._store.share(self._title, Path(chosen))

    def _on_import(self) -> None:
        chosen = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Import preset"), "", _KINDS)
        if chosen:
            self._on_changed(OWN + self._store.take(Path(chosen)))
