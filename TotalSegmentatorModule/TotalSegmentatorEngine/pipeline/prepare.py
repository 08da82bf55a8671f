"""Checks a task before anything heavy is imported: device, structure names, models and profiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from TotalSegmentatorWire.choice.preview_models import preview_models
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest, model_request
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structures import model_names

from TotalSegmentatorEngine.job.prepared_model import PreparedCrop, PreparedModel
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationTask
from TotalSegmentatorEngine.machine.devices import check_device_name
from TotalSegmentatorEngine.models.find_model import (
    NNUNET_PROFILE,
    Model,
    coarser_models,
    find_model,
    structures_of,
)
from TotalSegmentatorEngine.models.network_voxel_order import depends_on_file


def prepare(task: SegmentationTask) -> PreparedTask:
    """Finds the models and validates the task; reads only JSON and CSV files.

    Raises SegmentationError: a MODEL_ code, STRUCTURE_UNKNOWN, STRUCTURE_TWICE, PROFILE_UNKNOWN, or DEVICE_UNAVAILABLE
    (for a name that is no device).
    """
    check_device_name(task.device)
    preparing = _Preparing(task)
    models = [preparing.request(request) for request in preparing.requests]
    _check_names(models)
    return PreparedTask(preparing.task, models, preparing.previews(models), preparing.warnings)


class _Preparing:
    def __init__(self, task: SegmentationTask) -> None:
        self._folder = task.models_folder
        self.requests = [with_model_names(request, task.models_folder) for request in _joined(task.requests)]
        self.task = dataclasses.replace(task, requests=tuple(self.requests))
        self.warnings: list[Problem] = []
        self._fast = preview_models(self.requests) if task.options.preview else {}
        self._needed: dict[str, PreparedModel] = {}

    def request(self, request: ModelRequest) -> PreparedModel:
        """One request of the task."""
        found = find_model(request.model, self._folder, request.structures)
        model = _with_profile(found, self.task.options.profile)
        requested = None if request.structures is None else set(request.structures)
        structures = [row for row in model.structures if requested is None or row.name in requested]
        self._warn_of(model)
        prepared = self._with_published_steps(PreparedModel(model, structures, is_named=requested is not None))
        if prepared.crop is not None:
            return prepared
        options, coarse, second = self.task.options, None, None
        if options.crop != "whole" and (requested is not None or options.crop == "body"):
            coarse = self._coarse_model(model)
        if coarse is None and self.task.is_reviewed and options.second_opinion != "off":
            second = self._finest_coarser_model(model)
        return dataclasses.replace(prepared, coarse_model=coarse, second_model=second)

    def previews(self, models: Sequence[PreparedModel]) -> list[PreparedModel]:
        """Of the requested models those that have one, found where the fine one is sought. A model that cannot be used
        is warned of."""
        previews = []
        for prepared in models:
            fast = self._fast.get(prepared.model.id)
            known = [other.id for other in coarser_models(prepared.model)]
            if fast is None or fast.id not in known or not fast.is_installed(self._folder):
                continue
            model = self._found(fast)
            if model is None:
                self.warnings.append(Problem("PREVIEW_MODEL_DAMAGED", {"model": fast.id}))
                continue
            names = {structure.name for structure in prepared.structures}
            wanted = [structure for structure in model.structures if structure.name in names]
            coarse = prepared.coarse_model
            coarser = coarse if coarse is not None and coarse.id != fast.id else None
            previews.append(PreparedModel(model, wanted, prepared.is_named, coarse_model=coarser))
        return previews

    def _with_published_steps(self, prepared: PreparedModel) -> PreparedModel:
        """With the crop and the post-processing that are published for it. Of a model folder that the user named, not
        where it is to run as nnU-Net itself would."""
        model = prepared.model
        if model.published_as is None or (model.published_as != model.id and model.profile.id == NNUNET_PROFILE):
            return prepared
        published = read_catalogue()[model.published_as]
        crop = None
        if published.crop is not None:
            rule = published.crop
            crop = PreparedCrop(self._model_for(published, rule.model), rule.classes, rule.margin_mm)
        others = {step.model: self._model_for(published, step.model) for step in published.steps if step.model}
        return dataclasses.replace(prepared, crop=crop, post_processing=published.steps, step_models=others)

    def _model_for(self, asking: CatalogueModel, needed: str) -> PreparedModel:
        """Another model without which ``asking`` has no labels. Raises SegmentationError("MODEL_NEEDED"), and a MODEL_
        code."""
        if needed not in self._needed:
            if not read_catalogue()[needed].is_installed(self._folder):
                raise SegmentationError("MODEL_NEEDED", model=asking.id, needed=needed)
            model = find_model(needed, self._folder)
            self._needed[needed] = self._with_published_steps(PreparedModel(model, model.structures))
        return self._needed[needed]

    def _warn_of(self, model: Model) -> None:
        problems = [Problem("DEMO_MODEL")] if model.is_demo else []
        if model.published_as not in (None, model.id) and model.profile.id != NNUNET_PROFILE:
            problems.append(Problem("MODEL_RUNS_AS_TASK", {"model": model.id, "task": model.published_as}))
        if any(depends_on_file(model.profile, folder) for folder in model.folders_to_run):
            problems.append(Problem("MODEL_ORIENTATION_UNKNOWN"))
        self.warnings += [problem for problem in problems if problem not in self.warnings]

    def _finest_coarser_model(self, model: Model) -> Model | None:
        """The installed one with the smallest voxels: it can tell most."""
        installed = [other for other in coarser_models(model) if other.is_installed(self._folder)]
        return self._found(installed[-1]) if installed else None

    def _found(self, coarse: CatalogueModel) -> Model | None:
        """An installed coarse model. Raises SegmentationError with a MODEL_ code; None instead for one whose preview
        was wished for: the job can do without."""
        try:
            return find_model(coarse.id, self._folder)
        except SegmentationError:
            if coarse not in self._fast.values():
                raise
            return None

    def _coarse_model(self, model: Model) -> Model | None:
        """The coarsest installed model that can locate this model's structures; warns that there is none."""
        coarser = coarser_models(model)
        for other in coarser:
            if other.is_installed(self._folder):
                return self._found(other)
        if coarser:
            self.warnings.append(Problem("NO_LOCALIZATION", {"model": coarser[0].id}))
        return None


def _joined(requests: Sequence[ModelRequest]) -> list[ModelRequest]:
    """One request of each model, with the structures of all that name it, where the first was."""
    joined: dict[str, ModelRequest] = {}
    for request in requests:
        before = joined.get(request.model, request)
        names = None
        if before.structures is not None and request.structures is not None:
            names = tuple(dict.fromkeys((*before.structures, *request.structures)))
        joined[request.model] = ModelRequest(request.model, names)
    return list(joined.values())


def with_model_names(request: ModelRequest, models_folder: Path) -> ModelRequest:
    """The structures by the names that the model gives them. Raises SegmentationError: STRUCTURE_UNKNOWN, a MODEL_
    code."""
    if request.structures is None:
        return request
    known = [structure.name for structure in structures_of(request.model, models_folder)]
    return model_request(request.model, model_names(request.structures, known))


def _check_names(models: Iterable[PreparedModel]) -> None:
    """Raises SegmentationError("STRUCTURE_TWICE") where two models are asked for the same structure."""
    model_of: dict[str, str] = {}
    for prepared in models:
        for structure in prepared.structures:
            if structure.name in model_of:
                values = {"first": model_of[structure.name], "second": prepared.model.id}
                raise SegmentationError("STRUCTURE_TWICE", structure=structure.name, **values)
            model_of[structure.name] = prepared.model.id


def _with_profile(model: Model, profile_id: str | None) -> Model:
    """The model with another profile than its own. Raises SegmentationError("PROFILE_UNKNOWN")."""
    if profile_id is None:
        return model
    profiles = read_profiles()
    if profile_id not in profiles:
        raise SegmentationError("PROFILE_UNKNOWN", profile=profile_id[:40], known=", ".join(profiles))
    return model.with_profile(profiles[profile_id])
