"""The catalogue of published models and the profiles of their pipelines, read from Resources/Models and checked.

A *model* is what the user picks (label set and quality); its *parts* are the networks that it runs; its *profile* says
how the published pipeline resamples, steps and averages, so that the same weights give the same labels. Models that
find the same structures in different quality are a *family*: "104" and "117" for the whole body, and each task of
TotalSegmentator for a region of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import MODELS_FOLDER
from TotalSegmentatorWire.tables.published_rules import (
    CropRule,
    LicensedTask,
    PublishedStep,
    crop_rule,
    published_step,
)
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, TASK_TABLES, nearest_names

_ORIENTATIONS = ("canonical", "reader")
_AVERAGES = ("logits", "softmax")
_LABELS_BACK = ("nearest", "logits")
_CATALOGUE = (MODELS_FOLDER / "models.json", MODELS_FOLDER / "tasks.json")
OPEN_LICENCE = "open"
"""Anybody may use the weights for anything, says their publisher."""


@dataclass(frozen=True)
class Profile:
    """Parameters of one published pipeline; the sources stand in profiles.json."""

    id: str
    title: str
    source: str
    orientation: str
    """"canonical": the network sees RAS+ whatever the reader; "reader": as the model's image_reader_writer says."""
    spacing: str
    """"model": resampled by scipy's zoom from corner to corner; "plans": by the plans' own resampling functions."""
    resampling_order: int | None
    """Spline order of the CT's resampling where spacing is "model"."""
    truncate_to_int: bool
    """The resampled CT is truncated to whole HU, as TotalSegmentator does."""
    step: float
    """Sliding-window step as a fraction of the patch."""
    average: str
    """What overlapping tiles add up: "logits" or "softmax"."""
    labels_back: str
    """"nearest": the label map is resampled to the CT's grid; "logits": the logits are, then the largest wins."""
    mirroring: bool
    """Predictions for mirror images are averaged along the axes that the weight file allows."""
    split_above_voxels: int | None
    """Resampled images with more voxels are predicted in three pieces along z (20 voxels margin), 1.5 mm only."""


@dataclass(frozen=True)
class ModelPart:
    """One downloadable network of a model. ``bytes`` and ``sha256`` are None where nobody states them."""

    name: str
    urls: list[str]
    bytes: int | None
    sha256: str | None


@dataclass(frozen=True)
class CatalogueModel:
    id: str
    title: str
    family: str
    structures: str
    """Name of the label table, without .csv."""
    spacing_mm: float | None
    """The smallest edge of the voxels at which the networks get a CT; None where only the model folder tells."""
    profile: str
    """The default."""
    published_profile: str
    """The pipeline exactly as published; differs from ``profile`` where that trades nothing that counts for speed."""
    format: str
    licence: str
    trainer: str
    plans: str
    configuration: str
    parts: list[ModelPart]
    resample_mm: tuple[float, float, float] | None = None
    """mm along x, y, z of the canonical orientation, to which the published program resamples the CT; None: to what the
    model folder says."""
    crop: CropRule | None = None
    steps: tuple[PublishedStep, ...] = ()
    """Of the published post-processing, in their order."""
    folds: tuple[int, ...] | None = None
    """Those that the published program uses of a model folder; None: all that are there."""
    licence_kind: str = OPEN_LICENCE
    small_training_set: bool = False
    """The publisher says so, and that the model may do badly with other CTs."""
    citations: tuple[str, ...] = ()
    """What the publisher asks to cite, of the whole family of models first."""
    note: str = ""
    """What a user should know before the first result; a sentence or more."""
    training_helpers: tuple[str, ...] = ()
    """Structures that, says the publisher, only helped to train the model: another model's are taken where one finds
    them."""

    @property
    def is_task(self) -> bool:
        """Whether it finds structures of one region, as a task of TotalSegmentator; else those of the whole body."""
        return self.structures in TASK_TABLES

    @property
    def needed_models(self) -> tuple[str, ...]:
        """Ids of the other models without which this one cannot run, each after those that it needs itself."""
        own = [self.crop.model] if self.crop is not None else []
        own += [step.model for step in self.steps if step.model]
        models = read_catalogue()
        return tuple(dict.fromkeys(needed for model in own for needed in (*models[model].needed_models, model)))

    def part_folders(self, models_folder: Path) -> list[Path]:
        """Where each part's nnU-Net v2 folder is when installed: ``<part>/<trainer>__<plans>__<configuration>``."""
        leaf = "__".join((self.trainer, self.plans, self.configuration))
        return [models_folder / part.name / leaf for part in self.parts]

    def is_installed(self, models_folder: Path) -> bool:
        """Whether each part has a model folder, be it of another trainer's name: the engine takes that as well."""
        return all(any(folder.parent.glob("*/plans.json")) for folder in self.part_folders(models_folder))


def read_profiles(path: Path = MODELS_FOLDER / "profiles.json") -> dict[str, Profile]:
    """Profiles by id. Raises ValueError that names the profile and the field where the schema fails."""
    profiles = {}
    for fields in _rows(path, "profiles"):
        profile = Profile(**fields)
        _require(profile.orientation in _ORIENTATIONS, path, profile.id, "orientation")
        _require(profile.spacing in ("model", "plans"), path, profile.id, "spacing")
        _require(profile.average in _AVERAGES, path, profile.id, "average")
        _require(profile.labels_back in _LABELS_BACK, path, profile.id, "labels_back")
        _require(0 < profile.step <= 1, path, profile.id, "step")
        _require(
            (profile.spacing == "plans") == (profile.resampling_order is None), path, profile.id, "resampling_order"
        )
        profiles[profile.id] = profile
    return profiles


def read_catalogue(*paths: Path) -> dict[str, CatalogueModel]:
    """Models by id, of the files ``paths`` or of all. Raises ValueError that names the model and the field where the
    schema fails."""
    return dict(_read_catalogue(paths or _CATALOGUE))


@cache
def _read_catalogue(paths: tuple[Path, ...]) -> dict[str, CatalogueModel]:
    models: dict[str, CatalogueModel] = {}
    for path in paths:
        shared = tuple(json.loads(path.read_text(encoding="utf-8")).get("citations", ()))
        for fields in _rows(path, "models"):
            model = _catalogue_entry(path, fields, shared)
            _require(model.id not in models, path, model.id, "id")
            models[model.id] = model
    return models


def _catalogue_entry(path: Path, fields: dict[str, Any], shared_citations: tuple[str, ...]) -> CatalogueModel:
    def require(condition: bool, field: str) -> None:
        _require(condition, path, fields["id"], field)

    lists = {
        name: tuple(fields[name])
        for name in ("resample_mm", "folds", "training_helpers")
        if fields.get(name) is not None
    }
    model = CatalogueModel(
        **{**fields, **lists}
        | {
            "parts": [ModelPart(**part) for part in fields["parts"]],
            "crop": crop_rule(fields.get("crop"), require),
            "steps": tuple(published_step(step, require) for step in fields.get("steps", ())),
            "citations": (*shared_citations, *fields.get("citations", ())),
        }
    )
    profiles = read_profiles()
    require(bool(model.parts) and all(part.urls for part in model.parts), "parts")
    require(model.structures in LABEL_TABLES, "structures")
    require(model.profile in profiles, "profile")
    require(model.published_profile in profiles, "published_profile")
    require(model.spacing_mm is None or model.spacing_mm > 0, "spacing_mm")
    require(model.resample_mm is None or (len(model.resample_mm) == 3 and min(model.resample_mm) > 0), "resample_mm")
    require(model.licence_kind == OPEN_LICENCE, "licence_kind")
    require(all(part.sha256 is None or len(part.sha256) == 64 for part in model.parts), "sha256")
    return model


def licensed_tasks(path: Path = MODELS_FOLDER / "licensed_tasks.json") -> dict[str, LicensedTask]:
    """Tasks of TotalSegmentator for CT that need a licence from the publisher, by id; nothing of them is offered."""
    return {
        fields["id"]: LicensedTask(fields["id"], tuple(fields["dataset_ids"]), tuple(fields["structures"]))
        for fields in _rows(path, "tasks")
    }


def catalogue_model(model_id: str) -> CatalogueModel:
    """Raises SegmentationError: "MODEL_LICENSED" for a task that needs a licence, else "MODEL_UNKNOWN", which names the
    ids that are spelled alike."""
    catalogue = read_catalogue()
    if model_id not in catalogue and model_id in licensed_tasks():
        raise SegmentationError("MODEL_LICENSED", model=model_id)
    if model_id not in catalogue:
        raise SegmentationError(
            "MODEL_UNKNOWN", model=model_id, nearest=", ".join(nearest_names(model_id, [*catalogue]))
        )
    return catalogue[model_id]


def with_needed_models(model_ids: Iterable[str]) -> list[str]:
    """The models and those that they need, each once and after what it needs itself. Raises SegmentationError as
    ``catalogue_model`` does."""
    models = [catalogue_model(model_id) for model_id in model_ids]
    return list(dict.fromkeys(needed for model in models for needed in (*model.needed_models, model.id)))


def check_model_name(model: str) -> None:
    """A single word that is no folder was meant as an id. Raises SegmentationError as ``catalogue_model`` does."""
    path = Path(model).expanduser()
    if len(path.parts) == 1 and not path.exists():
        catalogue_model(model)


def _rows(path: Path, key: str) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))[key]


def _require(condition: bool, path: Path, entry: str, field: str) -> None:
    if not condition:
        raise ValueError(f"{path.name}: {entry} has no valid {field}")
