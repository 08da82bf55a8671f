"""What ``structures --preset`` prints: who finds each structure of a choice, and the models that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.choice.own_presets import row_of_structure
from TotalSegmentatorWire.choice.presets import (
    BY_HAND,
    DERIVED,
    LICENCE,
    MODEL,
    SKIN,
    UNION,
    Preset,
    PresetRow,
    read_presets,
)
from TotalSegmentatorWire.choice.structure_choice import StructureChoice, download_bytes, missing_models
from TotalSegmentatorWire.command.parser import PROGRAM
from TotalSegmentatorWire.command.sizes import size_text
from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.tables.catalogue import read_catalogue

_MANY = 3
"""Names of structures or models that a line lists; more are counted."""
_NONE = "-"


def presets_page() -> str:
    """The presets that there are."""
    rows = [(preset.id, preset.title, str(len(preset.rows)), preset.description) for preset in read_presets().values()]
    table = text_table(("Preset", "Title", "Rows", "Description"), rows, right=("Rows",))
    return f"{table}\n\nWhat is in one of them, and what it needs: {PROGRAM} structures --preset ID"


def presets_json() -> list[dict[str, Any]]:
    return [
        {"id": preset.id, "title": preset.title, "description": preset.description, "rows": len(preset.rows)}
        for preset in read_presets().values()
    ]


class ChoicePage:
    """Of one choice. Raises SegmentationError: what ``StructureChoice.selection`` raises."""

    def __init__(self, choice: StructureChoice, models_folder: Path) -> None:
        self._selection = choice.selection(models_folder)
        self._missing = missing_models(self._selection, models_folder)
        self._preset = _with_structures(choice)
        self._folder = models_folder

    def text(self) -> str:
        """Ends without a line end."""
        preset, selection = self._preset, self._selection
        networks = _count(selection.networks, "network")
        models = _count(len(selection.requests), "model")
        paragraphs = [f"{preset.title}: {len(selection.model_of)} structures, found by {networks} in {models}."]
        sections = {
            "Found by models": (self._found, (MODEL,)),
            "Built at export": (self._built, (UNION, DERIVED)),
            "Drawn by hand": (self._drawn, (BY_HAND,)),
            "Needs a licence from the publisher": (_licensed, (LICENCE,)),
        }
        for title, (row_of, kinds) in sections.items():
            rows = [row_of(row) for row in preset.rows_of(*kinds)]
            if rows:
                paragraphs.append(f"{title}\n{text_table(_HEADS[row_of.__name__], rows)}")
        paragraphs.append(f"Models\n{text_table(('Model', 'Finds', 'Installed', 'Download'), self._model_rows())}")
        if self._missing:
            paragraphs.append(f"Install what is missing:\n  {self._command()}")
        return "\n\n".join(paragraphs)

    def to_json(self) -> dict[str, Any]:
        preset, selection = self._preset, self._selection
        return {
            "preset": preset.id,
            "title": preset.title,
            "networks": selection.networks,
            "rows": [
                {
                    "title": row.title,
                    "tg263_name": row.tg263_name,
                    "kind": row.kind,
                    "models": {name: selection.model_of.get(name) for name in row.names},
                    "helpers": {name: selection.model_of.get(name) for name in row.helpers},
                    "licensed_model": row.licensed_model,
                    "priority": row.priority,
                    "reference": row.reference,
                    "note": row.note,
                }
                for row in preset.rows
            ],
            "models": [
                {
                    "id": id_,
                    "title": read_catalogue()[id_].title,
                    "structures": self._count_of(id_),
                    "is_installed": id_ not in self._missing,
                    "download_bytes": download_bytes([id_]),
                }
                for id_ in selection.needed_models
            ],
            "missing": list(self._missing),
        }

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _found(self, row: PresetRow) -> tuple[str, ...]:
        return (row.tg263_name or _NONE, _titled(row), self._models(row.names), row.priority)

    def _built(self, row: PresetRow) -> tuple[str, ...]:
        return (row.tg263_name, _titled(row), _how_built(row), self._models(row.names), row.priority)

    def _drawn(self, row: PresetRow) -> tuple[str, ...]:
        helpers = [name for name in row.helpers if name in self._selection.model_of]
        return (row.tg263_name or _NONE, row.title, _listed(helpers) or row.note or _NONE, row.priority)

    def _models(self, names: Iterable[str]) -> str:
        return _listed(list(dict.fromkeys(self._selection.model_of.get(name, "no model") for name in names)))

    def _model_rows(self) -> list[tuple[str, ...]]:
        rows = []
        for id_ in self._selection.needed_models:
            count = self._count_of(id_)
            finds = _count(count, "structure") if count else "locates for others"
            there = id_ not in self._missing
            rows.append((id_, finds, "yes" if there else "no", _NONE if there else size_text(download_bytes([id_]))))
        return rows

    def _count_of(self, model: str) -> int:
        return sum(each == model for each in self._selection.model_of.values())

    def _command(self) -> str:
        known = [id_ for id_ in self._missing if download_bytes([id_]) is not None]
        size = size_text(download_bytes(known)) if known else ""
        unknown = "" if len(known) == len(self._missing) else "what has no published size"
        download = " and ".join(filter(None, (size, unknown)))
        return f"{PROGRAM} models install {' '.join(self._missing)}\nThis downloads {download}."


_HEADS = {
    "_found": ("TG-263 name", "Structure", "Model", "Priority"),
    "_built": ("TG-263 name", "Structure", "Built as", "Models", "Priority"),
    "_drawn": ("TG-263 name", "Structure", "Help or note", "Priority"),
    "_licensed": ("TG-263 name", "Structure", "In the publisher's", "Priority"),
}


def _with_structures(choice: StructureChoice) -> Preset:
    """The preset and what was chosen beside it."""
    rows = tuple(row_of_structure(name) for name in choice.structures)
    preset = choice.read_preset()
    if preset is None:
        return Preset("", "Chosen structures", rows)
    if preset.whole_family and choice.prefer is not None:
        rows += tuple(row_of_structure(name) for name in choice.names())
        return Preset(preset.id, preset.title, tuple(dict.fromkeys(rows)))
    return Preset(preset.id, preset.title, tuple(dict.fromkeys((*preset.rows, *rows))))


def _licensed(row: PresetRow) -> tuple[str, ...]:
    return (row.tg263_name or _NONE, row.title, row.licensed_model, row.priority)


def _how_built(row: PresetRow) -> str:
    if row.kind == UNION:
        return f"union of {_listed(row.names)}"
    return "skin of the body" if row.step == SKIN else f"{row.step} of {row.names[0]}"


def _titled(row: PresetRow) -> str:
    return row.title if len(row.names) == 1 or row.kind != MODEL else f"{row.title} ({len(row.names)})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MANY else f"{', '.join(names[:_MANY])} and {len(names) - _MANY} more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
