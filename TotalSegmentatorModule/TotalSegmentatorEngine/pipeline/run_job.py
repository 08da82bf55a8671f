"""One job from the CT to its file: what the command line and the worker run.

``run_job`` reads → validates → plans → for each model (preprocesses → predicts each part → merges) → restores → writes.
The steps from the plan to the restored labels need torch; they are in segmentation.py, which is imported on demand.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.imaging.validation import check_extent
from TotalSegmentatorEngine.inference.stored_runners import ready_networks
from TotalSegmentatorEngine.job.reporting import Reporter, long_job_warnings
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare

if TYPE_CHECKING:
    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.pipeline.previewing.preview_making import PreviewLabels
    from TotalSegmentatorEngine.pipeline.segmentation import SegmentedVolume

_log = logging.getLogger(__name__)


class JobFiles(Protocol):
    """Where a job's CT comes from and where its result goes."""

    def read(self, reporter: Reporter) -> ReadInput:
        """The CT, checked. Raises SegmentationError with one of the INPUT_ codes."""

    def write(self, result: SegmentationResult, ct: ReadInput, reporter: Reporter) -> None:
        """Raises SegmentationError, CANCELLED too."""


WritePreview = Callable[["SegmentationResult", "ReadInput"], None]
"""Gets the preview of a job, and its CT; the job goes on when it returns."""


def run_job(
    task: SegmentationTask,
    files: JobFiles,
    cache: EngineCache,
    reporter: Reporter,
    write_preview: WritePreview | None = None,
) -> SegmentationResult:
    """Runs the whole job. Weights and torch are loaded in a thread while the CT is read. ``write_preview`` is called
    where ``task`` asks for a preview and there can be one.

    Raises SegmentationError: what ``prepare``, ``segment`` and ``files`` raise.
    """
    reporter.check_cancelled()
    prepared = prepare(task)
    prefetch_weights(prepared, cache)
    ct = read_ct(task, files, reporter)
    on_preview = None if write_preview is None else lambda preview: write_preview(preview, ct)
    result = segment(ct.volume, prepared, cache, reporter, on_preview)
    write_result(result, ct, files, reporter)
    return result


def read_ct(task: SegmentationTask, files: JobFiles, reporter: Reporter) -> ReadInput:
    """The job's CT; reports its warnings. Raises SegmentationError: what ``files`` raises, INPUT_SIZE_UNLIKELY."""
    ct = files.read(reporter)
    _check_extent(task, ct)
    _log.info("CT of %d x %d x %d voxels (slices, rows, columns)", *ct.volume.geometry.shape)
    for warning in ct.warnings:
        reporter.warning(warning)
    reporter.check_cancelled()
    return ct


def write_result(result: SegmentationResult, ct: ReadInput, files: JobFiles, reporter: Reporter) -> None:
    """Raises SegmentationError: what ``files`` raises, CANCELLED."""
    _log.info("%d structures found on %s in %.1f s", len(result.found), result.device, result.seconds)
    reporter.check_cancelled()
    reporter.progress(Stage.WRITING, 0.0)
    files.write(result, ct, reporter)


def plan_job(task: SegmentationTask, read: Callable[[], ReadInput], reporter: Reporter) -> Plan:
    """The first steps of ``run_job``: reads, validates and plans. Raises SegmentationError as ``run_job`` does."""
    prepared = prepare(task)
    ct = read()
    _check_extent(task, ct)
    planned = plan(ct.volume, prepared)
    for warning in (*prepared.warnings, *ct.warnings, *long_job_warnings(planned)):
        reporter.warning(warning)
    return planned


def _check_extent(task: SegmentationTask, ct: ReadInput) -> None:
    """Raises SegmentationError("INPUT_SIZE_UNLIKELY") unless the user has accepted the size."""
    if not task.options.accept_size:
        check_extent(ct.volume.geometry)


def prefetch_weights(prepared: PreparedTask, cache: EngineCache) -> None:
    """Starts a thread that imports torch and reads the first network's weights, or the network as it is stored ready to
    run. What was read for a job that did not come is forgotten.

    ``segment``, which needs them, raises what goes wrong there.
    """
    first, ready = prepared.first_folder, ready_networks(prepared.task.options, prepared.task.device)
    cache.weights.keep_only(first, ready)
    if str(first.path.resolve()) not in cache.held_folders():
        cache.weights.start(first, ready)


def plan(volume: Volume, prepared: PreparedTask, cache: EngineCache | None = None) -> Plan:
    """What ``segment`` will do with the volume on this machine in its present state; without ``cache``, in a process of
    its own.

    Raises SegmentationError: DEVICE_UNAVAILABLE, MEMORY_SHORT, ENGINE_MISSING.
    """
    return _segmentation().plan_volume(volume, prepared, cache)


def plan_ahead(geometry: Geometry, ct_id: str, prepared: PreparedTask, cache: EngineCache) -> Plan:
    """What ``segment`` would do in this process with a CT of that grid; ``ct_id`` is empty where ``cache``
    cannot hold the CT. Raises SegmentationError as ``plan`` does."""
    held = cache.ct(ct_id) if ct_id else None
    if held is not None and held.volume.geometry.shape == geometry.shape:
        return plan(held.volume, prepared, cache)
    return _segmentation().plan_geometry(geometry, prepared, cache)


def segment(
    volume: Volume,
    prepared: PreparedTask,
    cache: EngineCache,
    reporter: Reporter,
    on_preview: Callable[[SegmentationResult], None] | None = None,
) -> SegmentationResult:
    """Plans, preprocesses, localizes, predicts, merges and restores the labels of a validated volume.

    The volume may have any orientation and spacing; its values are HU. Images resampled from the CT that ``cache``
    holds are kept for later jobs. Raises SegmentationError: CANCELLED, DEVICE_UNAVAILABLE, DEVICE_MEMORY_SHORT,
    ENGINE_MISSING, MEMORY_SHORT, MODEL_DAMAGED, MODEL_UNSAFE.
    """
    started = time.monotonic()
    engine = _loaded_engine(prepared, reporter)

    def show(labels: PreviewLabels) -> None:
        shown = dataclasses.replace(prepared, models=labels.models)
        on_preview(_result(labels, shown, time.monotonic() - started))

    shows = None if on_preview is None else show
    segmented = engine.segment_volume(volume, prepared, cache, reporter, started, shows)
    return _result(segmented, prepared, time.monotonic() - started)


def resample_ahead(volume: Volume, prepared: PreparedTask, reporter: Reporter) -> Callable[[EngineCache], None] | None:
    """Resamples the CT for the first model where that pays: where the networks run on a GPU and over all of it; else
    returns None.

    What is returned puts the image into a cache that holds the CT, where ``predict`` finds it. Raises
    SegmentationError: CANCELLED, DEVICE_UNAVAILABLE, ENGINE_MISSING.
    """
    engine = _segmentation()
    first = prepared.models[0]
    if first.crop is not None or first.coarse_model is not None or not engine.runs_on_gpu(prepared.task.device):
        return None
    made = engine.resampled_ahead(volume, first.model, lambda share: reporter.check_cancelled())
    if made is None:
        return None
    key, image = made
    return lambda cache: cache.image(volume, key, lambda: image, lambda kept: kept.array.nbytes)


def predict(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, learns: bool = True
) -> Callable[[], SegmentationResult]:
    """The first half of ``segment``, up to the labels on the networks' grid. What is returned does the second half
    once, in any thread: the networks may run on another CT meanwhile. Both raise SegmentationError as ``segment`` does.

    ``learns``: whether later plans count with what the steps take; not where other jobs run beside this one.
    """
    started = time.monotonic()
    engine = _loaded_engine(prepared, reporter)
    finish = engine.predict_volume(volume, prepared, cache, reporter, started, learns)
    predicting = time.monotonic() - started

    def finished() -> SegmentationResult:
        resumed = time.monotonic()
        segmented = finish()
        return _result(segmented, prepared, predicting + time.monotonic() - resumed)

    return finished


def _loaded_engine(prepared: PreparedTask, reporter: Reporter) -> ModuleType:
    for each in prepared.models:
        _log.info("model %s, profile %s", each.model.id, each.model.profile.id)
    for warning in prepared.warnings:
        reporter.warning(warning)
    reporter.progress(Stage.LOADING_ENGINE, 0.0)
    engine = _segmentation()
    reporter.progress(Stage.LOADING_ENGINE, 1.0)
    return engine


def _result(segmented: SegmentedVolume | PreviewLabels, prepared: PreparedTask, seconds: float) -> SegmentationResult:
    names = {structure.name for structure in segmented.found}
    models = [each.model for each in prepared.models]
    return SegmentationResult(
        layers=segmented.layers,
        structures=prepared.structures,
        found=segmented.found,
        absent=[structure.name for structure in prepared.structures if structure.name not in names],
        models=[model.id for model in models],
        profiles={model.id: model.profile.id for model in models},
        device=segmented.device,
        seconds=seconds,
        options=segmented.options,
        flags=segmented.flags,
        agreement=segmented.agreement,
    )


def load_engine() -> None:
    """Imports what ``segment`` needs (torch, nnU-Net), so that a first job starts at once.

    Raises SegmentationError("ENGINE_MISSING") where a package is not installed.
    """
    _segmentation()


def _segmentation() -> ModuleType:
    """The module that imports torch."""
    try:
        from TotalSegmentatorEngine.pipeline import segmentation
    except ModuleNotFoundError as error:
        raise SegmentationError("ENGINE_MISSING", package=str(error.name)) from error
    return segmentation
