"""The upper part of the panel: CT, model, structures, device, output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER, initial_model, keep_model, model_choices
from TotalSegmentatorModuleLib.panel.device_choices import device_choices
from TotalSegmentatorModuleLib.panel.structure_completer import StructureCompleter
from TotalSegmentatorModuleLib.panel.structure_names import known_names, parse_names, unknown_name
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.volumes import only_ct
from TotalSegmentatorModuleLib.texts.errors import problem_texts


class InputsSection:
    """Keeps the widgets and the parameter node in sync. ``on_changed`` is called when Apply may have to change.

    The CT, the structures and the output are connected by the parameter node itself (SlicerParameterName in Inputs.ui);
    what needs more than that is connected here.
    """

    def __init__(self, ui: Widgets, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._parameters: SegmentationParameters | None = None
        self._known_for: tuple[str, str] | None = None
        self._known: list[str] = []
        self._model_ids: list[str] = []
        self._is_enabled = True
        self._is_on_server = False
        ui.inputSelector.setMRMLScene(slicer.mrmlScene)
        ui.outputSelector.setMRMLScene(slicer.mrmlScene)
        self._devices = device_choices()
        for device, title in self._devices:
            ui.deviceComboBox.addItem(title, device)
        self._completer = StructureCompleter(ui.structuresLineEdit)
        self.refresh_models()
        ui.modelComboBox.connect("activated(int)", self._on_model_activated)
        ui.deviceComboBox.connect("activated(int)", self._on_device_activated)
        follow_path(ui.modelFolderPathLineEdit, self._on_model_folder_changed)

    # -- parameter node ------------------------------------------------------------------------------------------------

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show ``parameters`` from now on; None while there is no scene."""
        self._parameters = parameters
        if parameters is None:
            return
        self._set_defaults(parameters)
        self.choose_only_ct()
        self.show_parameters()

    def _set_defaults(self, parameters: SegmentationParameters) -> None:
        """A new scene begins with what was chosen last; what a scene holds and this computer lacks is replaced, too."""
        if not parameters.isModelChosen or parameters.model not in self._model_ids:
            model, folder = initial_model(settings.models_folder())
            if parameters.modelFolder == "":
                parameters.modelFolder = folder
            parameters.model = model
            if parameters.device == "auto":
                parameters.device = settings.text(settings.DEVICE) or "auto"
        if parameters.device not in dict(self._devices):
            parameters.device = "auto"

    def choose_only_ct(self) -> None:
        """Choose the only CT in the scene if none was chosen."""
        if self._parameters is not None and self._parameters.inputVolume is None:
            ct = only_ct()
            if ct is not None:
                self._parameters.inputVolume = ct

    def show_parameters(self) -> None:
        """Bring the widgets that are connected here up to date with the parameter node."""
        if self._parameters is None:
            return
        _select(self._ui.modelComboBox, self._parameters.model)
        _select(self._ui.deviceComboBox, self._parameters.device)
        if self._ui.modelFolderPathLineEdit.currentPath != self._parameters.modelFolder:
            self._ui.modelFolderPathLineEdit.currentPath = self._parameters.modelFolder
        is_own = self._parameters.model == OWN_FOLDER
        self._ui.modelFolderLabel.setVisible(is_own)
        self._ui.modelFolderPathLineEdit.setVisible(is_own)
        self._ui.modelComboBox.setToolTip(self._ui.modelComboBox.currentText)
        self._show_structures()

    def refresh_models(self) -> None:
        """Read again which models are installed."""
        combo = self._ui.modelComboBox
        combo.clear()
        choices = model_choices(None if self._is_on_server else settings.models_folder())
        self._model_ids = [choice.id for choice in choices]
        for choice in choices:
            combo.addItem(choice.title, choice.id)
        self.show_parameters()

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choices while a job runs."""
        ui = self._ui
        self._is_enabled = is_enabled
        for choice in (ui.inputSelector, ui.modelComboBox, ui.modelFolderPathLineEdit, ui.structuresLineEdit):
            choice.setEnabled(is_enabled)
        ui.outputSelector.setEnabled(is_enabled)
        ui.deviceComboBox.setEnabled(is_enabled and not self._is_on_server)

    def set_on_server(self, is_on_server: bool) -> None:
        """Whether jobs run on the department server, which has its own models and devices."""
        if is_on_server != self._is_on_server:
            self._is_on_server = is_on_server
            self.set_enabled(self._is_enabled)
            self.refresh_models()

    # -- what is chosen ------------------------------------------------------------------------------------------------

    @property
    def ct(self):
        """The chosen vtkMRMLScalarVolumeNode, None where none is shown: the list leaves out nodes that are hidden."""
        shown = self._ui.inputSelector.currentNode()
        return shown if self._parameters is not None and self._parameters.inputVolume is shown else None

    @property
    def output(self):
        """The vtkMRMLSegmentationNode to replace, None for a new one; likewise only one that is shown."""
        shown = self._ui.outputSelector.currentNode()
        return shown if self._parameters is not None and self._parameters.outputSegmentation is shown else None

    def obstacle(self) -> str:
        """Why Apply is disabled, in a sentence; empty if it is enabled."""
        parameters, ct = self._parameters, self.ct
        if parameters is None or ct is None:
            return _("Choose the CT to segment.")
        if ct.GetImageData() is None:
            return _("The chosen volume contains no image.")
        if parameters.model == OWN_FOLDER and self._is_on_server:
            return _("The department server cannot use a model folder. Choose another model, or run on this computer.")
        if parameters.model == OWN_FOLDER and not parameters.modelFolder:
            return _("Choose the folder of your model.")
        if unknown_name(parameters.structures, self._known) is not None:
            return _("Correct the structure names.")
        return ""

    def structures(self) -> list[str] | None:
        """The requested structures under the model's names; None for all. Raises SegmentationError."""
        return parse_names(self._parameters.structures, self._known)

    def possible_requests(self, chosen: tuple[ModelRequest, ...]) -> list[tuple[ModelRequest, ...]]:
        """The ``chosen`` ones, and the same of other installed models that find the same structures."""
        model, folder = self._parameters.model, settings.models_folder()
        if model not in CATALOGUE:
            return [chosen]
        others = (
            other
            for other in CATALOGUE.values()
            if other.family == CATALOGUE[model].family and other.id != model and other.is_installed(folder)
        )
        return [chosen, *((replace(chosen[0], model=other.id),) for other in others)]

    @property
    def model_title(self) -> str:
        return self._ui.modelComboBox.currentText

    @property
    def model_and_place(self) -> str:
        """The model in words, and where it runs if that is not this computer."""
        if self._is_on_server:
            return _("{model}, on the department server").format(model=self.model_title)
        return self.model_title

    @property
    def known_structures(self) -> list[str]:
        """All that the chosen model can find; empty where that cannot be known before the job."""
        return self._known

    def chosen_structures_text(self) -> str:
        """What a result will hold, in words."""
        asked = self._parameters.structures.strip(" ,") if self._parameters is not None else ""
        if asked:
            return asked
        return _("all structures of the model '{model}' that are found").format(model=self.model_title)

    # -- slots ---------------------------------------------------------------------------------------------------------

    def _on_model_activated(self, index: int) -> None:
        if self._parameters is not None:
            self._parameters.isModelChosen = True
            self._parameters.model = self._ui.modelComboBox.itemData(index) or OWN_FOLDER
            keep_model(self._parameters.model, self._parameters.modelFolder)

    def _on_device_activated(self, index: int) -> None:
        if self._parameters is not None:
            self._parameters.device = self._ui.deviceComboBox.itemData(index)
            device = self._parameters.device
            settings.set_text(settings.DEVICE, "" if device == "auto" else device)

    def _on_model_folder_changed(self, path: str) -> None:
        if self._parameters is not None and self._parameters.modelFolder != path:
            self._parameters.modelFolder = path
            keep_model(self._parameters.model, path)

    # -- structures ----------------------------------------------------------------------------------------------------

    def _show_structures(self) -> None:
        model = (self._parameters.model, self._parameters.modelFolder)
        if model != self._known_for:
            self._known_for = model
            self._known = known_names(*model)
            self._completer.set_names(self._known)
            self._ui.structuresLineEdit.setPlaceholderText(self._placeholder())
        problem = unknown_name(self._parameters.structures, self._known)
        hint = self._ui.structuresHintLabel
        hint.setText(_unknown_text(problem) if problem is not None else "")
        hint.setVisible(problem is not None)
        self._on_changed()

    def _placeholder(self) -> str:
        if not self._known:
            return _("All, or names separated by commas")
        examples = [name for name in ("liver", "spleen") if name in self._known] or self._known[:2]
        return _("All {count}, or names: {examples}, ...").format(count=len(self._known), examples=", ".join(examples))


def _unknown_text(problem: SegmentationError) -> str:
    what, _todo = problem_texts(problem.problem)
    return what


def _select(combo, data: str) -> None:
    """Show the item of a QComboBox that holds ``data``; the first one if none does."""
    for index in range(combo.count):
        if (combo.itemData(index) or "") == data:
            combo.setCurrentIndex(index)
            return
    combo.setCurrentIndex(0)
