"""The list of structures that the user types: reading it, checking it, completing it."""

from __future__ import annotations

import json
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.tables.structures import known_structures, model_names, structure_table

from TotalSegmentatorModuleLib.model_choices import CATALOGUE


def known_names(model: str, model_folder: str = "") -> list[str]:
    """Names of all structures that a model can find, in label order.

    ``model`` is an id of the catalogue; an empty one means the user's own ``model_folder`` (nnU-Net v2). An unreadable
    folder gives an empty list: the engine reports the problem.
    """
    if model:
        return [structure.name for structure in structure_table(CATALOGUE[model].structures)]
    return _names_of_folder(Path(model_folder)) if model_folder else []


def choosable_names(model: str, model_folder: str = "") -> list[str]:
    """The same with what other models of the catalogue find, which run as well if it is asked for. The model's own come
    first: a name that two structures share means those."""
    own = known_names(model, model_folder)
    return list(dict.fromkeys([*own, *known_structures()])) if model else own


def names_of_request(request: ModelRequest) -> list[str]:
    """What a job is to find with one model."""
    if request.structures is not None:
        return list(request.structures)
    return known_names(request.model) if request.model in CATALOGUE else known_names("", request.model)


def parse_names(text: str, known: list[str]) -> list[str] | None:
    """The names in a comma-separated list as the model spells them, each once; None when the list is empty (all).

    Raises SegmentationError("STRUCTURE_UNKNOWN") for the first name that is not among ``known`` (unless that is empty).
    """
    asked = [entry.strip() for entry in text.split(",") if entry.strip()]
    return (model_names(asked, known) if known else list(dict.fromkeys(asked))) or None


def unknown_name(text: str, known: list[str]) -> SegmentationError | None:
    """What ``parse_names`` would raise for ``text``."""
    try:
        parse_names(text, known)
    except SegmentationError as error:
        return error
    return None


def last_entry(text: str) -> str:
    """The entry that is being typed: the text after the last comma."""
    return text.rsplit(",", 1)[-1].strip()


def complete_last_entry(text: str, name: str) -> str:
    """``text`` with its last entry replaced by ``name``, ready for the next entry."""
    before = text.rsplit(",", 1)[0].rstrip() + ", " if "," in text else ""
    return before + name + ", "


def _names_of_folder(folder: Path) -> list[str]:
    candidates = [folder / "dataset.json", *sorted(folder.glob("*__*__*/dataset.json"))]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        return []
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        return [str(name) for name in labels if name not in ("background", "ignore")]
    except (OSError, ValueError, KeyError, TypeError):
        return []
