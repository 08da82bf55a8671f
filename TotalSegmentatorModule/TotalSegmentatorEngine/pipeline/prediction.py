"""Runs a prepared task's networks over a CT, by a plan that is made first. Only here torch enters the pipeline."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.inference.runtimes import expected_choice
from TotalSegmentatorEngine.job.reporting import Reporter, SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.allocator import trim_memory
from TotalSegmentatorEngine.machine.devices import choose_device, use_physical_cores
from TotalSegmentatorEngine.machine.memory import memory_short
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.find_model import Model, Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.coarse_localization import (
    CoarseLocalization,
    localization_of,
    part_regions,
    with_context,
)
from TotalSegmentatorEngine.pipeline.merged_labels import MergedLabels
from TotalSegmentatorEngine.pipeline.model_run import JobContext, ModelRun, PartLabels, TileCounter
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool
from TotalSegmentatorEngine.pipeline.resource_probe import TileTimer
from TotalSegmentatorEngine.plan.planner import RESTORING_RATE, SMOOTH_RATE, Planner, Regions
from TotalSegmentatorEngine.plan.strategy import PlanningContext, Strategy, execution_strategies
from TotalSegmentatorEngine.preprocessing.network_input import Region, image_key
from TotalSegmentatorEngine.preprocessing.regions import around, cut_sides, labels_at, widened

logger = logging.getLogger(__name__)

_MOST_WIDENINGS = 3
"""After that a part runs over the whole image."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the networks found, on the CT's grid."""

    labels: np.ndarray
    """uint8 (k, j, i)."""
    found: list[FoundStructure]
    device: str
    options: JobOptions
    """With the runtime and the precision that were used."""


def predict_labels(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, started: float
) -> Prediction:
    """Labels of the model's label set, as far as they were asked for. ``started``: the job's start, monotonic seconds.

    Memory that turns out too short is planned around with less until no strategy is left, and reported. Raises
    SegmentationError: DEVICE_UNAVAILABLE, DEVICE_MEMORY_SHORT, MEMORY_SHORT, MODEL_DAMAGED, MODEL_UNSAFE, CANCELLED.
    """
    device = choose_device(prepared.task.device)
    use_physical_cores()
    job = _Job(volume, prepared, cache, reporter, started)
    strategies = job.strategies_on(device)
    while True:
        plan, strategies = job.fitting(strategies)
        reporter.plan(plan)
        try:
            return job.run(plan, strategies[0])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            logger.warning("memory ran out: %s", error)
            cache.forget_networks()
            trim_memory()
            strategies = job.strategies_after(plan, strategies[1:], error)
        finally:
            job.keep_measurements()
        _empty_device(plan)


def plan_of(volume: Volume, prepared: PreparedTask) -> Plan:
    """What ``predict_labels`` is going to do, in a process of its own. Raises SegmentationError: DEVICE_UNAVAILABLE,
    MEMORY_SHORT."""
    device = choose_device(prepared.task.device)
    job = _Job(volume, prepared, EngineCache(serves_one_job=True), SilentReporter(), time.monotonic())
    return job.fitting(job.strategies_on(device))[0]


def is_out_of_memory(error: Exception) -> bool:
    """torch says so by an own class on GPUs, and by the text of a RuntimeError on the CPU, like OpenVINO."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error) for sign in ("allocate memory", "bad_alloc", "out of memory"))


def _empty_device(plan: Plan) -> None:
    """What this process kept on a GPU for its next tensors is free for all."""
    if torch.device(plan.device).type == "cuda":
        torch.cuda.empty_cache()


class _Job:
    """One task on one CT."""

    def __init__(
        self, volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, started: float
    ) -> None:
        self._volume = volume
        self._prepared = prepared
        self._model = prepared.model
        self._cache = cache
        self._reporter = reporter
        self._started = started
        self._machine = MachineProfile.load()

    # -- the plan --------------------------------------------------------------------------------------------------

    def strategies_on(self, device: torch.device) -> list[Strategy]:
        """How the job may be run there, the fastest first."""
        runtime, precision = expected_choice(
            _folders(self._model)[0], self._prepared.task.options, device, self._machine
        )
        return execution_strategies(str(device), runtime, precision, keeps_networks=not self._cache.serves_one_job)

    def fitting(self, strategies: Sequence[Strategy]) -> tuple[Plan, list[Strategy]]:
        """The first plan that fits, and the strategies from its own on. Raises SegmentationError("MEMORY_SHORT")."""
        return self._planner().fitting(strategies)

    def strategies_after(self, plan: Plan, strategies: Sequence[Strategy], error: Exception) -> list[Strategy]:
        """What is left to try when ``plan`` ran out of memory; tells the user. Raises SegmentationError."""
        is_gpu = torch.device(plan.device).type != "cpu"
        if strategies:
            self._reporter.warning(Problem("MEMORY_FALLBACK"))
            return list(strategies)
        if is_gpu and self._prepared.task.device == "auto":
            self._reporter.warning(Problem("DEVICE_FALLBACK", {"device": plan.device}))
            return self.strategies_on(torch.device("cpu"))
        if torch.device(plan.device).type == "cuda":
            free, _total = torch.cuda.mem_get_info(torch.device(plan.device))
            raise SegmentationError("DEVICE_MEMORY_SHORT", free_gb=free / 1e9) from error
        raise memory_short(plan.peak_bytes) from error

    def _planner(self) -> Planner:
        key = image_key(self._model.profile, _folders(self._model)[0])
        read_ahead = self._cache.weights.settle(self._reporter.check_cancelled)
        context = PlanningContext(
            self._machine,
            frozenset(self._cache.held_folders()),
            self._cache.holds_image(self._volume, key),
            time.monotonic() - self._started,
            read_ahead,
        )
        return Planner(self._volume.geometry, self._prepared, context)

    def keep_measurements(self) -> None:
        """A job that was cancelled or failed has measured this machine, too."""
        self._machine.save()

    # -- the run ---------------------------------------------------------------------------------------------------

    def run(self, plan: Plan, strategy: Strategy) -> Prediction:
        """Does what ``plan`` says, in its ``strategy``."""
        options = self._prepared.task.options
        coarse = self._prepared.coarse_model if plan.is_preliminary else None
        folders = _folders(coarse) if coarse else _folders(self._model)
        tiles = TileCounter(self._reporter, plan.tiles)
        with NetworkPool(folders, plan, options, self._cache, self._machine, self._reporter) as networks:
            context = JobContext(self._volume, plan, self._cache, self._machine, self._reporter, networks, tiles)
            run = ModelRun(self._model, context)
            regions = {part.name: run.grid.whole for part in run.parts}
            if coarse is not None:
                regions = self._regions(self._localize(coarse, context), run)
                self._report_refined(strategy, regions, tiles)
                networks.will_run([part.folder for part in run.parts if regions[part.name] is not None])
            merged = self._merged_labels(run, regions)
            used = networks.used_options()
        self._reporter.progress(Stage.PREDICTING, 1.0, tiles.done, tiles.done)
        measured = TileTimer()
        labels, found = merged.finish(self._prepared, self._reporter)
        rate = SMOOTH_RATE if options.smooth else RESTORING_RATE
        self._machine.remember_rate(rate, labels.size, measured.seconds())
        return Prediction(labels, found, plan.device, used)

    def _localize(self, coarse_model: Model, context: JobContext) -> CoarseLocalization:
        """Runs the coarse model over the whole image."""
        run = ModelRun(coarse_model, context)
        part = run.parts[0]
        return localization_of(run.labels_of(part, run.grid.whole).labels, run.grid, coarse_model)

    def _regions(self, localization: CoarseLocalization, run: ModelRun) -> Regions:
        """By part: where its structures are. Structures that the user asked for are searched for also where the coarse
        model saw none; with the whole set cropped to the body, what it did not see is taken for absent."""
        is_asked = self._prepared.task.structures is not None
        names = {structure.name for structure in self._prepared.structures}
        missed = localization.missed(structure.name for structure in self._prepared.structures)
        if is_asked and missed:
            self._reporter.warning(Problem("LOCALIZATION_MISSED", {"structures": ", ".join(missed)}))
        return part_regions(localization, self._model, names, run.grid, searches_missed=is_asked)

    def _report_refined(self, strategy: Strategy, regions: Regions, tiles: TileCounter) -> None:
        """The plan again, now that the regions are known."""
        refined = self._planner().plan(strategy, regions)
        tiles.total = refined.tiles
        self._reporter.plan(refined)

    def _merged_labels(self, run: ModelRun, regions: Regions) -> MergedLabels:
        merged = MergedLabels(run.grid, self._prepared.task.options.smooth)
        needed = around(region for region in regions.values() if region is not None)
        if needed is not None:
            run.prepare(needed)
        for part in run.parts:
            if regions[part.name] is not None:
                merged.add(self._uncut_labels(run, part, regions[part.name], merged.is_smooth), part.labels)
        return merged

    def _uncut_labels(self, run: ModelRun, part: Part, region: Region, is_smooth: bool) -> PartLabels:
        """The part's labels over the region, which grows until none of the structures asked for ends at its border."""
        asked = {structure.label: structure.name for structure in self._prepared.structures}
        wanted = [number for number, label in part.labels.items() if label in asked]
        for widening in range(_MOST_WIDENINGS + 1):
            if widening:
                run.expect_more_tiles(part, region)
            labels = run.labels_of(part, region, is_smooth)
            sides = cut_sides(labels.labels, region, run.grid.shape, wanted)
            if not sides:
                break
            region = widened(region, sides, run.grid) if widening + 1 < _MOST_WIDENINGS else run.grid.whole
            region = with_context(region, run.grid, part.folder, self._model.profile.step)
            cut = labels_at(labels.labels, sides) & set(wanted)
            names = ", ".join(asked[part.labels[number]] for number in sorted(cut))
            logger.info("a structure of %s is cut by its region, which grows", part.name)
            self._reporter.warning(Problem("REGION_WIDENED", {"structures": names}))
        return labels


def _folders(model: Model) -> list[ModelFolder]:
    return [part.folder for part in model.parts_to_run]
