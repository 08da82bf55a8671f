"""Plans a job before its first tile: networks, regions, tiles, peak memory, and time.

Where memory would not suffice, another strategy is planned before the job fails: ``Planner`` knows what each takes.
Times are what this machine has measured (machine/profile.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import (
    LOCALIZATION,
    SECOND_OPINION,
    SEGMENTATION,
    Plan,
    PlannedPass,
)
from TotalSegmentatorWire.tables.catalogue import Profile

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.inference.sliding_window import Window
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.memory import memory_short
from TotalSegmentatorEngine.models.find_model import Model, Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key
from TotalSegmentatorEngine.plan.memory_estimate import PassMemory, loaded_key, pass_memory
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, Strategy
from TotalSegmentatorEngine.plan.rates import (
    USUAL_LABELLING,
    Work,
    checking_work,
    islands_work,
    label_rate,
    plans_resampling_work,
    resampling_work,
    restoring_work,
    reviewing_work,
)
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, network_grid, pieces_of
from TotalSegmentatorEngine.preprocessing.plans_resampling import image_resampling
from TotalSegmentatorEngine.preprocessing.regions import enclosing, shape_of

LOCALIZATION_SHARE = 0.25
"""A coarse localization pass is made where it costs at most this share of the voxels of a run without one."""

SECOND_OPINION_SHARE = 0.1
"""A second opinion is asked for by itself where it costs at most this share of the voxels of the run itself: the 3 mm
model beside the five parts at 1.5 mm costs a twentieth."""

PEAK_MARGIN = 1.05
"""For short-lived memory that is not counted; a plan should rather name too much memory than too little."""

Regions = Mapping[str, Region | None]
"""By name of a part: where it runs; None where it does not run at all."""


class Planner:
    """Makes the plans of one task on a CT of ``geometry``."""

    def __init__(self, geometry: Geometry, prepared: PreparedTask, context: PlanningContext) -> None:
        self._geometry = geometry
        self._prepared = prepared
        self._model = prepared.model
        self._context = context
        self.parts = prepared.model.parts_to_run
        self.grid = network_grid(geometry, self._model.profile, self.parts[0].folder)

    def first_that_fits(self, strategies: Sequence[Strategy]) -> tuple[Plan, list[Strategy]]:
        """The plan of the first of ``strategies`` that fits, and the strategies from that one on.

        Raises SegmentationError("MEMORY_SHORT") where none fits.
        """
        plan = None
        for number, strategy in enumerate(strategies):
            plan = self.plan(strategy)
            if self._fits(plan, strategy):
                return plan, list(strategies[number:])
        raise memory_short(plan.peak_bytes, plan.available_bytes)

    def _fits(self, plan: Plan, strategy: Strategy) -> bool:
        """On a GPU the device's memory decides, which is read when it runs out."""
        return plan.available_bytes is None or plan.peak_bytes <= plan.available_bytes or strategy.is_on_gpu

    def plan(self, strategy: Strategy, regions: Regions | None = None) -> Plan:
        """``regions`` are known after the coarse localization pass; without them a part may have to run anywhere."""
        passes, memories = [], []
        if self.localizes_first:
            planned, memory = self._coarse_pass(LOCALIZATION, self._prepared.coarse_model, strategy)
            passes.append(planned)
            memories.append(memory)
        for part in self.parts:
            region = self.grid.whole if regions is None else regions.get(part.name)
            if region is not None:
                planned, memory = self._part_pass(part, region, self._resampled(regions), strategy)
                passes.append(planned)
                memories.append(memory)
        if self._asks_second_opinion:
            planned, memory = self._coarse_pass(SECOND_OPINION, self._prepared.second_model, strategy)
            passes.append(planned)
            memories.append(memory)
        options = self._prepared.task.options
        context = self._context
        known = self._context.resident_bytes + PEAK_MARGIN * self._peak(memories, strategy)
        available = None if context.available_bytes is None else context.available_bytes + context.resident_bytes
        return Plan(
            model=self._model.id,
            profile=self._model.profile.id,
            device=strategy.device,
            runtime=strategy.runtime,
            precision=strategy.precision,
            passes=passes,
            seconds=self._seconds(passes, regions, options),
            peak_bytes=int(known),
            available_bytes=available,
            sums=strategy.sums,
            sums_on_host=strategy.sums_on_host,
            keeps_networks=strategy.keeps_networks,
            tile_batch=strategy.tile_batch,
            elapsed_seconds=round(self._context.elapsed_seconds, 2),
            notes=list(strategy.notes),
            is_preliminary=self.localizes_first and regions is None,
        )

    # -- passes ----------------------------------------------------------------------------------------------------

    @property
    def localizes_first(self) -> bool:
        """Whether there is a coarse model that costs little beside what it may save."""
        coarse = self._prepared.coarse_model
        return coarse is not None and self._share_of(coarse) <= LOCALIZATION_SHARE

    @property
    def _asks_second_opinion(self) -> bool:
        second = self._prepared.second_model
        if second is None:
            return False
        return self._prepared.task.options.second_opinion == "on" or self._share_of(second) <= SECOND_OPINION_SHARE

    def _share_of(self, coarse: Model) -> float:
        """Of the voxels that a run without a localization predicts, those that the coarse model does."""
        folder, grid = coarse.parts[0].folder, self._grid_of(coarse)
        cost = tiles_of(grid, grid.whole, folder, coarse.profile, 1) * math.prod(folder.patch_size)
        whole = sum(
            tiles_of(self.grid, self.grid.whole, part.folder, self._model.profile, len(self._model.parts))
            * math.prod(part.folder.patch_size)
            for part in self.parts
        )
        return cost / whole

    def _grid_of(self, model: Model) -> NetworkGrid:
        return network_grid(self._geometry, model.profile, model.parts[0].folder)

    def _coarse_pass(self, purpose: str, coarse: Model, strategy: Strategy) -> tuple[PlannedPass, PassMemory]:
        grid = self._grid_of(coarse)
        return self._pass(purpose, coarse, coarse.parts[0], grid, grid.whole, grid.whole, strategy)

    def _part_pass(
        self, part: Part, region: Region, resampled: Region, strategy: Strategy
    ) -> tuple[PlannedPass, PassMemory]:
        return self._pass(SEGMENTATION, self._model, part, self.grid, region, resampled, strategy)

    def _pass(
        self,
        purpose: str,
        model: Model,
        part: Part,
        grid: NetworkGrid,
        region: Region,
        resampled: Region,
        strategy: Strategy,
    ) -> tuple[PlannedPass, PassMemory]:
        folder, profile = part.folder, model.profile
        is_whole = region == grid.whole
        tiles = tiles_of(grid, region, folder, profile, len(model.parts) if is_whole else 1)
        shape = network_shape(grid, region, folder, profile)
        is_smooth = self._prepared.task.options.smooth and purpose == SEGMENTATION and profile.spacing == "model"
        seconds = self._network_seconds(folder, strategy, tiles)
        work = label_work(grid, region, folder, profile, is_smooth)
        labelling = None if seconds is None else self._label_seconds(folder, strategy, work)
        if seconds is not None:
            seconds += labelling
            if profile.spacing == "plans" and not self._context.has_image:
                image = [shape_of(region)[axis] for axis in folder.transpose_forward]
                seconds += self._work_seconds(plans_resampling_work(folder, image, shape))
        voxels = sum(work.values())
        planned = PlannedPass(part.name, purpose, list(shape), not is_whole, tiles, seconds, voxels, labelling)
        memory = pass_memory(
            folder, shape, profile, grid, region, resampled, strategy, self._context.machine, is_smooth
        )
        return planned, memory

    # -- memory ----------------------------------------------------------------------------------------------------

    def _peak(self, memories: Sequence[PassMemory], strategy: Strategy) -> int:
        """Bytes beyond what the process has now, at the worst moment of the job."""
        full = math.prod(self._geometry.shape)
        is_smooth = self._prepared.task.options.smooth
        merged = full if is_smooth else math.prod(self.grid.shape)
        peak, kept = 0, 0
        following = [*memories[1:], None]
        for memory, after in zip(memories, following, strict=True):
            image = 0 if self._context.has_image and memory.grid_shape == self.grid.shape else memory.image
            weights = 0 if memory.folder in self._context.loaded else memory.weights
            if memory.folder in self._context.prefetched:  # they make room for the network
                weights -= memory.stored
            prefetched = 0 if after is None or after.folder in self._context.loaded else after.stored
            smooth = full if is_smooth else 0
            running = kept + image + weights + memory.running + prefetched + merged + smooth
            peak = max(peak, image + memory.resampling, running)
            kept = kept + weights if strategy.keeps_networks else 0
        image = max((memory.image for memory in memories), default=0)
        restoring = kept + image + merged + (full if not is_smooth or self.grid.reorientation else 0)
        return max(peak, restoring)

    # -- time ------------------------------------------------------------------------------------------------------

    def _network_seconds(self, folder: ModelFolder, strategy: Strategy, tiles: int) -> float | None:
        machine, place = self._context.machine, (strategy.runtime, strategy.precision, strategy.device)
        measured = machine.network(architecture_key(folder), *place)
        if measured is None or (measured.first_tile_seconds is None and measured.seconds_per_tile is None):
            return None
        first = measured.first_tile_seconds or measured.seconds_per_tile
        pace = measured.seconds_per_tile or measured.first_tile_seconds
        load = 0.0 if str(folder.path.resolve()) in self._context.loaded else machine.rate(loaded_key(folder, *place))
        return (load or 0.0) + (first + (tiles - 1) * pace if tiles else 0.0)

    def _seconds(self, passes: Sequence[PlannedPass], regions: Regions | None, options: JobOptions) -> float | None:
        """Of the whole job; None while a network has not been measured. Once the regions are known, the
        time of the localization has passed."""
        to_come = [planned for planned in passes if regions is None or planned.purpose != LOCALIZATION]
        if any(planned.seconds is None for planned in to_come):
            return None
        region = self._resampled(regions)
        work = self._work_around_networks(region, options)
        of_purpose = {LOCALIZATION: self._prepared.coarse_model, SECOND_OPINION: self._prepared.second_model}
        for coarse in (of_purpose[planned.purpose] for planned in to_come if planned.purpose in of_purpose):
            grid = self._grid_of(coarse)
            work += [resampling_work(grid, coarse.profile, grid.whole)] if grid.is_resampled else []
        total = sum(planned.seconds for planned in to_come) + sum(map(self._work_seconds, work))
        return round(self._context.elapsed_seconds + total, 2)

    def _work_around_networks(self, region: Region | None, options: JobOptions) -> list[Work]:
        """Before and after the networks run over ``region``; None: they do not."""
        full, work = self._geometry.shape, []
        if region is not None and self.grid.is_resampled and not self._context.has_image:
            work.append(resampling_work(self.grid, self._model.profile, region))
        merged = 0 if region is None else math.prod(shape_of(region))
        if options.smooth:
            merged = round(merged / math.prod(self.grid.shape) * math.prod(self.grid.full_shape))
        work += [islands_work(options, merged), restoring_work(full, merged, options.smooth), checking_work(full)]
        return [*work, reviewing_work(full)] if self._prepared.task.is_reviewed else work

    def _work_seconds(self, work: Work) -> float:
        return work.units * self._context.machine.rate(work.name, work.usual)

    def _label_seconds(self, folder: ModelFolder, strategy: Strategy, work: Mapping[bool, int]) -> float:
        total = 0.0
        for is_resampled, voxels in work.items():
            usual = USUAL_LABELLING[is_resampled] * len(folder.labels)
            total += voxels * self._context.machine.rate(label_rate(folder, strategy.device, is_resampled), usual)
        return total

    def _resampled(self, regions: Regions | None) -> Region | None:
        """What is resampled of the CT, once for all parts."""
        return self.grid.whole if regions is None else enclosing(r for r in regions.values() if r is not None)


def label_work(
    grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile, is_smooth: bool
) -> dict[bool, int]:
    """Voxels whose label is found when a network runs over ``region``: True: of resampled logits; False: of others."""
    shape = network_shape(grid, region, folder, profile)
    own = [shape_of(region)[axis] for axis in folder.transpose_forward]
    is_resampled = tuple(shape) != tuple(own)
    work = {is_resampled: math.prod(own)}
    if is_smooth:
        share = math.prod(own) / math.prod(grid.shape)
        work[True] = work.get(True, 0) + round(share * math.prod(grid.full_shape))
    return work


def network_shape(grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile) -> tuple[int, int, int]:
    """Shape of a region as the network gets it, in its own axes; voxels of value 0 at the image's border may still be
    cropped from it."""
    shape = [shape_of(region)[axis] for axis in folder.transpose_forward]
    if profile.spacing == "model":
        return tuple(shape)
    spacing = tuple(grid.spacing[axis] for axis in folder.transpose_forward)
    return image_resampling(folder, shape, spacing).wanted


def tiles_of(grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile, part_count: int) -> int:
    window = Window(folder.patch_size, profile.step, profile.average)
    total = 0
    for piece in pieces_of(shape_of(region), profile, part_count):
        rows = (slice(region[0].start + piece.rows.start, region[0].start + piece.rows.stop), *region[1:])
        total += window.tile_count(network_shape(grid, rows, folder, profile))
    return total
