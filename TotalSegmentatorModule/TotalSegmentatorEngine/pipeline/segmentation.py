"""From a validated CT to its labels: plan → preprocess → (localize) → predict each part → merge → restore.

Only from here on the pipeline imports torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SECOND_OPINION, Plan
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.reporting import Reporter, SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.devices import choose_device, use_physical_cores
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.find_model import Model
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.coarse_localization import CoarseLocalization, localization_of, part_regions
from TotalSegmentatorEngine.pipeline.job_context import JobContext, LabelCounter, TileCounter
from TotalSegmentatorEngine.pipeline.job_planning import JobPlanning
from TotalSegmentatorEngine.pipeline.measurements import Measurements
from TotalSegmentatorEngine.pipeline.merged_labels import RESTORED_SHARE, MergedLabels
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool
from TotalSegmentatorEngine.pipeline.part_prediction import PartPrediction
from TotalSegmentatorEngine.pipeline.preprocessed_ct import PreprocessedCt, resampled_ahead
from TotalSegmentatorEngine.pipeline.region_growth import predict_uncut
from TotalSegmentatorEngine.pipeline.second_opinion import coarse_findings
from TotalSegmentatorEngine.pipeline.strategy_runner import run_within_memory
from TotalSegmentatorEngine.plan.memory_strategies import Strategy
from TotalSegmentatorEngine.plan.planner import Regions
from TotalSegmentatorEngine.plan.rates import checking_work, islands_work, restoring_work, reviewing_work
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid
from TotalSegmentatorEngine.preprocessing.regions import enclosing
from TotalSegmentatorEngine.result_check.orientation_check import check_places
from TotalSegmentatorEngine.result_check.places import Places, places_in_layers
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics

__all__ = ["SegmentedVolume", "plan_volume", "predict_volume", "resampled_ahead", "runs_on_gpu", "segment_volume"]


@dataclass(frozen=True, eq=False)
class SegmentedVolume:
    """The labels on the CT's grid, and how they were computed."""

    layers: list[np.ndarray]
    """Each uint8 (k, j, i)."""
    found: list[FoundStructure]
    device: str
    options: JobOptions
    """With the runtime and the precision that were used."""
    flags: tuple[Flag, ...] | None
    """Of the review, where one was asked for."""


def segment_volume(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, started: float
) -> SegmentedVolume:
    """Labels of the requested structures. ``started``: when the job started, in monotonic seconds.

    Where memory runs out, the job is planned anew with less until no strategy is left. Raises SegmentationError:
    DEVICE_UNAVAILABLE, DEVICE_MEMORY_SHORT, MEMORY_SHORT, MODEL_DAMAGED, MODEL_UNSAFE, CANCELLED.
    """
    segmentation, planning, strategies = _prepared_to_run(volume, prepared, cache, reporter, started)
    return run_within_memory(segmentation.run, planning, strategies)


def predict_volume(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, started: float, learns: bool
) -> Callable[[], SegmentedVolume]:
    """The first half of ``segment_volume``, which uses the networks; what is returned does the rest, once, in any
    thread. Raises SegmentationError as that does.

    ``learns``: whether what the steps take of time and memory counts for later plans. It says nothing where other jobs
    of the process go on meanwhile.
    """
    segmentation, planning, strategies = _prepared_to_run(volume, prepared, cache, reporter, started, learns)
    return run_within_memory(segmentation.predict, planning, strategies)


def _prepared_to_run(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, started: float, learns: bool = True
) -> tuple[_Segmentation, JobPlanning, list[Strategy]]:
    cache.remember_findings(volume, None)  # their memory is free for the job
    planning = JobPlanning(volume, prepared, cache, reporter, started, MachineProfile.load())
    strategies = planning.strategies()
    use_physical_cores()
    return _Segmentation(volume, prepared, planning, learns), planning, strategies


def plan_volume(volume: Volume, prepared: PreparedTask, cache: EngineCache | None = None) -> Plan:
    """The plan of ``segment_volume`` with what ``cache`` holds, or for a process of its own. Raises SegmentationError:
    DEVICE_UNAVAILABLE, MEMORY_SHORT."""
    cache = cache or EngineCache(serves_one_job=True)
    planning = JobPlanning(volume, prepared, cache, SilentReporter(), time.monotonic(), MachineProfile.load())
    return planning.first_that_fits(planning.strategies())[0]


def runs_on_gpu(device: str) -> bool:
    """Whether the networks of a task for ``device`` run elsewhere than on the processor. Raises
    SegmentationError("DEVICE_UNAVAILABLE")."""
    return choose_device(device).type != "cpu"


class _Segmentation:
    """The steps of one task on one CT."""

    def __init__(self, volume: Volume, prepared: PreparedTask, planning: JobPlanning, learns: bool) -> None:
        self._volume = volume
        self._prepared = prepared
        self._planning = planning
        self._cache = planning.cache
        self._reporter = planning.reporter
        self._measurements = Measurements(planning.machine, learns)
        self._coarse: Findings | None = None

    def run(self, plan: Plan, strategy: Strategy) -> SegmentedVolume:
        """Does what ``plan``, made for ``strategy``, says."""
        return self.predict(plan, strategy)()

    def predict(self, plan: Plan, strategy: Strategy) -> Callable[[], SegmentedVolume]:
        """What uses the networks; the rest is left to do."""
        with self._measurements, self._context(plan) as context:
            ct = PreprocessedCt(self._prepared.model, context)
            regions = ct.whole_by_part
            if plan.is_preliminary:
                regions = self._part_regions(self._localize(context), ct)
                self._refine_plan(strategy, regions, context)
            merged = self._predict_and_merge(ct, regions, context)
            if any(planned.purpose == SECOND_OPINION for planned in plan.passes):
                self._predict_coarse(self._prepared.second_model, context)
            used = context.networks.used_options()
        return partial(self._finish, merged, context.tiles, plan.device, used)

    def _finish(self, merged: MergedLabels, tiles: TileCounter, device: str, used: JobOptions) -> SegmentedVolume:
        with self._measurements:
            labels, found = self._restore(merged, tiles)
            layers = [labels]
            found, places = self._checked(layers, found)
            flags = self._review(layers, found, places) if self._prepared.task.is_reviewed else None
        return SegmentedVolume(layers, found, device, used, flags)

    @contextmanager
    def _context(self, plan: Plan) -> Iterator[JobContext]:
        """What the steps share; the weights of the first network are being read already."""
        prepared = self._prepared
        models = [prepared.coarse_model] if plan.is_preliminary else [prepared.model, prepared.second_model]
        folders = [folder for model in models if model is not None for folder in model.folders_to_run]
        with NetworkPool(
            folders, plan, prepared.task.options, self._cache, self._measurements, self._reporter
        ) as networks:
            tiles = TileCounter(self._reporter, plan.tiles)
            labels = LabelCounter(self._reporter, plan.label_voxels)
            yield JobContext(
                self._volume, plan, self._cache, self._measurements, self._reporter, networks, tiles, labels
            )

    def _localize(self, context: JobContext) -> CoarseLocalization:
        """Runs the coarse model over the whole image."""
        labels, grid = self._predict_coarse(self._prepared.coarse_model, context)
        return localization_of(labels, grid, self._prepared.coarse_model)

    def _predict_coarse(self, model: Model, context: JobContext) -> tuple[np.ndarray, NetworkGrid]:
        """Labels of the whole image on the model's own grid; the review gets them for a second opinion."""
        ct = PreprocessedCt(model, context)
        labels = PartPrediction(ct, context).predict(model.parts_to_run[0], ct.grid.whole).labels
        if self._prepared.task.is_reviewed:
            self._coarse = coarse_findings(labels, ct.grid, model, self._volume.geometry)
        return labels, ct.grid

    def _part_regions(self, localization: CoarseLocalization, ct: PreprocessedCt) -> Regions:
        """The region of each part that holds its structures. Structures that the user named are searched for even
        where the coarse model found none; of a whole set cropped to the body, what it did not find counts as
        absent."""
        is_named = self._prepared.task.requests[0].structures is not None
        names = [structure.name for structure in self._prepared.structures]
        missed = localization.missed(names)
        if is_named and missed:
            self._reporter.warning(Problem("LOCALIZATION_MISSED", {"structures": ", ".join(missed)}))
        return part_regions(localization, self._prepared.model, set(names), ct.grid, searches_missed=is_named)

    def _refine_plan(self, strategy: Strategy, regions: Regions, context: JobContext) -> None:
        """Reports the plan for the regions that are now known."""
        refined = self._planning.refined(strategy, regions)
        context.tiles.total, context.labels.total = refined.tiles, refined.label_voxels
        self._reporter.plan(refined)
        parts = self._prepared.model.parts_to_run
        context.networks.will_run([part.folder for part in parts if regions[part.name] is not None])

    def _predict_and_merge(self, ct: PreprocessedCt, regions: Regions, context: JobContext) -> MergedLabels:
        is_smooth = self._prepared.task.options.smooth
        prediction, merged = PartPrediction(ct, context, is_smooth), MergedLabels(ct.grid, is_smooth, self._reporter)
        needed = enclosing(region for region in regions.values() if region is not None)
        if needed is not None:
            ct.prepare(needed)
        for part in self._prepared.model.parts_to_run:
            if regions[part.name] is not None:
                labels = predict_uncut(prediction, part, regions[part.name], self._prepared, context)
                merged.add(labels, part.labels)
        return merged

    def _restore(self, merged: MergedLabels, tiles: TileCounter) -> tuple[np.ndarray, list[FoundStructure]]:
        """The labels on the CT's grid, and the structures found."""
        self._reporter.progress(Stage.PREDICTING, 1.0, tiles.done, tiles.done)
        with self._measurements.work(islands_work(self._prepared.task.options, merged.voxels)):
            merged.postprocess(self._prepared)
        with self._measurements.work(restoring_work(self._volume.array.shape, merged.voxels, merged.is_smooth)):
            return merged.restore(self._prepared)

    def _checked(self, layers: list[np.ndarray], found: list[FoundStructure]) -> tuple[list[FoundStructure], Places]:
        """``found`` with digests of the voxels, volumes and mean HU, and where they lie; warns where that is as in no
        body."""
        geometry, reporter = self._volume.geometry, self._reporter

        def on_plane(share: float) -> None:
            reporter.check_cancelled()
            reporter.progress(Stage.RESTORING, RESTORED_SHARE + (1.0 - RESTORED_SHARE) * share)

        with self._measurements.work(checking_work(geometry.shape)):
            places = places_in_layers(layers, geometry, found)
            mirrored = check_places(places)
            if mirrored is not None:
                reporter.warning(mirrored.problem)
            digested = with_digests(found, layers, geometry, on_plane)
            finished = with_statistics(digested, layers, self._volume, reporter.check_cancelled)
        reporter.progress(Stage.RESTORING, 1.0)
        return finished, places

    def _review(self, layers: list[np.ndarray], found: list[FoundStructure], places: Places) -> tuple[Flag, ...]:
        structures = [LabelledStructure(structure.name, structure.layer, structure.label) for structure in found]
        sought = [structure.name for structure in self._prepared.structures]

        def on_rule(share: float) -> None:
            self._reporter.check_cancelled()
            self._reporter.progress(Stage.REVIEWING, share)

        with self._measurements.work(reviewing_work(self._volume.geometry.shape)):
            on_rule(0.0)
            geometry = self._volume.geometry
            findings = Findings(
                layers, structures, geometry, self._volume, sought, self._coarse, places=places,
                check_cancelled=self._reporter.check_cancelled,
            )  # fmt: skip
            flags = tuple(review(findings, on_rule))
            self._cache.remember_findings(self._volume, findings)
            return flags
