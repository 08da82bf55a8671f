"""The whole job, from a volume to its labels; the command line and the worker call these functions.

``prepare`` judges the model and the names and needs no torch; ``segment`` runs:
model to memory → canonical orientation → resampling → networks → parts merged by name → back to the CT's grid.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from TotalSegmentatorWire.errors import Problem, SegmentationError
from TotalSegmentatorWire.messages import Stage
from TotalSegmentatorWire.structures import check_names

from .cache import EngineCache
from .devices import check_device_name
from .geometry import Volume
from .merging import found_structures, keep_only
from .models import find_model, structures_of
from .reporting import Reporter
from .task import PreparedTask, SegmentationResult, SegmentationTask

__all__ = ["EngineCache", "PreparedTask", "SegmentationResult", "SegmentationTask"]
__all__ += ["load_engine", "prepare", "segment"]


def prepare(task: SegmentationTask) -> PreparedTask:
    """Finds and judges the model, reading JSON and CSV files alone.

    Raises SegmentationError: a MODEL_ code, STRUCTURE_UNKNOWN or DEVICE_UNAVAILABLE (for a name that is no device).
    """
    check_device_name(task.device)
    if task.structures is not None:
        check_names(task.structures, [structure.name for structure in structures_of(task.model, task.models_folder)])
    model = find_model(task.model, task.models_folder, task.structures)
    asked = None if task.structures is None else set(task.structures)
    structures = [structure for structure in model.structures if asked is None or structure.name in asked]
    return PreparedTask(task, model, structures, [Problem("DEMO_MODEL")] if model.is_demo else [])


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
    predict_labels = _prediction()
    reporter.progress(Stage.LOADING_ENGINE, 1.0)
    labels, device = predict_labels(volume, prepared, cache, reporter)
    if len(prepared.structures) < len(prepared.model.structures):
        keep_only(labels, [structure.label for structure in prepared.structures])
    found = found_structures(labels, prepared.structures)
    reporter.progress(Stage.RESTORING, 1.0)
    names = {structure.name for structure in found}
    return SegmentationResult(
        labels=labels,
        structures=prepared.structures,
        found=found,
        absent=[structure.name for structure in prepared.structures if structure.name not in names],
        model=prepared.model.id,
        profile=prepared.model.profile.id,
        device=str(device),
        seconds=time.monotonic() - started,
    )


def load_engine() -> None:
    """Imports what ``segment`` needs (torch, nnU-Net), so that a first job starts at once.

    Raises SegmentationError("ENGINE_MISSING") where a package is not installed.
    """
    _prediction()


def _prediction() -> Callable:
    """``predict_labels``, whose module imports torch."""
    try:
        from .prediction import predict_labels
    except ModuleNotFoundError as error:
        raise SegmentationError("ENGINE_MISSING", package=str(error.name)) from error
    return predict_labels
