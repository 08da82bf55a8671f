"""Runs one step of a job: the networks of a model over the CT, a box of it, or regions of its grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.agreement import REDUCED
from TotalSegmentatorWire.messages.plan import SEGMENTATION

from TotalSegmentatorEngine.agreement.ct_seed import ct_seed
from TotalSegmentatorEngine.agreement.estimate import estimated
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.models.model_folder import architecture_key
from TotalSegmentatorEngine.pipeline.checking.attempt import attempted
from TotalSegmentatorEngine.pipeline.checking.checked_job import CheckedJob
from TotalSegmentatorEngine.pipeline.checking.checked_part import PartRun
from TotalSegmentatorEngine.pipeline.checking.early_check import is_reduced_enough
from TotalSegmentatorEngine.pipeline.checking.step_check import StepCheck, approximations_of, check_step
from TotalSegmentatorEngine.pipeline.finishing.merged_labels import MergedLabels
from TotalSegmentatorEngine.pipeline.job_context import JobContext
from TotalSegmentatorEngine.pipeline.part_prediction import PartPrediction
from TotalSegmentatorEngine.pipeline.preprocessed_ct import PreprocessedCt
from TotalSegmentatorEngine.pipeline.region_growth import predict_uncut
from TotalSegmentatorEngine.plan.automatic_precision import LEAST_EQUAL, may_be_reduced
from TotalSegmentatorEngine.plan.check_plan import may_be_checked
from TotalSegmentatorEngine.plan.job_steps import Scope, Step
from TotalSegmentatorEngine.preprocessing.regions import enclosing


@dataclass(frozen=True, eq=False)
class StepLabels:
    """What a step has found."""

    result: MergedLabels
    """What goes into the job's result."""
    on_grid: MergedLabels
    """At the network's spacing, for other steps: the same where the result is not smooth."""
    check: StepCheck | None = None
    """How well the labels agree with the exact ones, where they are approximate and that was asked for."""


def run_step(step: Step, scope: Scope, context: JobContext, is_smooth: bool, checks_itself: bool = False) -> StepLabels:
    """``checks_itself``: a step of the result that is approximate computes a few tiles exactly, too; where that fails,
    the job warns of it. Raises SegmentationError: CANCELLED, MODEL_DAMAGED, MODEL_UNSAFE."""
    labels = _run_parts(step, scope, context, is_smooth, checks_itself)
    if labels is None:
        context.networks.run_exactly()
        labels = _run_parts(step, scope, context, is_smooth, checks_itself)
    return labels


def _run_parts(
    step: Step, scope: Scope, context: JobContext, is_smooth: bool, checks_itself: bool
) -> StepLabels | None:
    """None where networks ran in reduced precision by themselves and have to run exactly after all."""
    ct = PreprocessedCt(step.model, context, scope.box)
    prediction = PartPrediction(ct, context, is_smooth and step.number is not None)
    result = MergedLabels(ct.grid, prediction.is_smooth)
    on_grid = MergedLabels(ct.grid) if prediction.is_smooth and step.is_asked_by_others else result
    regions = ct.whole_by_part if scope.regions is None else scope.regions
    needed = enclosing(region for region in regions.values() if region is not None)
    if needed is not None:
        ct.prepare(needed)
    is_in_regions = any(region != ct.grid.whole for region in regions.values())
    is_checked = checks_itself and may_be_checked(step, context.networks.options, context.plan.device, is_in_regions)
    wanted = [] if step.prepared is None else step.prepared.structures
    listen = context.reporter.check_cancelled
    runs = {part.name: PartRun(part, None, "") for part in step.parts}
    left = [part for part in step.parts if regions[part.name] is not None]
    while left:
        part = context.order.next_part(step, left)
        if part is not left[0]:
            left = [part, *(other for other in left if other is not part)]
            context.networks.run_in_order([each.folder for each in left])
        left.remove(part)
        if is_checked and regions[part.name] == ct.grid.whole:
            _choose_precision(step, part, ct, context)
        labels = predict_uncut(prediction, part, regions[part.name], wanted, context)
        overwritten = step.overwritten_by(part)
        result.add(labels.merged, part.labels, listen, overwritten)
        if on_grid is not result:
            on_grid.add(labels.on_grid, part.labels, listen, overwritten)
        context.order.has_run(step, part)
        if is_checked:
            runs[part.name] = PartRun(part, labels.on_grid, context.networks.last_precision)
        del labels  # they are merged
    check = _checked(step, ct, list(runs.values()), context) if is_checked else None
    if context.networks.is_automatic and _is_refused(check, runs.values()):
        for part in step.parts:
            if regions[part.name] is not None:
                prediction.expect_more_tiles(part, regions[part.name])
        return None
    if is_checked and check is None and approximations_of(step, ct, list(runs.values())):
        context.reporter.warning(Problem("AGREEMENT_UNKNOWN"))
    return StepLabels(result, on_grid, check)


def _checked(step: Step, ct: PreprocessedCt, runs: list[PartRun], context: JobContext) -> StepCheck | None:
    return attempted(lambda: check_step(step, ct, runs, _checked_job(context)), context.networks.drop_all)


def _is_refused(check: StepCheck | None, runs: Iterable[PartRun]) -> bool:
    """Whether labels of reduced precision, which nobody asked for, are too different or could not be checked."""
    if check is None:
        return any(run.precision == REDUCED for run in runs)
    return REDUCED in check.approximations and estimated(check.cells, check.population).foreground.value < LEAST_EQUAL


def _choose_precision(step: Step, part: Part, ct: PreprocessedCt, context: JobContext) -> None:
    """Where the precision is automatic, lets the part's network run in a reduced one if that does on this CT."""
    plan, machine = context.plan, context.measurements.machine
    networks = context.networks
    tiles = sum(each.tiles for each in plan.passes if each.part == part.name and each.purpose == SEGMENTATION)
    if not networks.is_automatic or not may_be_reduced(
        networks.options, part.folder, tiles, plan.device, plan.runtime, machine
    ):
        return

    def remember(runner: TileRunner, seconds: float, count: int) -> None:
        place = (architecture_key(part.folder), runner.runtime, runner.precision, str(runner.device))
        machine.remember_network(*place, seconds, seconds, count)

    def is_enough() -> bool:
        return is_reduced_enough(step, part, ct, _checked_job(context), networks.reduced_runner, remember)

    if attempted(is_enough, networks.drop_all):
        networks.run_reduced(part.folder)


def _checked_job(context: JobContext) -> CheckedJob:
    return CheckedJob(
        runner=partial(context.networks.runner, reads_ahead=False),
        exact_runner=context.networks.exact_runner,
        reports=context.tiles.reports,
        finish=context.tiles.finish,
        check_cancelled=context.reporter.check_cancelled,
        seed=ct_seed(context.volume),
    )
