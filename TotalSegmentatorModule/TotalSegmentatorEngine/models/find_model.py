"""From "model" as the user names it to the networks to run and the structures that they know.

A model is an id of the catalogue (several part networks under one label set) or any nnU-Net v2 model folder. Only JSON
and CSV files are read here; torch is not imported.
"""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import (
    CatalogueModel,
    Profile,
    check_model_name,
    read_catalogue,
    read_profiles,
)
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, Structure, structure_table

from TotalSegmentatorEngine.models.model_folder import ModelFolder, read_model_folder

NNUNET_PROFILE = "nnunet"
_TISSUE = ("85756007", "Tissue")
"""SNOMED CT code that Slicer gives to a segment of unknown meaning."""


@dataclass(frozen=True)
class Part:
    """One network of a model."""

    name: str
    labels: dict[int, int]
    """Label in the part to label in the model's label set."""
    folder: ModelFolder | None
    """None where no structure of the part was requested; its folder is not read then."""


@dataclass(frozen=True)
class Model:
    """What to run, in which order, and what comes out."""

    id: str
    profile: Profile
    structures: list[Structure]
    """The whole label set in label order."""
    parts: list[Part]
    """In the order in which later parts overwrite earlier ones."""
    is_demo: bool
    published_as: str | None = None
    """Id of the catalogue's model whose crop and post-processing belong to it; None: of none."""

    def with_profile(self, profile: Profile) -> Model:
        """The same networks run as another profile says."""
        parts = [
            part if part.folder is None else replace(part, folder=replace(part.folder, mirrors=profile.mirroring))
            for part in self.parts
        ]
        return replace(self, profile=profile, parts=parts)

    @property
    def parts_to_run(self) -> list[Part]:
        """Those that know a requested structure."""
        return [part for part in self.parts if part.folder is not None]

    @property
    def folders_to_run(self) -> list[ModelFolder]:
        return [part.folder for part in self.parts_to_run]


def find_model(model: str, models_folder: Path, requested: Iterable[str] | None = None) -> Model:
    """The model that ``model`` names: an id of the catalogue or the path of a folder.

    With ``requested`` (names of structures) the folders of parts that know none of them are not read and their
    ``folder`` is None; unknown names are ignored. Raises SegmentationError with a MODEL_ code.
    """
    catalogue = read_catalogue()
    if model in catalogue:
        return _catalogue_model(catalogue[model], models_folder, None if requested is None else set(requested))
    return _folder_model(_folder_of(model), catalogue)


def structures_of(model: str, models_folder: Path) -> list[Structure]:
    """The label set of a model; a model of the catalogue need not be installed."""
    catalogue = read_catalogue()
    if model in catalogue:
        return structure_table(catalogue[model].structures)
    return _folder_model(_folder_of(model), catalogue).structures


def coarser_models(model: Model) -> list[CatalogueModel]:
    """Models of the catalogue with the same label set and one network of larger voxels, the coarsest first.

    None for a task: its published program has its own crop, or none, whatever structures are asked for.
    """
    catalogue = read_catalogue()
    if model.id not in catalogue or model.profile.spacing != "model" or catalogue[model.id].is_task:
        return []
    own = catalogue[model.id]
    family = [
        other
        for other in catalogue.values()
        if other.family == own.family and other.spacing_mm > own.spacing_mm and len(other.parts) == 1
    ]
    return sorted(family, key=lambda other: -other.spacing_mm)


def published_numbers(model: CatalogueModel, part_name: str) -> dict[str, int]:
    """The structures that a part of a model of the catalogue knows, and their labels in that part."""
    is_whole = len(model.parts) == 1
    known = _structures_of_part(model, part_name, structure_table(model.structures))
    return {structure.name: structure.label if is_whole else structure.label_in_part for structure in known}


def _folder_of(model: str) -> ModelFolder:
    """The user's own model."""
    check_model_name(model)
    return read_model_folder(Path(model).expanduser())


def _catalogue_model(model: CatalogueModel, models_folder: Path, requested: set[str] | None) -> Model:
    structures = structure_table(model.structures)
    parts = []
    for part, path in zip(model.parts, model.part_folders(models_folder), strict=True):
        known = _structures_of_part(model, part.name, structures)
        numbers = published_numbers(model, part.name)
        is_needed = requested is None or any(structure.name in requested for structure in known)
        folder = _as_published(_installed_part(model.id, path), model) if is_needed else None
        if folder is not None:
            numbers = numbers_by_name(folder, numbers)
        labels = {numbers[structure.name]: structure.label for structure in known}
        parts.append(Part(part.name, labels, folder))
    if len({part.folder.image_spacing for part in parts if part.folder is not None}) > 1:
        raise SegmentationError("MODEL_DAMAGED", detail="its parts have different spacings")
    made = Model(model.id, read_profiles()[model.profile], structures, parts, is_demo=False, published_as=model.id)
    return made.with_profile(made.profile)


def numbers_by_name(folder: ModelFolder, published: dict[str, int]) -> dict[str, int]:
    """The label of each structure in ``folder``: by the folder's own names where it has them all.

    Where it names its labels otherwise, the ``published`` numbers count, unless a name that is there contradicts them:
    that would call one structure by the name of another. Raises SegmentationError("MODEL_DAMAGED").
    """
    own = {name: folder.labels[name] for name in published if name in folder.labels}
    if len(own) == len(published):
        return own
    if max(published.values()) > len(folder.labels):
        raise SegmentationError("MODEL_DAMAGED", detail="a part has fewer labels than the label table")
    if any(published[name] != number for name, number in own.items()):
        raise SegmentationError("MODEL_DAMAGED", detail="the label values of a part differ from the label table")
    return published


def _structures_of_part(model: CatalogueModel, part_name: str, structures: list[Structure]) -> list[Structure]:
    """A part's name starts with its id, "Task251_..."; the only part of a model knows all its structures."""
    if len(model.parts) == 1:
        return structures
    part_id = part_name.split("_")[0]
    return [structure for structure in structures if structure.part_model == part_id]


def _installed_part(model_id: str, path: Path) -> ModelFolder:
    """Where the expected trainer__plans__configuration is absent, the only model of the part's folder is taken."""
    if path.is_dir():
        return read_model_folder(path)
    if path.parent.is_dir():
        return read_model_folder(path.parent)
    raise SegmentationError("MODEL_MISSING", model=model_id)


def _as_published(folder: ModelFolder, model: CatalogueModel) -> ModelFolder:
    """With the folds and the resampling that the published program uses. Raises SegmentationError("MODEL_DAMAGED")."""
    if model.resample_mm is not None:
        folder = replace(folder, resample_to=tuple(reversed(model.resample_mm)))
    if model.folds is None:
        return folder
    names = [f"fold_{fold}" for fold in model.folds]
    checkpoints = [path for path in folder.checkpoints if path.parent.name in names]
    if len(checkpoints) != len(names):
        raise SegmentationError("MODEL_DAMAGED", detail="{} is missing".format(" or ".join(names)))
    return replace(folder, checkpoints=checkpoints)


def _folder_model(folder: ModelFolder, catalogue: dict[str, CatalogueModel]) -> Model:
    published = _published_as(folder, catalogue)
    profile = read_profiles()[published.profile if published else NNUNET_PROFILE]
    if published is not None:
        folder = _as_published(folder, published)
    task = None if published is None or not published.is_task else _as_task(folder, published)
    if task is not None:
        structures, labels = task
    else:
        structures = _structures_by_name(folder.labels, published.structures if published else "structures_104")
        labels = {label: label for label in folder.labels.values()}
    part = Part(folder.dataset, labels, folder)
    published_as = None if task is None else published.id
    model = Model(folder.dataset, profile, structures, [part], is_demo=folder.is_demo, published_as=published_as)
    return model.with_profile(profile)


def _published_as(folder: ModelFolder, catalogue: dict[str, CatalogueModel]) -> CatalogueModel | None:
    for model in catalogue.values():
        if _name_of_part(folder, model) is not None:
            return model
    return None


def _name_of_part(folder: ModelFolder, model: CatalogueModel) -> str | None:
    names = (folder.dataset, folder.path.parent.name)
    return next((part.name for part in model.parts if part.name in names), None)


def _as_task(folder: ModelFolder, task: CatalogueModel) -> tuple[list[Structure], dict[int, int]] | None:
    """The structures of a task's network, and its labels to theirs; None where the folder has other labels than the
    published one: somebody trained a network of their own under that name."""
    part = _name_of_part(folder, task)
    known = _structures_of_part(task, part, structure_table(task.structures))
    try:
        numbers = numbers_by_name(folder, published_numbers(task, part))
    except SegmentationError:
        return None
    return known, {numbers[structure.name]: structure.label for structure in known}


def _structures_by_name(labels: dict[str, int], first_table: str) -> list[Structure]:
    """Rows of the label tables by name, with the folder's own numbers; unknown names get a generated colour."""
    known: dict[str, Structure] = {}
    for table in (first_table, *LABEL_TABLES):
        for structure in structure_table(table):
            known.setdefault(structure.name, structure)
    return [
        replace(known[name], label=label, label_in_part=label) if name in known else _unknown_structure(name, label)
        for name, label in labels.items()
    ]


def _unknown_structure(name: str, label: int) -> Structure:
    return Structure(
        label=label,
        name=name,
        group="organ",
        part_model="",
        label_in_part=label,
        category=_TISSUE,
        type=_TISSUE,
        modifier=("", ""),
        region=("", ""),
        colour=_colour_of(name),
    )


def _colour_of(name: str) -> tuple[int, int, int]:
    """A colour that depends on the name alone: a structure has the same colour in every result."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    red, green, blue = colorsys.hsv_to_rgb(digest[0] / 256, 0.35 + digest[1] / 512, 0.7 + digest[2] / 1024)
    return round(red * 255), round(green * 255), round(blue * 255)
