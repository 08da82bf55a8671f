"""The most memory that a job takes at one time, over all its steps: what one leaves in memory counts for the next."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.machine.memory import LARGEST_NETWORK_COUNT
from TotalSegmentatorEngine.plan.job_steps import Step
from TotalSegmentatorEngine.plan.memory_estimate import PassMemory
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, Strategy
from TotalSegmentatorEngine.plan.step_plan import StepPlan


def peak_of(
    geometry: Geometry,
    plans: Sequence[StepPlan],
    done: Collection[Step],
    strategy: Strategy,
    context: PlanningContext,
) -> int:
    """Bytes beyond what the process has now, at the worst moment of the job on a CT of ``geometry``. ``done``: steps
    that have been run; what they have left is in memory now."""
    return _Peak(geometry, plans, done, strategy, context).of_job()


class _Peak:
    def __init__(
        self,
        geometry: Geometry,
        plans: Sequence[StepPlan],
        done: Collection[Step],
        strategy: Strategy,
        context: PlanningContext,
    ) -> None:
        self._voxels = math.prod(geometry.shape)
        self._plans = [plan for plan in plans if plan.step not in done]
        self._all_plans = plans
        self._strategy = strategy
        self._context = context
        self._labels = 0
        """Of finished steps."""
        self._images: dict[Hashable, int] = {}
        """That later steps get."""
        self._networks: dict[str, int] = {}
        """By folder: those that stay in memory."""
        self._most = 0

    def of_job(self) -> int:
        memories = [memory for plan in self._plans for memory in plan.memories]
        following = iter([*memories[1:], None])
        for number, plan in enumerate(self._plans):
            for memory in plan.memories:
                self._run(plan, memory, next(following))
            if plan.step.preview is not None:
                self._show(plan)
            self._finish(plan, self._plans[number + 1 :])
        image = max(sum(self._images.values()), *(self._image(plan, memory) for plan, memory in self._pairs), 0)
        return max(self._most, sum(self._networks.values()) + image + self._restoring())

    @property
    def _pairs(self) -> list[tuple[StepPlan, PassMemory]]:
        return [(plan, memory) for plan in self._plans for memory in plan.memories]

    def _image(self, plan: StepPlan, memory: PassMemory) -> int:
        return 0 if plan.image_place in self._context.images else memory.image

    def _run(self, plan: StepPlan, memory: PassMemory, following: PassMemory | None) -> None:
        """One network of a step."""
        loaded, prefetched = self._context.loaded, self._context.prefetched
        others = sum(size for place, size in self._images.items() if place != plan.image_place)
        image = others + self._image(plan, memory)
        weights = 0 if memory.folder in loaded else memory.weights
        if memory.folder in prefetched:  # they make room for the network
            weights -= memory.stored
        ahead = 0 if following is None or following.folder in loaded else following.stored
        smooth = math.prod(plan.grid.full_shape) if plan.is_smooth else 0
        kept = sum(self._networks.values()) + self._labels
        running = kept + image + weights + memory.running + ahead + plan.label_bytes + plan.check_bytes + smooth
        self._most = max(self._most, self._labels + image + memory.resampling, running)
        if self._strategy.keeps_networks:
            self._networks[memory.folder] = weights
            while len(self._networks) > max(LARGEST_NETWORK_COUNT, len(plan.memories)):
                self._networks.pop(next(iter(self._networks)))

    def _show(self, plan: StepPlan) -> None:
        """The preview's layer, and labels on their way to it, beside what stays for the networks to come."""
        kept = sum(self._networks.values()) + sum(self._images.values()) + self._labels
        image = max((self._image(plan, memory) for memory in plan.memories), default=0)
        self._most = max(self._most, kept + image + plan.label_bytes + 2 * self._voxels)

    def _finish(self, plan: StepPlan, later: Sequence[StepPlan]) -> None:
        if plan.keeps_labels:
            self._labels += plan.label_bytes
        needed = {each.image_place for each in later}
        is_new = plan.grid.is_resampled and plan.image_place not in self._context.images
        if is_new and plan.image_place in needed:
            self._images[plan.image_place] = max((memory.image for memory in plan.memories), default=0)
        self._images = {place: size for place, size in self._images.items() if place in needed}

    def _restoring(self) -> int:
        """The labels of all steps, the finished layers, and labels on their way from one to the other."""
        results = [plan for plan in self._all_plans if plan.keeps_labels]
        if len(results) == 1 and not results[0].is_cut:
            (only,) = results
            becomes_layer = only.is_smooth and only.grid.reorientation is None
            return self._labels + (0 if becomes_layer else self._voxels)
        moving = max((math.prod(plan.geometry.shape) for plan in results), default=0)
        return self._labels + max(len(results), 1) * self._voxels + moving
