"""Checks a task before anything heavy is imported: device, structure names, model and profile."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest, model_request
from TotalSegmentatorWire.tables.catalogue import read_profiles
from TotalSegmentatorWire.tables.structures import model_names

from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationTask
from TotalSegmentatorEngine.machine.devices import check_device_name
from TotalSegmentatorEngine.models.find_model import Model, coarser_models, find_model, structures_of
from TotalSegmentatorEngine.models.network_voxel_order import depends_on_file


def prepare(task: SegmentationTask) -> PreparedTask:
    """Finds the model and validates the task; reads only JSON and CSV files.

    Raises SegmentationError: a MODEL_ code, STRUCTURE_UNKNOWN, PROFILE_UNKNOWN, or DEVICE_UNAVAILABLE (for a name that
    is no device).
    """
    check_device_name(task.device)
    (request,) = (with_model_names(request, task.models_folder) for request in task.requests)
    task = dataclasses.replace(task, requests=(request,))
    model = _with_profile(find_model(request.model, task.models_folder, request.structures), task.options.profile)
    requested = None if request.structures is None else set(request.structures)
    structures = [structure for structure in model.structures if requested is None or structure.name in requested]
    warnings = [Problem("DEMO_MODEL")] if model.is_demo else []
    if any(depends_on_file(model.profile, folder) for folder in model.folders_to_run):
        warnings.append(Problem("MODEL_ORIENTATION_UNKNOWN"))
    coarse_model = None
    if requested is not None or task.options.crop == "body":
        coarse_model, problems = _coarse_model(model, task.models_folder)
        warnings += problems
    second_model = None
    if coarse_model is None and task.is_reviewed and task.options.second_opinion != "off":
        second_model = _finest_coarser_model(model, task.models_folder)
    return PreparedTask(task, model, structures, warnings, coarse_model, second_model)


def with_model_names(request: ModelRequest, models_folder: Path) -> ModelRequest:
    """The structures by the names that the model gives them. Raises SegmentationError("STRUCTURE_UNKNOWN")."""
    if request.structures is None:
        return request
    known = [structure.name for structure in structures_of(request.model, models_folder)]
    return model_request(request.model, model_names(request.structures, known))


def _with_profile(model: Model, profile_id: str | None) -> Model:
    """The model with another profile than its own. Raises SegmentationError("PROFILE_UNKNOWN")."""
    if profile_id is None:
        return model
    profiles = read_profiles()
    if profile_id not in profiles:
        raise SegmentationError("PROFILE_UNKNOWN", profile=profile_id[:40], known=", ".join(profiles))
    return model.with_profile(profiles[profile_id])


def _finest_coarser_model(model: Model, models_folder: Path) -> Model | None:
    """The installed one with the smallest voxels: it can tell most."""
    installed = [other for other in coarser_models(model) if other.is_installed(models_folder)]
    return find_model(installed[-1].id, models_folder) if installed else None


def _coarse_model(model: Model, models_folder: Path) -> tuple[Model | None, list[Problem]]:
    """The coarsest installed model that can locate this model's structures, or a warning that there is none."""
    coarser = coarser_models(model)
    for other in coarser:
        if other.is_installed(models_folder):
            return find_model(other.id, models_folder), []
    return None, [Problem("NO_LOCALIZATION", {"model": coarser[0].id})] if coarser else []
