"""What the parameter node says about structures, and how it is changed. No widgets."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.structure_tree.chosen_structures import (
    ChosenStructures,
    structures_of_catalogue,
    structures_of_folder,
    whole_model,
)
from TotalSegmentatorModuleLib.structure_tree.name_list import known_names, parse_names
from TotalSegmentatorModuleLib.structure_tree.preset_choice import ALL, CHOSEN, NOTHING, PresetNames


class ChoiceState:
    """The text of names in ``parameters`` decides; the preset only says how they came there, except NOTHING, which
    tells no structures from all."""

    def __init__(
        self, parameters: SegmentationParameters, known: Sequence[str], entries: Sequence[PresetNames]
    ) -> None:
        """``known``: what may be chosen (choosable_names); ``entries``: the presets."""
        self._parameters = parameters
        self._known = known
        self._entries = {entry.id: entry for entry in entries}

    # -- what is chosen ------------------------------------------------------------------------------------------------

    def names(self) -> list[str] | None:
        """The names that are chosen; None for all of the model. Raises SegmentationError("STRUCTURE_UNKNOWN")."""
        names = parse_names(self._parameters.structures, list(self._known))
        return [] if names is None and self._parameters.preset == NOTHING else names

    def preset(self) -> str:
        """Id of the entry that fits the names. Raises SegmentationError("STRUCTURE_UNKNOWN")."""
        names = self.names()
        if names is None:
            return ALL
        if not names:
            return NOTHING
        entry = self._entries.get(self._parameters.preset)
        return entry.id if entry is not None and set(entry.names) == set(names) else CHOSEN

    def structures(self, installed: Collection[str]) -> ChosenStructures:
        """The models that find them; ``installed``: ids of those that are there. Raises
        SegmentationError("STRUCTURE_UNKNOWN")."""
        names, parameters = self.names(), self._parameters
        if names is None:
            return whole_model(self._model)
        if parameters.model == OWN_FOLDER:
            return structures_of_folder(parameters.modelFolder, names)
        return structures_of_catalogue(names, parameters.model, installed)

    def all_names(self) -> list[str]:
        """All that the chosen model finds."""
        return known_names(self._parameters.model, self._parameters.modelFolder)

    # -- changes -------------------------------------------------------------------------------------------------------

    def choose_preset(self, preset: str) -> None:
        """An entry of the list was chosen. CHOSEN keeps the names, but does not begin with all of them."""
        if preset == CHOSEN:
            if self._is_all:
                self._write(NOTHING, ())
        elif preset == ALL:
            self._write(ALL, ())
        else:
            self._write(preset, self._entries[preset].names)

    def tick(self, names: Collection[str], is_ticked: bool) -> None:
        """Add the structures ``names``, or leave them out. Nothing happens while the text of names is wrong."""
        try:
            former = self.names()
        except SegmentationError:
            return
        before = set(self.all_names() if former is None else former)
        after = before | set(names) if is_ticked else before - set(names)
        chosen = [name for name in (former or self._known) if name in after]
        chosen += [name for name in self._known if name in after and name not in set(chosen)]
        if not chosen:
            self._write(NOTHING, ())
        elif after == set(self.all_names()):
            self._write(ALL, ())
        else:
            self._write(CHOSEN, chosen)

    @property
    def _model(self) -> str:
        parameters = self._parameters
        return parameters.model if parameters.model in CATALOGUE else parameters.modelFolder

    @property
    def _is_all(self) -> bool:
        return self._parameters.preset != NOTHING and not self._parameters.structures.strip(" ,")

    def _write(self, preset: str, names: Sequence[str]) -> None:
        parameters = self._parameters
        was = parameters.StartModify()
        parameters.preset = preset
        parameters.structures = ", ".join(names)
        parameters.EndModify(was)
