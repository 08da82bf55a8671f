"""The plan of one step of a job: the passes of its networks, their memory, and the work around them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping

from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SEGMENTATION, PlannedPass

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.prepared_model import CT_GRID, NETWORK_GRID
from TotalSegmentatorEngine.machine.profile import NetworkRecord
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key
from TotalSegmentatorEngine.plan.automatic_precision import may_be_reduced
from TotalSegmentatorEngine.plan.check_plan import (
    check_pass,
    checked_tiles,
    exact_strategy,
    may_be_checked,
    runs_in_regions,
)
from TotalSegmentatorEngine.plan.job_steps import Scope, Step
from TotalSegmentatorEngine.plan.memory_estimate import PassMemory, loaded_key, pass_memory, stored_bytes
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, Strategy
from TotalSegmentatorEngine.plan.network_work import tile_operations
from TotalSegmentatorEngine.plan.rates import (
    READ_AHEAD_SHARE,
    Work,
    checking_work,
    comparing_work,
    islands_work,
    label_rate,
    loading_work,
    network_rate,
    plans_resampling_work,
    published_work,
    resampling_work,
    restoring_work,
    trial_rate,
    usual_labelling,
)
from TotalSegmentatorEngine.plan.tile_counts import label_work, network_shape, tiles_of
from TotalSegmentatorEngine.preprocessing.cut_volume import cut_geometry
from TotalSegmentatorEngine.preprocessing.network_input import Region, image_place, network_grid, resamples_by_plans
from TotalSegmentatorEngine.preprocessing.regions import enclosing, shape_of


def is_timed(measured: NetworkRecord | None) -> bool:
    """Whether it is known how long a tile takes."""
    return measured is not None and not (measured.first_tile_seconds is None and measured.seconds_per_tile is None)


class StepPlan:
    """What a step does by a strategy on a CT of ``geometry``, as far as ``scope`` tells where. ``has_image``: the
    image that it gets is in memory already when it begins."""

    def __init__(
        self,
        step: Step,
        geometry: Geometry,
        scope: Scope,
        options: JobOptions,
        strategy: Strategy,
        context: PlanningContext,
        has_image: bool,
    ) -> None:
        self.step = step
        self._scope = scope
        self._options = options
        self._strategy = strategy
        self._context = context
        self.has_image = has_image
        self._profile = step.model.profile
        self.geometry = cut_geometry(geometry, scope.box)
        self.grid = network_grid(self.geometry, self._profile, step.folders[0])
        self.image_place: Hashable = image_place(scope.box, self._profile, step.folders[0])
        by_plans = any(resamples_by_plans(self._profile, folder) for folder in step.folders)
        self.is_smooth = options.smooth and step.number is not None and not by_plans
        self.resampled = self._resampled()
        """The region that is resampled of the CT, once for all parts; None: nothing is."""
        self._compared: set[str] = set()
        """Kinds of networks whose runtimes an earlier part compares."""
        self.passes: list[PlannedPass] = []
        self.memories: list[PassMemory] = []
        for part in step.parts:
            region = self._region(part)
            if region is not None:
                self._add_pass(part, region)
        self.checked_tiles = checked_tiles(step, scope, self.grid, options, strategy) if self.passes else 0
        if self.checked_tiles:
            self._add_check()

    @property
    def is_cut(self) -> bool:
        """Whether it gets a part of the CT alone."""
        return self._scope.box is not None

    @property
    def label_bytes(self) -> int:
        """Of the step's labels, from its first pass until they are restored; each is a byte."""
        smooth = math.prod(self.grid.full_shape) if self.is_smooth else 0
        on_grid = 0 if self.is_smooth and not self.step.is_asked_by_others else math.prod(self.grid.shape)
        return smooth + on_grid

    @property
    def check_bytes(self) -> int:
        """Of the labels of each network, which are kept until it is known whether they are checked, and have been."""
        is_in_regions = runs_in_regions(self.step, self._scope, self.grid)
        is_kept = may_be_checked(self.step, self._options, self._strategy.device, is_in_regions)
        regions = (self._region(part) for part in self.step.parts) if is_kept else ()
        return sum(math.prod(shape_of(region)) for region in regions if region is not None)

    @property
    def keeps_labels(self) -> bool:
        """After its last pass: others than the result need them only until they are looked at."""
        return self.step.number is not None

    # -- passes --------------------------------------------------------------------------------------------------------

    def _region(self, part: Part) -> Region | None:
        """Without regions, before those are known, a part may have to run anywhere."""
        if self._scope.is_empty:
            return None
        return self.grid.whole if self._scope.regions is None else self._scope.regions.get(part.name)

    def _resampled(self) -> Region | None:
        regions = [self._region(part) for part in self.step.parts]
        return enclosing(region for region in regions if region is not None)

    def _add_pass(self, part: Part, region: Region) -> None:
        folder, model = part.folder, self.step.model
        is_whole = region == self.grid.whole
        tiles = tiles_of(self.grid, region, folder, self._profile, len(model.parts) if is_whole else 1)
        shape = network_shape(self.grid, region, folder, self._profile)
        work = label_work(self.grid, region, folder, self._profile, self.is_smooth)
        load_seconds = self._load_seconds(folder, is_read_ahead=bool(self.passes))
        seconds, tile_seconds = self._network_seconds(folder, tiles, load_seconds)
        labelling = None if seconds is None else self._label_seconds(folder, work)
        if seconds is not None:
            seconds += labelling
        image_seconds = 0.0 if self.passes else self.seconds_before_networks()
        if resamples_by_plans(self._profile, folder) and self.image_place not in self._context.images:
            image = [shape_of(region)[axis] for axis in folder.transpose_forward]
            image_seconds += self.work_seconds(plans_resampling_work(folder, image, shape))
        self.passes.append(
            PlannedPass(
                part=part.name,
                purpose=self.step.purpose,
                shape=list(shape),
                is_cropped=self.is_cut or not is_whole,
                tiles=tiles,
                seconds=seconds,
                label_voxels=sum(work.values()),
                label_seconds=labelling,
                model=model.id,
                tile_voxels=math.prod(folder.patch_size),
                tile_seconds=tile_seconds,
                load_seconds=0.0 if seconds is None else load_seconds,
                image_seconds=image_seconds,
                is_estimated=seconds is not None and self._is_estimated(folder),
            )
        )
        self.memories.append(
            pass_memory(
                folder, shape, self._profile, self.grid, region, self.resampled, self._strategy, self._context.machine,
                self.is_smooth,
            )
        )  # fmt: skip
        machine, strategy = self._context.machine, self._strategy
        if is_whole and may_be_reduced(self._options, folder, tiles, strategy.device, strategy.runtime, machine):
            self.memories.append(self._beside(folder, dataclasses.replace(strategy, precision="reduced")))

    def _add_check(self) -> None:
        """The exact networks beside those of the step, where these are others."""
        exact, tiles = exact_strategy(self._strategy), self.checked_tiles
        first = self.step.folders[0]
        load_seconds = self._load_seconds(first, exact) if exact != self._strategy else 0.0
        seconds, pace = self._network_seconds(first, tiles, load_seconds, exact)
        if exact != self._strategy:
            again, _pace = self._network_seconds(first, tiles, 0.0)
            seconds = None if seconds is None or again is None else seconds + again
            self.memories += [self._beside(part.folder, exact) for part in self.step.parts[:tiles]]
        is_estimated = seconds is not None and self._is_estimated(self.step.folders[0], exact)
        self.passes.append(check_pass(self.step, self.grid, tiles, seconds, pace, is_estimated))

    def _beside(self, folder: ModelFolder, strategy: Strategy) -> PassMemory:
        """Memory of the same network in another precision: a few tiles of it, without sums."""
        memory = pass_memory(
            folder,
            folder.patch_size,
            self._profile,
            self.grid,
            self.grid.whole,
            self.resampled,
            strategy,
            self._context.machine,
        )
        return dataclasses.replace(memory, folder=f"{memory.folder} {strategy.precision}")

    # -- time ----------------------------------------------------------------------------------------------------------

    def _load_seconds(
        self, folder: ModelFolder, strategy: Strategy | None = None, is_read_ahead: bool = False
    ) -> float:
        """Until the network is ready to run, by another ``strategy`` than the step's. An earlier part of the same kind
        compares the runtimes for all of them. ``is_read_ahead``: while other parts run."""
        strategy, machine = strategy or self._strategy, self._context.machine
        if str(folder.path.resolve()) in self._context.loaded:
            return 0.0
        place = (strategy.runtime, strategy.precision, strategy.device)
        measured = machine.rate(loaded_key(folder, *place))
        if measured is not None:
            return measured
        seconds = self.work_seconds(loading_work(stored_bytes(folder), *place))
        if is_read_ahead:
            seconds *= READ_AHEAD_SHARE
        kind = architecture_key(folder)
        is_compared = machine.chosen_runtime(kind, strategy.precision, strategy.device) is not None
        if self._options.runtime == "auto" and strategy.device == "cpu" and not is_compared:
            if kind not in self._compared:
                pace = self._pace(place)
                seconds += self.work_seconds(comparing_work(tile_operations(folder), pace, *place[1:]))
            self._compared.add(kind)
        return seconds

    def _network_seconds(
        self, folder: ModelFolder, tiles: int, load_seconds: float, strategy: Strategy | None = None
    ) -> tuple[float | None, float | None]:
        """Of all tiles with what comes before them, and of one after the first; by another ``strategy`` than the
        step's."""
        strategy, machine = strategy or self._strategy, self._context.machine
        place = (strategy.runtime, strategy.precision, strategy.device)
        measured = machine.network(architecture_key(folder), *place)
        if not is_timed(measured):
            first = pace = self._expected_seconds(folder, place)
        else:
            first = measured.first_tile_seconds or measured.seconds_per_tile
            pace = measured.seconds_per_tile or measured.first_tile_seconds
        if pace is None:
            return None, None
        return load_seconds + (first + (tiles - 1) * pace if tiles else 0.0), pace

    def _expected_seconds(self, folder: ModelFolder, place: tuple[str, str, str]) -> float | None:
        """Of a tile of a network that never ran here, by the pace of other networks or else of a trial."""
        pace, operations = self._pace(place), tile_operations(folder)
        return None if pace is None or operations is None else pace * operations

    def _pace(self, place: tuple[str, str, str]) -> float | None:
        """Seconds of an operation of networks that run so."""
        machine = self._context.machine
        return machine.rate(network_rate(*place), usual=machine.rate(trial_rate(*place)))

    def _is_estimated(self, folder: ModelFolder, strategy: Strategy | None = None) -> bool:
        strategy = strategy or self._strategy
        place = (strategy.runtime, strategy.precision, strategy.device)
        return not is_timed(self._context.machine.network(architecture_key(folder), *place))

    def _label_seconds(self, folder: ModelFolder, work: Mapping[bool, int]) -> float:
        total = 0.0
        for is_resampled, voxels in work.items():
            usual = usual_labelling(is_resampled, len(folder.labels) + 1)
            rate = self._context.machine.rate(label_rate(folder, self._strategy.device, is_resampled), usual)
            total += voxels * rate
        return total

    def seconds_before_networks(self) -> float:
        """Of the image that they get."""
        if self.resampled is None or not self.grid.is_resampled or self.has_image:
            return 0.0
        return self.work_seconds(resampling_work(self.grid, self._profile, self.resampled))

    def seconds_after_networks(self) -> float:
        """Of the published steps, and of the labels on the CT's grid, where they are a part of the result."""
        published = self._published_seconds()
        if self.step.purpose != SEGMENTATION:
            return published
        merged = 0 if self.resampled is None else math.prod(shape_of(self.resampled))
        if self.is_smooth:
            merged = round(merged / math.prod(self.grid.shape) * math.prod(self.grid.full_shape))
        full = self.geometry.shape
        work = (islands_work(self._options, merged), restoring_work(full, merged, self.is_smooth))
        return published + sum(map(self.work_seconds, work))

    def seconds_of_preview(self) -> float:
        """Of its labels on the CT's grid and what is measured of them, where they are shown first."""
        if self.step.preview is None:
            return 0.0
        merged = 0 if self.resampled is None else math.prod(shape_of(self.resampled))
        full = self.geometry.shape
        return sum(map(self.work_seconds, (restoring_work(full, merged, is_smooth=False), checking_work(full))))

    def _published_seconds(self) -> float:
        if self.step.prepared is None or self.resampled is None:
            return 0.0
        voxels = {NETWORK_GRID: math.prod(self.grid.shape), CT_GRID: math.prod(self.geometry.shape)}
        steps = {grid: self.step.prepared.steps_on(grid) for grid in voxels}
        return sum(self.work_seconds(published_work(steps[grid], voxels[grid])) for grid in voxels if steps[grid])

    def work_seconds(self, work: Work) -> float:
        return work.units * self._context.machine.rate(work.name, work.usual)
