"""From a validated CT to its labels: plan → for each model (preprocess → predict each part → merge) → restore → layers.

Only from here on the pipeline imports torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage
from TotalSegmentatorWire.tables.published_rules import PublishedStep

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.devices import use_physical_cores
from TotalSegmentatorEngine.pipeline.cache import EngineCache, JobImages
from TotalSegmentatorEngine.pipeline.checking.job_agreement import agreement_problem, job_agreement
from TotalSegmentatorEngine.pipeline.checking.step_check import StepCheck
from TotalSegmentatorEngine.pipeline.finishing.coarse_opinion import coarse_findings
from TotalSegmentatorEngine.pipeline.finishing.layered_labels import LayeredLabels, ModelLabels
from TotalSegmentatorEngine.pipeline.finishing.merged_labels import MergedLabels
from TotalSegmentatorEngine.pipeline.finishing.published_post import (
    mask_from,
    numbers_of,
    on_other_box,
    post_process_on_grid,
)
from TotalSegmentatorEngine.pipeline.job_context import JobContext, LabelCounter, TileCounter, WorkDone
from TotalSegmentatorEngine.pipeline.job_planning import JobPlanning, plan_geometry, plan_volume, runs_on_gpu
from TotalSegmentatorEngine.pipeline.measurements import Measurements
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool, NetworksUsed
from TotalSegmentatorEngine.pipeline.preprocessed_ct import resampled_ahead
from TotalSegmentatorEngine.pipeline.previewing.preview_making import OnPreview, PreviewMaking
from TotalSegmentatorEngine.pipeline.step_run import StepLabels, run_step
from TotalSegmentatorEngine.pipeline.step_scopes import StepScopes
from TotalSegmentatorEngine.pipeline.strategy_runner import PlanOutgrownError, run_within_memory
from TotalSegmentatorEngine.plan.job_steps import Scope, Step, certain_folders
from TotalSegmentatorEngine.plan.memory_strategies import Strategy
from TotalSegmentatorEngine.plan.planner import fits
from TotalSegmentatorEngine.plan.rates import checking_work, reviewing_work
from TotalSegmentatorEngine.plan.run_order import RunOrder
from TotalSegmentatorEngine.preprocessing.network_input import image_place
from TotalSegmentatorEngine.result_check.orientation_check import check_places
from TotalSegmentatorEngine.result_check.places import Places, places_in_layers
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics

__all__ = [
    "SegmentedVolume",
    "plan_geometry",
    "plan_volume",
    "predict_volume",
    "resampled_ahead",
    "runs_on_gpu",
    "segment_volume",
]

RESTORED_SHARE = 0.8
"""Of the stage RESTORING, after the labels are in their layers; the check of the result follows."""


@dataclass(frozen=True, eq=False)
class SegmentedVolume:
    """The labels on the CT's grid, and how they were computed."""

    layers: list[np.ndarray]
    """Each uint8 (k, j, i); structures of one do not overlap."""
    found: list[FoundStructure]
    device: str
    options: JobOptions
    """With the runtime and the precision that were used."""
    flags: tuple[Flag, ...] | None
    """Of the review, where one was asked for."""
    agreement: Agreement | None
    """With the exact labels, where these are approximate and were checked."""


def segment_volume(
    volume: Volume,
    prepared: PreparedTask,
    cache: EngineCache,
    reporter: Reporter,
    started: float,
    on_preview: OnPreview | None = None,
) -> SegmentedVolume:
    """Labels of the requested structures. ``started``: when the job started, in monotonic seconds. ``on_preview`` is
    called between two networks, where the job makes a preview; without it, it makes none. A preview that fails is
    warned of, and the job goes on.

    Where memory runs out, the job is planned anew with less until no strategy is left. Raises SegmentationError:
    DEVICE_UNAVAILABLE, DEVICE_MEMORY_SHORT, MEMORY_SHORT, MODEL_DAMAGED, MODEL_UNSAFE, CANCELLED.
    """
    segmentation, planning, strategies = _prepared_to_run(
        volume, prepared, cache, reporter, started, on_preview=on_preview
    )
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
    volume: Volume,
    prepared: PreparedTask,
    cache: EngineCache,
    reporter: Reporter,
    started: float,
    learns: bool = True,
    on_preview: OnPreview | None = None,
) -> tuple[_Segmentation, JobPlanning, list[Strategy]]:
    if on_preview is None:
        prepared = dataclasses.replace(prepared, previews=[])
    cache.remember_findings(volume, None)  # their memory is free for the job
    planning = JobPlanning(volume.geometry, JobImages(volume, cache), prepared, cache, reporter, started)
    strategies = planning.strategies()
    use_physical_cores()
    return _Segmentation(volume, prepared, planning, learns, on_preview), planning, strategies


class _Segmentation:
    """The steps of one task on one CT. What is done stays done where memory runs out and the job goes on with less."""

    def __init__(
        self, volume: Volume, prepared: PreparedTask, planning: JobPlanning, learns: bool, on_preview: OnPreview | None
    ) -> None:
        self._volume = volume
        self._prepared = prepared
        self._planning = planning
        self._steps, self._state = planning.steps, planning.state
        self._cache = planning.cache
        self._reporter = planning.reporter
        self._measurements = Measurements(planning.machine, learns)
        self._scopes = StepScopes(volume.geometry, planning.steps, planning.state, planning.reporter)
        self._labels: dict[Step, StepLabels | None] = {}
        self._opinions: dict[Step, Findings] = {}
        self._checks: dict[Step, StepCheck] = {}
        self._work_done = WorkDone()
        self._networks_used = NetworksUsed(prepared.task.options)
        self._previews = PreviewMaking(volume, planning, self._measurements.work, on_preview)

    def run(self, plan: Plan, strategy: Strategy) -> SegmentedVolume:
        """Does what ``plan``, made for ``strategy``, says."""
        return self.predict(plan, strategy)()

    def predict(self, plan: Plan, strategy: Strategy) -> Callable[[], SegmentedVolume]:
        """What uses the networks; the rest is left to do."""
        with self._measurements, self._context(plan) as context:
            context.order.follows(plan)
            while (step := self._next_step(strategy, context)) is not None:
                is_news = self._run_if_possible(step, context)
                self._finish_step(step, context)
                self._preview(context)
                if is_news:
                    self._refine_plan(strategy, context)
            context.tiles.report_all()
            used = context.networks.used_options()
        return partial(self._finish, plan.device, used, self._agreement())

    def _agreement(self) -> Agreement | None:
        """Of the labels with the exact ones; warns where that is less than the user wants."""
        agreement = job_agreement(list(self._checks.values()), self._prepared.task.options.least_agreement)
        problem = None if agreement is None else agreement_problem(agreement)
        if problem is not None:
            self._reporter.warning(problem)
        return agreement

    @contextmanager
    def _context(self, plan: Plan) -> Iterator[JobContext]:
        """What the steps share; the weights of the first network are being read already."""
        folders, done = certain_folders(self._steps, self._state), self._work_done
        with NetworkPool(
            folders, plan, self._networks_used, self._cache, self._measurements, self._reporter
        ) as networks:
            tiles = TileCounter(self._reporter, plan, done)
            labels = LabelCounter(self._reporter, plan.label_voxels, done.label_voxels)
            yield JobContext(
                self._volume, plan, self._cache, self._planning.images, self._measurements, self._reporter, networks,
                tiles, labels, RunOrder(self._reporter),
            )  # fmt: skip

    def _next_step(self, strategy: Strategy, context: JobContext) -> Step | None:
        """What the user has asked for while the job runs comes first, where the memory is enough for that order; but
        after the preview, which shows everything."""
        usual = next((step for step in self._steps if step not in self._state.done), None)
        if self._previews.is_awaited:
            return usual
        step = context.order.next_step(self._steps, self._state)
        if step is usual:
            return step
        others = [other for other in self._steps if other not in self._state.done and other is not step]
        done = [other for other in self._steps if other in self._state.done]
        order = (*done, step, *others)
        before, self._steps = self._steps, order
        self._planning.steps = order
        if not fits(self._planning.refined(strategy), strategy):
            self._planning.steps = self._steps = before
            return usual
        self._refine_plan(strategy, context)
        return step

    # -- networks ------------------------------------------------------------------------------------------------------

    def _run_if_possible(self, step: Step, context: JobContext) -> bool:
        """Whether the plan of the other steps has changed. What fails of a preview is left out."""
        try:
            self._run(step, context)
            return self._scopes.after(step, self._on_grid(step))
        except Exception as error:
            if not self._previews.can_do_without(step, error):
                raise
            self._previews.give_up(step, error)
        self._labels[step] = None
        self._state.scopes[step] = Scope(is_empty=True)
        return True

    def _preview(self, context: JobContext) -> None:
        """Shows what the fast models have found, as soon as all of them have run."""
        if self._previews.are_ready(self._state.done):
            ran = {step: labels.on_grid for step, labels in self._labels.items() if labels is not None}
            for step in self._previews.make(ran, context.plan.device, context.networks.used_options()):
                self._forget_labels(step)

    def _run(self, step: Step, context: JobContext) -> None:
        scope = self._state.scope(step)
        self._expect_images()
        self._labels[step] = None
        if not scope.is_empty:
            options = self._prepared.task.options
            labels = run_step(step, scope, context, options.smooth, options.self_check)
            self._labels[step] = labels
            if labels.check is not None:
                self._checks[step] = labels.check
            if step.is_asked_by_others and step.prepared is not None:
                listen, measured = self._reporter.check_cancelled, self._measurements.work
                post_process_on_grid(labels.on_grid, step.prepared, measured, lambda _share: listen())
            if self._prepared.task.is_reviewed and any(other.opinion is step for other in self._steps):
                self._opinions[step] = coarse_findings(
                    labels.on_grid.labels, labels.on_grid.grid, step.model, self._volume.geometry
                )

    def _finish_step(self, step: Step, context: JobContext) -> None:
        """Only now, that others know where they run, need it not run again."""
        tiles = context.tiles
        context.networks.finish_step()
        self._work_done = WorkDone(tiles.done, tiles.done_voxels, context.labels.done)
        self._state.done.add(step)
        self._expect_images()
        if not self._previews.needs(step):
            self._forget_labels(step)

    def _forget_labels(self, step: Step) -> None:
        """Unless the result, or another step, needs them: they only said where other steps run, or were shown."""
        is_needed = any(step in other.needs.values() for other in self._steps)
        if step.number is None and not is_needed:
            self._labels[step] = None

    def _expect_images(self) -> None:
        """What no step to come needs leaves the memory."""
        self._planning.images.expect(
            image_place(self._state.scope(step).box, step.model.profile, step.folders[0])
            for step in self._steps
            if step not in self._state.done and not self._state.scope(step).is_empty
        )

    def _on_grid(self, step: Step) -> MergedLabels | None:
        labels = self._labels[step]
        return None if labels is None else labels.on_grid

    def _refine_plan(self, strategy: Strategy, context: JobContext) -> None:
        """Reports the plan with what is now known. Raises PlanOutgrownError where its memory is not enough."""
        refined = self._planning.refined(strategy)
        if not fits(refined, strategy):
            raise PlanOutgrownError
        context.tiles.plan(refined)
        context.labels.total = refined.label_voxels
        self._reporter.plan(refined)
        context.order.follows(refined)
        context.networks.will_run(certain_folders(self._steps, self._state))

    # -- the result ----------------------------------------------------------------------------------------------------

    def _finish(self, device: str, used: JobOptions, agreement: Agreement | None) -> SegmentedVolume:
        with self._measurements:
            layers, found = self._restored()
            found, places = self._checked(layers, found)
            flags = self._review(layers, found, places) if self._prepared.task.is_reviewed else None
        return SegmentedVolume(layers, found, device, used, flags, agreement)

    def _restored(self) -> tuple[list[np.ndarray], list[FoundStructure]]:
        """The layers on the CT's grid, and the structures found."""
        reporter = self._reporter
        layered = LayeredLabels(
            self._volume.geometry,
            self._prepared.task.options,
            self._measurements.work,
            reporter.check_cancelled,
            lambda share: reporter.progress(Stage.RESTORING, RESTORED_SHARE * share),
        )
        layered.add_all([self._model_labels(step) for step in self._results])
        return layered.arrays, layered.found

    @property
    def _results(self) -> list[Step]:
        """The steps that give a part of the result, in the order of the requests."""
        return sorted((step for step in self._steps if step.number is not None), key=lambda step: step.number)

    def _model_labels(self, step: Step) -> ModelLabels:
        labels = self._labels[step]
        return ModelLabels(
            self._prepared.models[step.number],
            self._state.scope(step).box,
            None if labels is None else labels.result,
            partial(self._mask_for, step),
            is_shared=step in self._opinions or any(step in other.needs.values() for other in self._steps),
        )

    def _mask_for(self, step: Step, published: PublishedStep) -> np.ndarray:
        """Where the model that a published step of ``step`` needs has found its structures."""
        other, shape = step.needs[published.model], self._volume.geometry.shape
        own_box, other_box = self._state.scope(step).box, self._state.scope(other).box
        labels = self._on_grid(other)
        if labels is None:
            return on_other_box(np.zeros(shape, dtype=bool), None, own_box, shape)
        numbers = numbers_of(step.prepared.step_models[published.model])
        mask = mask_from(labels, numbers, published.structures, self._reporter.check_cancelled)
        return on_other_box(mask, other_box, own_box, shape)

    def _checked(self, layers: list[np.ndarray], found: list[FoundStructure]) -> tuple[list[FoundStructure], Places]:
        """``found`` with what is measured of it, and where it lies; warns where that is as in no body."""
        reporter = self._reporter

        def on_share(share: float) -> None:
            reporter.check_cancelled()
            reporter.progress(Stage.RESTORING, RESTORED_SHARE + (1.0 - RESTORED_SHARE) * share)

        listen = reporter.check_cancelled
        with self._measurements.work(checking_work(self._volume.array.shape)):
            places = places_in_layers(layers, self._volume.geometry, found)
            mirrored = check_places(self._of_whole_body(places, found))
            if mirrored is not None:
                reporter.warning(mirrored.problem)
            digested = with_digests(found, layers, self._volume.geometry, on_share)
            finished = with_statistics(digested, layers, self._volume, listen)
        reporter.progress(Stage.RESTORING, 1.0)
        return finished, places

    def _of_whole_body(self, places: Places, found: list[FoundStructure]) -> Places:
        """Of the models that got all of the CT: a part of the body alone tells little of its axes."""
        models = {prepared.model.id for prepared in self._prepared.models if prepared.crop is None}
        names = {structure.name for structure in found if structure.model in models}
        counts = {name: counted for name, counted in places.counts.items() if name in names}
        return dataclasses.replace(places, counts=counts)

    def _review(self, layers: list[np.ndarray], found: list[FoundStructure], places: Places) -> tuple[Flag, ...]:
        structures = [LabelledStructure(structure.name, structure.layer, structure.label) for structure in found]
        sought = [structure.name for structure in self._prepared.structures]

        def on_rule(share: float) -> None:
            self._reporter.check_cancelled()
            self._reporter.progress(Stage.REVIEWING, share)

        with self._measurements.work(reviewing_work(self._volume.array.shape)):
            on_rule(0.0)
            findings = Findings(
                layers, structures, self._volume.geometry, self._volume, sought, self._coarse, places=places,
                check_cancelled=self._reporter.check_cancelled,
            )  # fmt: skip
            flags = tuple(review(findings, on_rule))
            self._cache.remember_findings(self._volume, findings)
            return flags

    @property
    def _coarse(self) -> list[Findings]:
        """What coarser models of the results' families found; each once, in the order of the requests."""
        asked = dict.fromkeys(step.opinion for step in self._results)
        return [self._opinions[step] for step in asked if step in self._opinions]
