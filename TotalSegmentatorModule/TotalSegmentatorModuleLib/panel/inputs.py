"""The upper part of the panel: CT, structures, quality, device, output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.model_selection import FINE
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.plan import SEGMENTATION, Plan

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.expected_plans.questions import ExpectedPlan
from TotalSegmentatorModuleLib.model_choice.device_choices import device_choices
from TotalSegmentatorModuleLib.model_choice.families import models_by_family
from TotalSegmentatorModuleLib.model_choice.family_choice import FamilyChoice
from TotalSegmentatorModuleLib.model_choice.installation import (
    models_of_server_text,
    to_install_details,
    to_install_text,
)
from TotalSegmentatorModuleLib.model_choice.last_plans import LastPlans
from TotalSegmentatorModuleLib.model_choice.quality_choice import QualityChoice
from TotalSegmentatorModuleLib.model_choice.recommendation import Recommendation, recommendation_here
from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER, initial_model, keep_model, preferred_model
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.preview.choice import PreviewChoice
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.volumes import only_ct
from TotalSegmentatorModuleLib.segment.session import JobOrder
from TotalSegmentatorModuleLib.structure_tree.section import StructuresSection


class InputsSection:
    """Keeps the widgets and the parameter node in sync. ``on_changed`` is called when Apply may have to change,
    ``show_problem`` where a preset cannot be read or written, ``on_structure_clicked`` with the name of a structure.

    The CT, the names of structures and the output are connected by the parameter node itself (SlicerParameterName in
    Inputs.ui); what needs more than that is connected here. ``advanced_ui``: Advanced.ui, whose upper
    part is about the models.
    """

    def __init__(
        self,
        ui: Widgets,
        advanced_ui: Widgets,
        on_changed: Callable[[], None],
        show_problem: Callable[[Problem], None],
        on_structure_clicked: Callable[[str], None],
    ) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._parameters: SegmentationParameters | None = None
        self._installed: frozenset[str] = frozenset()
        self._is_enabled = True
        self._is_on_server = False
        self._plans = LastPlans()
        ui.inputSelector.setMRMLScene(slicer.mrmlScene)
        ui.outputSelector.setMRMLScene(slicer.mrmlScene)
        self._devices = device_choices()
        for device, title in self._devices:
            ui.deviceComboBox.addItem(title, device)
        self._structures = StructuresSection(ui, lambda error: show_problem(error.problem), on_structure_clicked)
        self._quality = QualityChoice(ui, lambda model: self._choose_model(model, self._parameters.modelFolder))
        self._preview = PreviewChoice(ui, on_changed)
        self._family = FamilyChoice(advanced_ui, self._choose_model)
        self.refresh_models()
        ui.deviceComboBox.connect("activated(int)", self._on_device_activated)

    # -- parameter node ------------------------------------------------------------------------------------------------

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show ``parameters`` from now on; None while there is no scene."""
        self._parameters = parameters
        self._structures.set_parameters(parameters)
        self._family.set_parameters(parameters)
        if parameters is None:
            return
        self._set_defaults(parameters)
        self.choose_only_ct()
        self.show_parameters()

    def _set_defaults(self, parameters: SegmentationParameters) -> None:
        """A new scene begins with what was chosen last; what a scene holds and this computer lacks is replaced, too."""
        is_known = parameters.model == OWN_FOLDER or parameters.model in CATALOGUE
        if not parameters.isModelChosen or not is_known:
            if parameters.device == "auto":
                parameters.device = settings.text(settings.DEVICE) or "auto"
            model, folder = initial_model(settings.models_folder(), self._recommended_quality())
            if parameters.modelFolder == "":
                parameters.modelFolder = folder
            parameters.model = model
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
        self._ui.deviceComboBox.setCurrentIndex(max(0, self._ui.deviceComboBox.findData(self._parameters.device)))
        self._family.show(self._models_folder)
        self._structures.show(self._installed)
        self._show_installation()
        self._show_quality()
        self._on_changed()

    def refresh_models(self) -> None:
        """Read again which models are installed."""
        folder = self._models_folder
        self._installed = frozenset(
            model.id for model in CATALOGUE.values() if folder is None or model.is_installed(folder)
        )
        self.show_parameters()

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choices while a job runs."""
        self._is_enabled = is_enabled
        for choice in (self._ui.inputSelector, self._ui.outputSelector):
            choice.setEnabled(is_enabled)
        for section in (self._structures, self._quality, self._preview, self._family):
            section.set_enabled(is_enabled)
        self._ui.deviceComboBox.setEnabled(is_enabled and not self._is_on_server)

    def set_on_server(self, is_on_server: bool) -> None:
        """Whether jobs run on the department server, which has its own models and devices."""
        if is_on_server != self._is_on_server:
            self._is_on_server = is_on_server
            self.set_enabled(self._is_enabled)
            self.refresh_models()

    def remember_plan(self, order: JobOrder | None, plan: Plan) -> None:
        """The engine has planned the order. What another computer plans says nothing of this one, and a department
        server keeps its own order."""
        is_here = order is not None and order.server is None
        networks = sum(planned.purpose == SEGMENTATION for planned in plan.passes)
        self._structures.show_order(order.requests if is_here and networks > 1 else ())
        if is_here and not plan.is_preliminary:
            self._plans.remember(order.ct.GetID(), order.requests, plan)

    def show_expected(self, expected: ExpectedPlan) -> None:
        """The engine has planned an order that may be started."""
        self._plans.remember(expected.ct_id, expected.requests, expected.plan)
        if self._parameters is not None:
            self._show_quality()

    def use_model(self, model: str, folder: str) -> None:
        """Choose a model that was just installed or added; ``folder`` counts only where it is the user's own."""
        if self._parameters is not None:
            self._choose_model(model, folder if model == OWN_FOLDER else self._parameters.modelFolder)

    def use_suggested_model(self) -> None:
        """The model that is chosen has been removed."""
        self.use_model(preferred_model(settings.models_folder(), self._recommended_quality()), "")

    def close(self) -> None:
        self._structures.close()

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
            if not slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"):
                return _("Load a CT first, in Slicer's module DICOM or with File > Add Data.")
            return _("Choose the CT to segment.")
        if ct.GetImageData() is None:
            return _("The chosen volume contains no image.")
        if parameters.model == OWN_FOLDER and self._is_on_server:
            return _("The department server cannot use a model folder. Choose another model, or run on this computer.")
        if parameters.model == OWN_FOLDER and not parameters.modelFolder:
            return _("Choose the folder of your model in the section Advanced.")
        return self._structures.obstacle()

    def requests(self, structures: list[str] | None = None) -> tuple[ModelRequest, ...]:
        """The models that run, and what for: what is chosen, or ``structures``. Only while ``obstacle`` is empty."""
        chosen = self._structures.chosen if structures is None else self._structures.structures_of(structures)
        return chosen.requests if chosen is not None else ()

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
        return [chosen, *(self._structures.requests_with(other.id) for other in others)]

    @property
    def wants_preview(self) -> bool:
        return self._preview.is_wanted

    @property
    def model_title(self) -> str:
        model = self._parameters.model if self._parameters is not None else OWN_FOLDER
        return CATALOGUE[model].title if model in CATALOGUE else _("Model folder")

    @property
    def model_and_place(self) -> str:
        """The model in words, and where it runs if that is not this computer."""
        if self._is_on_server:
            return _("{model}, on the department server").format(model=self.model_title)
        return self.model_title

    @property
    def model_in_use(self) -> str:
        """Id of the model that is chosen, or the path of the user's own; empty while there is no scene."""
        parameters = self._parameters
        return (parameters.model or parameters.modelFolder) if parameters is not None else ""

    @property
    def known_structures(self) -> list[str]:
        """All that can be chosen; empty where that cannot be known before the job."""
        return self._structures.known

    def chosen_structures_text(self) -> str:
        """What a result will hold, in words."""
        asked = self._parameters.structures.strip(" ,") if self._parameters is not None else ""
        if asked:
            return asked
        return _("all structures of the model '{model}' that are found").format(model=self.model_title)

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _models_folder(self) -> Path | None:
        return None if self._is_on_server else settings.models_folder()

    def _show_quality(self) -> None:
        plans, model = self._known_plans(), self._parameters.model
        self._quality.show(model, self._recommendation(), plans)
        self._preview.show(
            self.ct.GetID() if self.ct is not None else "",
            self.requests(),
            self._installed,
            self._is_on_server,
            plans.get(model),
        )

    def _show_installation(self) -> None:
        chosen = self._structures.chosen
        needed = chosen.needed_models if chosen is not None else ()
        missing = tuple(model for model in needed if model not in self._installed)
        text, details = to_install_text(missing), to_install_details(missing)
        if self._is_on_server and needed:
            text, details = models_of_server_text(len(needed)), "\n".join(CATALOGUE[each].title for each in needed)
        self._ui.installLabel.setText(text)
        self._ui.installLabel.setToolTip(details)
        self._ui.installLabel.setVisible(bool(text))

    def _recommendation(self) -> Recommendation | None:
        """None where another computer does the work."""
        if self._is_on_server:
            return None
        return recommendation_here(self._parameters.device)

    def _recommended_quality(self) -> str:
        recommended = self._recommendation()
        return recommended.quality if recommended is not None else FINE

    def _known_plans(self) -> dict[str, Plan]:
        """What the engine has planned for this CT and these structures, by the model that would be chosen for it."""
        model, ct = self._parameters.model, self.ct
        if ct is None or model not in CATALOGUE or self._is_on_server:
            return {}
        plans = {
            each.id: self._plans.plan(ct.GetID(), self._structures.requests_with(each.id))
            for each in models_by_family()[CATALOGUE[model].family]
        }
        return {each: plan for each, plan in plans.items() if plan is not None}

    # -- slots ---------------------------------------------------------------------------------------------------------

    def _choose_model(self, model: str, folder: str) -> None:
        if self._parameters is not None:
            was = self._parameters.StartModify()
            self._parameters.isModelChosen = True
            self._parameters.model, self._parameters.modelFolder = model, folder
            self._parameters.EndModify(was)
            keep_model(model, folder)

    def _on_device_activated(self, index: int) -> None:
        if self._parameters is not None:
            self._parameters.device = self._ui.deviceComboBox.itemData(index)
            device = self._parameters.device
            settings.set_text(settings.DEVICE, "" if device == "auto" else device)
            self._set_defaults(self._parameters)  # another quality may be recommended for it
