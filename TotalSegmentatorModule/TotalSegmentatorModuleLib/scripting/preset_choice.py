"""What a script chooses over all models: a preset, structures, a quality, a family."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from TotalSegmentatorWire.choice.model_selection import FINE
from TotalSegmentatorWire.choice.structure_choice import StructureChoice
from TotalSegmentatorWire.messages.model_request import ModelRequest


def chosen_requests(
    preset: str | os.PathLike,
    structures: str | Iterable[str] | None,
    quality: str,
    prefer: str | None,
    models_folder: Path,
    runs_here: bool,
) -> tuple[ModelRequest, ...]:
    """The arguments are those of the logic's ``process``; ``runs_here``: with the models of this computer, which must
    be installed.

    Raises SegmentationError: PRESET_UNKNOWN, PRESET_INVALID, STRUCTURE_UNKNOWN, FAMILY_UNKNOWN,
    CHOICE_NOTHING_TO_COMPUTE, CHOICE_MODELS_MISSING; ValueError for a quality that does not exist.
    """
    choice = StructureChoice(os.fspath(preset), _names(structures), quality or FINE, prefer)
    return choice.requests(models_folder) if runs_here else choice.selection(models_folder).requests


def _names(structures: str | Iterable[str] | None) -> tuple[str, ...]:
    listed = structures.split(",") if isinstance(structures, str) else structures or ()
    return tuple(name.strip() for name in listed if name.strip())
