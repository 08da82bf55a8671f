"""What somebody chose over all models: a preset, structures by their names, the quality, and the preferred family."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from TotalSegmentatorWire.choice.model_selection import (
    FINE,
    QUALITIES,
    Selection,
    families,
    select_models,
    structures_of_preset,
)
from TotalSegmentatorWire.choice.own_presets import read_own_preset
from TotalSegmentatorWire.choice.presets import Preset, read_presets
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.structures import model_names, nearest_names, structure_table


@dataclass(frozen=True)
class StructureChoice:
    """A preset, or structures, or both together."""

    preset: str = ""
    """Id of a preset, or the path of a preset's file."""
    structures: tuple[str, ...] = ()
    """By any of their names."""
    quality: str = FINE
    prefer: str | None = None
    """A family of the catalogue, for the structures that several families find."""

    def __post_init__(self) -> None:
        """Raises ValueError for a quality that does not exist."""
        if self.quality not in QUALITIES:
            raise ValueError("no such quality: {}; there are {}".format(self.quality, " and ".join(QUALITIES)))

    def read_preset(self) -> Preset | None:
        """Raises SegmentationError: PRESET_UNKNOWN, PRESET_INVALID."""
        return find_preset(self.preset) if self.preset else None

    def names(self) -> tuple[str, ...]:
        """Of the structures that models are to find, as the label tables have them, without those that only help to
        draw others.

        Raises SegmentationError: PRESET_UNKNOWN, PRESET_INVALID, STRUCTURE_UNKNOWN.
        """
        preset = self.read_preset()
        of_preset = structures_of_preset(preset, self.prefer) if preset is not None else ()
        return tuple(dict.fromkeys([*of_preset, *model_names(self.structures, known_names())]))

    def selection(self, models_folder: Path) -> Selection:
        """The models that find the chosen structures, whether they are installed or not.

        Raises SegmentationError: what ``names`` raises, FAMILY_UNKNOWN, CHOICE_NOTHING_TO_COMPUTE.
        """
        if self.prefer is not None and self.prefer not in families():
            raise SegmentationError("FAMILY_UNKNOWN", name=self.prefer, known=", ".join(families()))
        preset = self.read_preset()
        helpers = () if preset is None else preset.helpers
        installed = installed_models(models_folder)
        selection = select_models(self.names(), self.quality, self.prefer, installed, helpers)
        if not selection.requests:
            raise SegmentationError("CHOICE_NOTHING_TO_COMPUTE")
        return selection

    def requests(self, models_folder: Path) -> tuple[ModelRequest, ...]:
        """What a job computes. Raises SegmentationError: what ``selection`` raises, CHOICE_MODELS_MISSING."""
        selection = self.selection(models_folder)
        missing = missing_models(selection, models_folder)
        if missing:
            raise SegmentationError("CHOICE_MODELS_MISSING", models=", ".join(missing), ids=" ".join(missing))
        return selection.requests


def find_preset(name_or_path: str | os.PathLike[str]) -> Preset:
    """A preset of the product by its id, or one of a file.

    Raises SegmentationError: PRESET_UNKNOWN for what is neither an id nor looks like a file, PRESET_INVALID.
    """
    presets = read_presets()
    name = os.fspath(name_or_path)
    if name in presets:
        return presets[name]
    path = Path(name).expanduser()
    if path.suffix or len(path.parts) != 1 or path.exists():
        return read_own_preset(path)
    nearest = nearest_names(name, list(presets))
    raise SegmentationError("PRESET_UNKNOWN", name=name, nearest=", ".join(nearest), known=", ".join(presets))


@cache
def known_names() -> tuple[str, ...]:
    """Of all structures that models of the catalogue find."""
    tables = dict.fromkeys(model.structures for model in read_catalogue().values())
    return tuple(dict.fromkeys(row.name for table in tables for row in structure_table(table)))


def installed_models(models_folder: Path) -> frozenset[str]:
    """Ids of the catalogue's models that are there with what they need to locate."""
    catalogue = read_catalogue()
    there = {id_ for id_, model in catalogue.items() if model.is_installed(models_folder)}
    return frozenset(id_ for id_ in there if there.issuperset(catalogue[id_].needed_models))


def missing_models(selection: Selection, models_folder: Path) -> tuple[str, ...]:
    """Ids of the models that must be installed first."""
    catalogue = read_catalogue()
    return tuple(id_ for id_ in selection.needed_models if not catalogue[id_].is_installed(models_folder))


def download_bytes(models: Iterable[str], parts_there: Collection[str] = ()) -> int | None:
    """What the archives of these models take together, a part that several share counted once; None where the size of
    one is not published. ``parts_there``: names of parts that need not be downloaded."""
    catalogue = read_catalogue()
    sizes = {part.name: part.bytes for id_ in models for part in catalogue[id_].parts if part.name not in parts_there}
    return None if None in sizes.values() else sum(size or 0 for size in sizes.values())
