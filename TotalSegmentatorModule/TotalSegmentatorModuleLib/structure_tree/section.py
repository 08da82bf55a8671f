"""What to segment: the list of presets, the line of names and the tree, all on what the parameter node holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.presets import PresetRow
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest

from TotalSegmentatorModuleLib.model_choice.families import family_title
from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER, WHOLE_BODY
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.scrolling import scroll_into_sight
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.structure_tree.choice_state import ChoiceState
from TotalSegmentatorModuleLib.structure_tree.chosen_structures import (
    ChosenStructures,
    models_of_others,
    structures_of_catalogue,
    structures_of_folder,
    whole_model,
)
from TotalSegmentatorModuleLib.structure_tree.name_completer import StructureCompleter
from TotalSegmentatorModuleLib.structure_tree.name_list import choosable_names, names_of_request
from TotalSegmentatorModuleLib.structure_tree.own_preset_menu import OwnPresetMenu
from TotalSegmentatorModuleLib.structure_tree.preset_choice import CHOSEN, NOTHING, PresetChoice
from TotalSegmentatorModuleLib.structure_tree.preset_entries import (
    own_entries,
    preset_entries,
    preset_rows,
    rows_to_save,
)
from TotalSegmentatorModuleLib.structure_tree.texts import (
    choice_text,
    extra_rows,
    preset_texts,
    unavailable_text,
)
from TotalSegmentatorModuleLib.structure_tree.tree_rows import TreeRow, catalogue_tree, own_tree
from TotalSegmentatorModuleLib.structure_tree.tree_view import StructureTree
from TotalSegmentatorModuleLib.texts.errors import problem_texts


class StructuresSection:
    """The rows of Inputs.ui that say what to segment."""

    def __init__(
        self, ui: Widgets, show_problem: Callable[[SegmentationError], None], on_clicked: Callable[[str], None]
    ) -> None:
        """``show_problem`` is called where one of the user's own presets cannot be read or written, ``on_clicked`` with
        the name of a structure that is clicked in the tree."""
        self._ui = ui
        self._on_clicked = on_clicked
        self._is_locked = False
        self._asked: frozenset[str] = frozenset()
        """What the running job can be asked for next."""
        self._tree_tip = ui.structuresTreeView.toolTip
        self._parameters: SegmentationParameters | None = None
        self._installed: frozenset[str] = frozenset()
        self._known_for: tuple[str, str] | None = None
        self._known: list[str] = []
        self._models: Mapping[str, str] = {}
        self._models_for: tuple = ()
        self._rows: tuple[PresetRow, ...] = ()
        """Of the preset that is chosen."""
        self._choice: ChoiceState | None = None
        self._problem: Problem | None = None
        self.chosen: ChosenStructures | None = None
        """None while the names are wrong, and while there is no scene."""
        self._completer = StructureCompleter(ui.structuresLineEdit)
        self._presets = PresetChoice(ui.presetComboBox, self._on_preset)
        self._tree = StructureTree(ui, self._on_ticked, self._on_row_clicked)
        self._own = OwnPresetMenu(ui.presetMenuButton, lambda: self._rows_to_save, self._on_own_presets, show_problem)
        ui.structuresLineEdit.connect("textChanged(QString)", self._show_beginning)
        ui.structuresLineEdit.connect("editingFinished()", self._show_beginning)
        ui.clearButton.connect("clicked(bool)", lambda _checked: self._on_preset(CHOSEN, starts_anew=True))
        ui.treeFrame.setVisible(False)
        ui.treeButton.connect("toggled(bool)", self._on_tree_toggled)

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """The choices of this parameter node from now on; ``show`` follows. None while there is no scene."""
        self._parameters, self._choice = parameters, None

    def show(self, installed: Collection[str]) -> None:
        """Bring the widgets up to date with the parameter node. ``installed``: ids of the models that need no
        installation."""
        if self._parameters is None:
            return
        self._installed = frozenset(installed)
        self._show_known()
        self._offer_presets()
        preset = self._read_choice()
        self._show_names()
        self._show_chosen(preset)

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choices while a job runs. A click in the tree then says which structure is to be computed next,
        where the job has an order (``show_order``)."""
        ui = self._ui
        for widget in (ui.presetComboBox, ui.structuresLineEdit, ui.clearButton, ui.presetMenuButton):
            widget.setEnabled(is_enabled)
        self._is_locked = not is_enabled
        if is_enabled:
            self._asked = frozenset()
        self._show_tip()
        if is_enabled and self._parameters is not None:
            self._show_names()

    def show_order(self, requests: Sequence[ModelRequest]) -> None:
        """A click decides which network of the running job comes next. ``requests``: what the job asks for; empty where
        a click changes nothing."""
        self._asked = frozenset(name for request in requests for name in names_of_request(request))
        self._show_tip()

    def close(self) -> None:
        self._tree.close()

    def obstacle(self) -> str:
        """Why no job can start, in a sentence; empty if one can."""
        if self._problem is not None:
            return _("Correct the structure names.")
        if self.chosen is not None and self.chosen.names == ():
            return _("Choose at least one structure.")
        if self.chosen is not None and self.chosen.unavailable:
            return unavailable_text(self.chosen.unavailable)
        return ""

    def structures_of(self, names: list[str]) -> ChosenStructures:
        """The same models for other structures: those of a result that are computed again."""
        if self._parameters.model == OWN_FOLDER:
            return structures_of_folder(self._parameters.modelFolder, names)
        return structures_of_catalogue(names, self._parameters.model, self._installed)

    def requests_with(self, model: str) -> tuple[ModelRequest, ...]:
        """What the present choice would ask for if ``model`` (an id of the catalogue) were the chosen one."""
        names = self.chosen.names if self.chosen is not None else ()
        if names is None:
            return whole_model(model).requests
        return structures_of_catalogue(names, model, self._installed).requests

    @property
    def known(self) -> list[str]:
        """All names that may be chosen; empty where that cannot be known before the job."""
        return self._known

    # -- inside --------------------------------------------------------------------------------------------------------

    def _show_tip(self) -> None:
        tip = self._tree_tip
        if self._is_locked and self._asked:
            tip = _("Click a structure to have it computed next. The choice cannot be changed now.")
        elif self._is_locked:
            tip = _("The choice cannot be changed now.")
        self._ui.structuresTreeView.setToolTip(tip)

    @property
    def _rows_to_save(self) -> tuple[PresetRow, ...]:
        if self.chosen is None or not self.chosen.names or self._parameters.model == OWN_FOLDER:
            return ()
        return rows_to_save(self.chosen.names, self._rows)

    def _show_known(self) -> None:
        model = (self._parameters.model, self._parameters.modelFolder)
        if model != self._known_for:
            self._known_for = model
            self._known = choosable_names(*model)
            self._completer.set_names(self._known)
            self._tree.show_regions(own_tree(self._known) if model[0] == OWN_FOLDER else catalogue_tree())

    def _offer_presets(self) -> None:
        is_own = self._parameters.model == OWN_FOLDER
        own = own_entries(self._own.presets)
        entries = own if is_own else (*preset_entries(), *own)
        self._choice = ChoiceState(self._parameters, self._known, entries)
        self._presets.offer(self._all_title(), entries)

    def _all_title(self) -> str:
        model = self._parameters.model
        if model == OWN_FOLDER:
            return _("All structures of your model")
        family = CATALOGUE[model].family
        if family in WHOLE_BODY:
            return _("Whole body")
        return _("All of '{model}'").format(model=family_title(family))

    def _read_choice(self) -> str:
        """Returns the entry of the list that fits."""
        try:
            preset, self._problem = self._choice.preset(), None
            self.chosen = self._choice.structures(self._installed)
        except SegmentationError as error:
            preset, self._problem, self.chosen = CHOSEN, error.problem, None
        if preset == CHOSEN and self._parameters.preset not in ("", CHOSEN):
            self._parameters.preset = CHOSEN  # the names are no longer those of the preset
        return preset

    def _show_names(self) -> None:
        examples = [name for name in ("liver", "spleen") if name in self._known] or self._known[:2]
        text = _("All, or names separated by commas")
        if self._parameters.preset == NOTHING:
            text = _("None; tick boxes, or type names")
        elif examples:
            count = len(self._choice.all_names())
            text = _("All {count}, or names: {examples}, ...").format(count=count, examples=", ".join(examples))
        self._ui.structuresLineEdit.setPlaceholderText(text)
        problem = self._problem
        self._ui.structuresHintLabel.setText(problem_texts(problem)[0] if problem is not None else "")
        self._ui.structuresHintLabel.setVisible(problem is not None)

    def _show_beginning(self, _text: str = "") -> None:
        """Of many names the line shows the first ones, unless somebody is typing in it."""
        if not self._ui.structuresLineEdit.hasFocus():
            self._ui.structuresLineEdit.setCursorPosition(0)

    def _show_chosen(self, preset: str) -> None:
        self._presets.show(preset)
        self._rows = preset_rows(preset, self._own.presets)
        self._own.show(preset)
        chosen, rows = self.chosen, self._rows
        sentences = []
        if chosen is not None and chosen.names != ():
            sentences = [choice_text(chosen), unavailable_text(chosen.unavailable), *preset_texts(rows)]
        self._ui.choiceLabel.setText(" ".join(sentence for sentence in sentences if sentence))
        self._ui.choiceLabel.setVisible(bool(sentences))
        if chosen is not None and not self._ui.treeFrame.isHidden():
            names = self._choice.all_names() if chosen.names is None else chosen.names
            models = {**self._usual_models(), **chosen.model_of}
            self._tree.show_choice(names, models, _("Built at export, or drawn by hand"), extra_rows(rows))

    def _usual_models(self) -> Mapping[str, str]:
        """Which model would find each structure that is not chosen, if it were ticked as well."""
        if self._parameters.model == OWN_FOLDER:
            return dict.fromkeys(self._known, self._parameters.modelFolder)
        names = self._choice.all_names() if self.chosen.names is None else self.chosen.names
        key = (tuple(names), self._parameters.model, self._installed)
        if key != self._models_for:
            self._models_for = key
            self._models = models_of_others(self._known, *key)
        return self._models

    # -- slots ---------------------------------------------------------------------------------------------------------

    def _on_preset(self, preset: str, starts_anew: bool = False) -> None:
        if self._parameters is None:
            return
        if starts_anew:
            self._choice.tick(self._known, is_ticked=False)
        else:
            self._choice.choose_preset(preset)
        if preset == CHOSEN:
            self._ui.treeButton.setChecked(True)
            self._tree.focus_search()

    def _on_row_clicked(self, row: TreeRow) -> None:
        self._on_clicked(row.name)
        if self._is_locked and row.name in self._asked:
            text = _(
                "'{structure}' comes next, unless its network has run already. All structures appear together at the "
                "end."
            )
            self._ui.structuresHintLabel.setText(text.format(structure=row.title))
            self._ui.structuresHintLabel.setVisible(True)

    def _on_ticked(self, names: Collection[str], is_ticked: bool) -> None:
        if self._parameters is not None:
            if not self._is_locked:
                self._choice.tick(names, is_ticked)
            self.show(self._installed)  # also where that changes nothing: the box has to go back

    def _on_own_presets(self, chosen: str) -> None:
        """The user's own presets have changed; ``chosen`` is to be the choice now, if it names one."""
        if self._parameters is None:
            return
        self._offer_presets()
        if chosen:
            self._choice.choose_preset(chosen)
        self.show(self._installed)

    def _on_tree_toggled(self, is_open: bool) -> None:
        self._tree.set_open(is_open)
        self.show(self._installed)
        if is_open:
            scroll_into_sight(self._ui.treeFrame)
