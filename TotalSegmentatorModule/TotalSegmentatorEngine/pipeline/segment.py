"""The whole job, from a volume to its labels; the command line and the worker call these functions.

``prepare`` judges the model and the names and needs no torch; ``segment`` runs:
model to memory → canonical orientation → resampling → networks → parts merged by name → back to the CT's grid.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage
from TotalSegmentatorWire.tables.catalogue import read_profiles
from TotalSegmentatorWire.tables.structures import check_names

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.imaging.voxel_digest import label_digests
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.machine.devices import check_device_name
from TotalSegmentatorEngine.models.find_model import Model, coarser_models, find_model, structures_of
from TotalSegmentatorEngine.pipeline.cache import EngineCache

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EngineCache", "PreparedTask", "SegmentationResult", "SegmentationTask"]
__all__ += ["load_engine", "plan", "prepare", "read_ahead", "segment"]


def prepare(task: SegmentationTask) -> PreparedTask:
    """Finds and judges the model, reading JSON and CSV files alone.

    Raises SegmentationError: a MODEL_ code, STRUCTURE_UNKNOWN or DEVICE_UNAVAILABLE (for a name that is no device).
    """
    check_device_name(task.device)
    if task.structures is not None:
        check_names(task.structures, [structure.name for structure in structures_of(task.model, task.models_folder)])
    model = _with_profile(find_model(task.model, task.models_folder, task.structures), task.options.profile)
    asked = None if task.structures is None else set(task.structures)
    structures = [structure for structure in model.structures if asked is None or structure.name in asked]
    warnings = [Problem("DEMO_MODEL")] if model.is_demo else []
    localization = None
    if asked is not None or task.options.crop == "body":
        localization, problems = _localization_model(model, task.models_folder)
        warnings += problems
    return PreparedTask(task, model, structures, warnings, localization)


def plan(volume: Volume, prepared: PreparedTask) -> Plan:
    """What ``segment`` is going to do with the volume, on this machine as it is now.

    Raises SegmentationError: DEVICE_UNAVAILABLE, MEMORY_SHORT, ENGINE_MISSING.
    """
    return _prediction().plan_of(volume, prepared)


def read_ahead(prepared: PreparedTask, cache: EngineCache) -> None:
    """Lets a thread import torch and read the first network's weights, while the caller reads the CT.

    What goes wrong there is raised by ``segment``, which needs it.
    """
    first = (prepared.coarse_model or prepared.model).parts_to_run[0].folder
    if str(first.path.resolve()) not in cache.held_folders():
        cache.weights.start(first)


def segment(volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter) -> SegmentationResult:
    """Runs the task on a volume that passed the input checks (any orientation, any spacing; HU).

    A volume that ``cache.remember_ct`` was given is resampled and normalised once for all jobs. Raises
    SegmentationError: CANCELLED, DEVICE_UNAVAILABLE, DEVICE_MEMORY_SHORT, ENGINE_MISSING, MEMORY_SHORT,
    MODEL_DAMAGED, MODEL_UNSAFE.
    """
    started = time.monotonic()
    for warning in prepared.warnings:
        reporter.warning(warning)
    reporter.progress(Stage.LOADING_ENGINE, 0.0)
    predict_labels = _prediction().predict_labels
    reporter.progress(Stage.LOADING_ENGINE, 1.0)
    prediction = predict_labels(volume, prepared, cache, reporter, started)
    reporter.progress(Stage.RESTORING, 1.0)
    names = {structure.name for structure in prediction.found}
    reporter.check_cancelled()
    return SegmentationResult(
        labels=prediction.labels,
        structures=prepared.structures,
        found=_with_digests(prediction.found, prediction.labels, volume.geometry),
        absent=[structure.name for structure in prepared.structures if structure.name not in names],
        model=prepared.model.id,
        profile=prepared.model.profile.id,
        device=prediction.device,
        seconds=time.monotonic() - started,
        options=prediction.options,
    )


def _with_digests(found: list[FoundStructure], labels: np.ndarray, geometry: Geometry) -> list[FoundStructure]:
    boxes = {}
    for structure in found:
        i_min, i_max, j_min, j_max, k_min, k_max = structure.extent
        boxes[structure.label] = (slice(k_min, k_max + 1), slice(j_min, j_max + 1), slice(i_min, i_max + 1))
    digests = label_digests(labels, boxes, geometry)
    return [dataclasses.replace(structure, digest=digests[structure.label]) for structure in found]


def _with_profile(model: Model, profile_id: str | None) -> Model:
    """The model run under another profile than its own. Raises SegmentationError("PROFILE_UNKNOWN")."""
    if profile_id is None:
        return model
    profiles = read_profiles()
    if profile_id not in profiles:
        raise SegmentationError("PROFILE_UNKNOWN", profile=profile_id[:40], known=", ".join(profiles))
    return dataclasses.replace(model, profile=profiles[profile_id])


def _localization_model(model: Model, models_folder: Path) -> tuple[Model | None, list[Problem]]:
    """The coarsest installed model that can tell where this model's structures are, or a warning that there is none."""
    coarser = coarser_models(model)
    for other in coarser:
        if other.is_installed(models_folder):
            return find_model(other.id, models_folder), []
    return None, [Problem("NO_LOCALIZATION", {"model": coarser[0].id})] if coarser else []


def load_engine() -> None:
    """Imports what ``segment`` needs (torch, nnU-Net), so that a first job starts at once.

    Raises SegmentationError("ENGINE_MISSING") where a package is not installed.
    """
    _prediction()


def _prediction() -> ModuleType:
    """The module that imports torch."""
    try:
        from TotalSegmentatorEngine.pipeline import prediction
    except ModuleNotFoundError as error:
        raise SegmentationError("ENGINE_MISSING", package=str(error.name)) from error
    return prediction
