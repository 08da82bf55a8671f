"""The families of models as a list, in the Advanced section, with what there is to know about the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.catalogue import CatalogueModel

from TotalSegmentatorModuleLib.model_choice.families import (
    family_title,
    model_of_family,
    models_by_family,
    spacing_text,
    structure_names,
)
from TotalSegmentatorModuleLib.model_choice.installation import download_text
from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets

_OWN = "own"
"""Stands for OWN_FOLDER in the list."""


class FamilyChoice:
    """The upper part of Advanced.ui. ``on_chosen`` gets the model and the folder that the user chooses."""

    def __init__(self, ui: Widgets, on_chosen: Callable[[str, str], None]) -> None:
        self._ui = ui
        self._on_chosen = on_chosen
        self._parameters: SegmentationParameters | None = None
        ui.familyComboBox.connect("activated(int)", self._on_activated)
        follow_path(ui.modelFolderPathLineEdit, self._on_folder)

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        self._parameters = parameters

    def show(self, models_folder: Path | None) -> None:
        """Bring the widgets up to date with the parameter node. ``models_folder``: None where models need not be
        installed on this computer."""
        self._offer(models_folder)
        if self._parameters is None:
            return
        model = self._parameters.model
        family = CATALOGUE[model].family if model in CATALOGUE else _OWN
        self._ui.familyComboBox.setCurrentIndex(self._ui.familyComboBox.findData(family))
        if self._ui.modelFolderPathLineEdit.currentPath != self._parameters.modelFolder:
            self._ui.modelFolderPathLineEdit.currentPath = self._parameters.modelFolder
        for widget in (self._ui.modelFolderLabel, self._ui.modelFolderPathLineEdit):
            widget.setVisible(family == _OWN)
        self._ui.familyHelpLabel.setText(details_text(family, models_folder) if family != _OWN else _own_text())

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choice while a job runs."""
        self._ui.familyComboBox.setEnabled(is_enabled)
        self._ui.modelFolderPathLineEdit.setEnabled(is_enabled)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _offer(self, models_folder: Path | None) -> None:
        combo = self._ui.familyComboBox
        entries = [(list_text(family, models_folder), family) for family in models_by_family()]
        entries.append((_("Model folder..."), _OWN))
        if [combo.itemText(place) for place in range(combo.count)] == [text for text, _family in entries]:
            return
        combo.clear()
        for text, family in entries:
            combo.addItem(text, family)
            tool_tip = details_text(family, models_folder) if family != _OWN else _own_text()
            combo.setItemData(combo.count - 1, tool_tip, qt.Qt.ToolTipRole)

    def _on_activated(self, index: int) -> None:
        if self._parameters is None:
            return
        family, folder = self._ui.familyComboBox.itemData(index), self._parameters.modelFolder
        if family == _OWN:
            self._on_chosen(OWN_FOLDER, folder)
        else:
            self._on_chosen(model_of_family(family, self._parameters.model), folder)

    def _on_folder(self, path: str) -> None:
        if self._parameters is not None and self._parameters.modelFolder != path:
            self._on_chosen(self._parameters.model, path)


def list_text(family: str, models_folder: Path | None) -> str:
    """One line: what it finds, and whether it is installed."""
    models = models_by_family()[family]
    title = family_title(family)
    installed = [model for model in models if models_folder is None or model.is_installed(models_folder)]
    if len(installed) == len(models):
        return title
    if not installed:
        return _("{model}, not installed").format(model=title)
    return _("{model}, {spacing} installed").format(model=title, spacing=spacing_text(installed[0]))


def details_text(family: str, models_folder: Path | None) -> str:
    """What the models of a family find, in which quality, how large they are, whose they are."""
    models = models_by_family()[family]
    first = models[0]
    sentences = [
        _("{count} structures.").format(count=len(structure_names(first.id))),
        *(_model_text(model, models_folder) for model in models),
    ]
    if first.note:
        sentences.append(first.note)
    if first.small_training_set:
        sentences.append(_("Trained on few CTs: look at its results with special care."))
    sentences.append(_("Weights: {licence} according to the publisher.").format(licence=first.licence))
    return " ".join(sentences)


def _model_text(model: CatalogueModel, models_folder: Path | None) -> str:
    spacing = spacing_text(model) or _("As trained")
    if models_folder is None:
        return _("{spacing}.").format(spacing=spacing)
    state = _("installed") if model.is_installed(models_folder) else download_text(model.id)
    return _("{spacing}: {state}.").format(spacing=spacing, state=state)


def _own_text() -> str:
    return _("A trained nnU-Net v2 model of your own finds what it was trained for. Its own terms apply.")
