"""The catalogue of published models and the profiles of their pipelines, read from Resources/Models and checked.

A *model* is what the user picks (label set and quality); its *parts* are the networks that it runs; its *profile* says
how the published pipeline resamples, steps and averages, so that the same weights give the same labels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import MODELS_FOLDER
from TotalSegmentatorWire.tables.structures import nearest_names

_ORIENTATIONS = ("canonical", "reader")
_AVERAGES = ("logits", "softmax")
_LABELS_BACK = ("nearest", "logits")


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
    structures: str
    """Name of the label table, without .csv."""
    spacing_mm: float
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


def read_catalogue(path: Path = MODELS_FOLDER / "models.json") -> dict[str, CatalogueModel]:
    """Models by id. Raises ValueError that names the model and the field where the schema fails."""
    profiles = read_profiles()
    models = {}
    for fields in _rows(path, "models"):
        parts = [ModelPart(**part) for part in fields.pop("parts")]
        model = CatalogueModel(parts=parts, **fields)
        _require(bool(parts), path, model.id, "parts")
        _require(model.profile in profiles, path, model.id, "profile")
        _require(model.published_profile in profiles, path, model.id, "published_profile")
        _require(model.spacing_mm > 0, path, model.id, "spacing_mm")
        _require(all(part.urls for part in parts), path, model.id, "urls")
        _require(all(part.sha256 is None or len(part.sha256) == 64 for part in parts), path, model.id, "sha256")
        models[model.id] = model
    return models


def catalogue_model(model_id: str) -> CatalogueModel:
    """Raises SegmentationError("MODEL_UNKNOWN"), which names the ids that are spelled alike."""
    catalogue = read_catalogue()
    if model_id not in catalogue:
        raise SegmentationError(
            "MODEL_UNKNOWN", model=model_id, nearest=", ".join(nearest_names(model_id, [*catalogue]))
        )
    return catalogue[model_id]


def check_model_name(model: str) -> None:
    """A single word that is no folder was meant as an id. Raises SegmentationError("MODEL_UNKNOWN")."""
    path = Path(model).expanduser()
    if len(path.parts) == 1 and not path.exists():
        catalogue_model(model)


def _rows(path: Path, key: str) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))[key]


def _require(condition: bool, path: Path, entry: str, field: str) -> None:
    if not condition:
        raise ValueError(f"{path.name}: {entry} has no valid {field}")
