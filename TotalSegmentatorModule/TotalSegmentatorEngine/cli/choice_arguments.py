"""The options with which a command line chooses structures and the models that find them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from TotalSegmentatorWire.choice.model_selection import FINE, QUALITIES
from TotalSegmentatorWire.choice.presets import read_presets
from TotalSegmentatorWire.choice.structure_choice import StructureChoice
from TotalSegmentatorWire.command.argument_types import names, options_from
from TotalSegmentatorWire.user_folders import MODELS_VARIABLE

_MODEL, _PRESET = "--model", "--preset"
_CHOICE_OPTIONS = ("preset", "quality", "prefer")


def add_model(command: argparse.ArgumentParser) -> None:
    """The options that say which models run."""
    group = command.add_argument_group("models and structures")
    group.add_argument(_MODEL, help="id of a model, such as 117-3mm, or an nnU-Net v2 model folder")
    group.add_argument(
        _PRESET,
        metavar="ID|FILE",
        type=_preset,
        help="structures for a purpose, such as rt-thorax, and the models that find them: an id, which the command "
        "structures lists, or the file of your own preset",
    )
    group.add_argument(
        "--quality",
        choices=QUALITIES,
        help=f"without {_MODEL}: fine (default) is 1.5 mm or finer, fast is 3 mm where a model has it",
    )
    group.add_argument(
        "--prefer",
        metavar="FAMILY",
        help=f"without {_MODEL}: models that find what several models can find, such as 104, 117 or vertebrae_pp",
    )
    group.add_argument(
        "--models-folder",
        type=Path,
        metavar="DIR",
        help=f"folder of installed models; the default is ${MODELS_VARIABLE} or, if unset, a per-user folder",
    )


def add_structures(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--structures",
        metavar="NAME,NAME",
        type=names,
        help=f"only these structures, by any of their names; with {_PRESET} these as well, and without {_MODEL} those "
        "of all models",
    )


def check_list(command: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """As ``check_choice``, for the lists of structures: of a model, of a choice, or, of neither, all presets."""
    if parsed.model is not None:
        if parsed.structures is not None:
            command.error(f"argument --structures: not allowed with argument {_MODEL}")
        check_choice(command, parsed)
    elif parsed.preset is None and parsed.structures is None:
        typed = [name for name in _CHOICE_OPTIONS if getattr(parsed, name) is not None]
        if typed:
            command.error(f"argument --{typed[0]}: needs {_PRESET} or --structures")


def check_choice(command: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """Ends the process (status 2) where nothing is chosen, or a model and what chooses models."""
    typed = [name for name in _CHOICE_OPTIONS if getattr(parsed, name) is not None]
    if parsed.model is not None and typed:
        command.error(f"argument --{typed[0]}: not allowed with argument {_MODEL}")
    if parsed.model is None and parsed.preset is None and parsed.structures is None:
        command.error(f"one of the arguments {_MODEL}, {_PRESET} and --structures is required")


def _preset(text: str) -> str:
    return text.lower() if text.lower() in read_presets() else text


def choice_from(parsed: argparse.Namespace) -> StructureChoice | None:
    """None where a model was chosen."""
    structures: Sequence[str] = getattr(parsed, "structures", None) or ()
    if parsed.model is not None:
        return None
    return options_from(parsed, StructureChoice, structures=tuple(structures), quality=parsed.quality or FINE)
