"""Plans a job before its first tile: networks, regions, tiles, peak memory, and time.

Where memory would not suffice, another strategy is planned before the job fails: ``Planner`` knows what each takes.
Times are what this machine has measured (machine/profile.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorWire.messages.plan import Plan

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.memory import memory_short
from TotalSegmentatorEngine.plan.expected_crop import expected_scope, has_expected_crop
from TotalSegmentatorEngine.plan.job_steps import JobState, Step, job_steps
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, Strategy
from TotalSegmentatorEngine.plan.peak_memory import peak_of
from TotalSegmentatorEngine.plan.rates import checking_work, reviewing_work
from TotalSegmentatorEngine.plan.step_plan import StepPlan
from TotalSegmentatorEngine.preprocessing.network_input import image_place

PEAK_MARGIN = 1.05
"""For short-lived memory that is not counted; a plan should rather name too much memory than too little."""


class Planner:
    """Makes the plans of one task on a CT of ``geometry``."""

    def __init__(
        self,
        geometry: Geometry,
        prepared: PreparedTask,
        context: PlanningContext,
        steps: Sequence[Step] | None = None,
    ) -> None:
        """``steps``: of the job, where somebody has made them already."""
        self._geometry = geometry
        self._prepared = prepared
        self._context = context
        self.steps = job_steps(geometry, prepared) if steps is None else tuple(steps)

    def first_that_fits(
        self, strategies: Sequence[Strategy], state: JobState | None = None
    ) -> tuple[Plan, list[Strategy]]:
        """The plan of the first of ``strategies`` that fits, and the strategies from that one on.

        Raises SegmentationError("MEMORY_SHORT") where none fits.
        """
        plan = None
        for number, strategy in enumerate(strategies):
            plan = self.plan(strategy, state)
            if fits(plan, strategy):
                return plan, list(strategies[number:])
        raise memory_short(plan.peak_bytes, plan.available_bytes)

    def plan(self, strategy: Strategy, state: JobState | None = None) -> Plan:
        """``state``: what the running job knows already; without it, nothing is done, and a step that waits for another
        may have to run anywhere. The memory is that of the steps of which is known which part of the CT they get: a
        task for the head gets little of a whole body, and is planned anew when the head is found."""
        state, context = state or JobState(), self._context
        planned = self._step_plans(strategy, state)
        to_come = [each for each in planned if each.step not in state.done]
        certain = [each for each in planned if each.step.cropped_by is None or state.is_known(each.step)]
        peak = peak_of(self._geometry, certain, state.done, strategy, context)
        available = None if context.available_bytes is None else context.available_bytes + context.resident_bytes
        models = [request.model for request in self._prepared.models]
        return Plan(
            models=[model.id for model in models],
            profiles={model.id: model.profile.id for model in models},
            device=strategy.device,
            runtime=strategy.runtime,
            precision=strategy.precision,
            passes=[each for step_plan in planned for each in step_plan.passes],
            seconds=self._seconds(planned, to_come),
            peak_bytes=int(context.resident_bytes + context.expected_bytes + PEAK_MARGIN * peak),
            available_bytes=available,
            sums=strategy.sums,
            sums_on_host=strategy.sums_on_host,
            keeps_networks=strategy.keeps_networks,
            tile_batch=strategy.tile_batch,
            elapsed_seconds=round(context.elapsed_seconds, 2),
            notes=[*strategy.notes, *self._expected_notes(state)],
            is_preliminary=not all(map(state.is_known, self.steps)),
        )

    def _expected_notes(self, state: JobState) -> list[str]:
        return ["CROP_EXPECTED"] if any(has_expected_crop(step, state) for step in self.steps) else []

    def _step_plans(self, strategy: Strategy, state: JobState) -> list[StepPlan]:
        """One for each step, in their order. An image that one step makes serves those after it that get the same."""
        options, images, plans = self._prepared.task.options, set(self._context.images), []
        for step in self.steps:
            scope = expected_scope(step, self._geometry, state)
            has_image = image_place(scope.box, step.model.profile, step.folders[0]) in images
            made = StepPlan(step, self._geometry, scope, options, strategy, self._context, has_image)
            if made.grid.is_resampled and made.resampled == made.grid.whole:
                images.add(made.image_place)
            plans.append(made)
        return plans

    def _seconds(self, planned: Sequence[StepPlan], to_come: Sequence[StepPlan]) -> float | None:
        """Of the whole job; None while a network that is still to run has not been measured."""
        if any(each.seconds is None for step_plan in to_come for each in step_plan.passes):
            return None
        total = sum(each.seconds + each.image_seconds for step_plan in to_come for each in step_plan.passes)
        total += sum(step_plan.seconds_of_preview() for step_plan in to_come)
        total += sum(step_plan.seconds_after_networks() for step_plan in planned)
        full = self._geometry.shape
        after_all = [checking_work(full)] + ([reviewing_work(full)] if self._prepared.task.is_reviewed else [])
        total += sum(work.units * self._context.machine.rate(work.name, work.usual) for work in after_all)
        return round(self._context.elapsed_seconds + total, 2)


def fits(plan: Plan, strategy: Strategy) -> bool:
    """Whether the memory is enough. On a GPU the device's decides, which is read when it runs out."""
    return plan.available_bytes is None or plan.peak_bytes <= plan.available_bytes or strategy.is_on_gpu
