"""What a job is going to do, computed before its first tile: networks, regions, tiles, memory at its peak, and time.

Memory that does not fit is planned around before it fails: ``Planner`` knows the ways to run a job from the fastest to
the one that takes least, and what each takes. Times are what this machine has measured (machine_profile.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from TotalSegmentatorWire.messages.plan import (
    OVERVIEW,
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
from TotalSegmentatorEngine.plan.strategy import Surroundings, Way
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, network_grid, pieces_of
from TotalSegmentatorEngine.preprocessing.plans_resampling import image_resampling
from TotalSegmentatorEngine.preprocessing.regions import around, shape_of

_OVERVIEW_SHARE = 0.25
"""An overview pass is made where it costs at most this share of the voxels that the networks would run over without."""

_SMOOTHING_SECONDS = 8e-9
"""A voxel and label, before this machine has measured it: 35 s for 39 million voxels of 118 labels on two cores."""
PEAK_MARGIN = 1.05
"""What comes for a moment and is not counted; a plan had better promise too much memory than too little."""

Regions = Mapping[str, Region | None]
"""By name of a part: where it runs; None where it does not run at all."""


class Planner:
    """Makes the plans of one task on a CT of ``geometry``."""

    def __init__(self, geometry: Geometry, prepared: PreparedTask, around: Surroundings) -> None:
        self._geometry = geometry
        self._prepared = prepared
        self._model = prepared.model
        self._around = around
        self.parts = prepared.model.parts_to_run
        self.grid = network_grid(geometry, self._model.profile, self.parts[0].folder)

    def fitting(self, ways: Sequence[Way], regions: Regions | None = None) -> tuple[Plan, list[Way]]:
        """The plan of the first of ``ways`` that fits, and the ways from that one on.

        Raises SegmentationError("MEMORY_SHORT") where none fits.
        """
        plan = None
        for number, way in enumerate(ways):
            plan = self.plan(way, regions)
            if self._fits(plan, way):
                return plan, list(ways[number:])
        raise memory_short(plan.peak_bytes, plan.available_bytes)

    def _fits(self, plan: Plan, way: Way) -> bool:
        """On a GPU the device's memory decides, which is asked for when it runs out."""
        return plan.available_bytes is None or plan.peak_bytes <= plan.available_bytes or way.is_on_gpu

    def plan(self, way: Way, regions: Regions | None = None) -> Plan:
        """``regions`` are known after the overview pass; without them a part may have to run anywhere."""
        passes, memories = [], []
        if self.makes_overview:
            passes_of_overview, memory = self._overview_pass(way)
            passes.append(passes_of_overview)
            memories.append(memory)
        for part in self.parts:
            region = self.grid.whole if regions is None else regions.get(part.name)
            if region is not None:
                planned, memory = self._part_pass(part, region, self._resampled(regions), way)
                passes.append(planned)
                memories.append(memory)
        options = self._prepared.task.options
        around = self._around
        known = self._around.resident_bytes + PEAK_MARGIN * self._peak(memories, way)
        available = None if around.available_bytes is None else around.available_bytes + around.resident_bytes
        return Plan(
            model=self._model.id,
            profile=self._model.profile.id,
            device=way.device,
            runtime=way.runtime,
            precision=way.precision,
            passes=passes,
            seconds=self._seconds(passes, regions, options.smooth),
            peak_bytes=int(known),
            available_bytes=available,
            sums=way.sums,
            sums_on_host=way.sums_on_host,
            keeps_networks=way.keeps_networks,
            tile_batch=way.tile_batch,
            elapsed_seconds=round(self._around.elapsed_seconds, 2),
            notes=list(way.notes),
            is_preliminary=self.makes_overview and regions is None,
        )

    # -- passes ----------------------------------------------------------------------------------------------------

    @property
    def makes_overview(self) -> bool:
        """Whether a coarse model is there and quick enough beside what it may save."""
        overview = self._prepared.overview
        if overview is None:
            return False
        folder, coarse = overview.parts[0].folder, self._grid_of(overview)
        cost = tiles_of(coarse, coarse.whole, folder, overview.profile, 1) * math.prod(folder.patch_size)
        whole = sum(
            tiles_of(self.grid, self.grid.whole, part.folder, self._model.profile, len(self._model.parts))
            * math.prod(part.folder.patch_size)
            for part in self.parts
        )
        return cost <= _OVERVIEW_SHARE * whole

    def _grid_of(self, model: Model) -> NetworkGrid:
        return network_grid(self._geometry, model.profile, model.parts[0].folder)

    def _overview_pass(self, way: Way) -> tuple[PlannedPass, PassMemory]:
        overview = self._prepared.overview
        grid = self._grid_of(overview)
        return self._pass(OVERVIEW, overview, overview.parts[0], grid, grid.whole, grid.whole, way)

    def _part_pass(self, part: Part, region: Region, resampled: Region, way: Way) -> tuple[PlannedPass, PassMemory]:
        return self._pass(SEGMENTATION, self._model, part, self.grid, region, resampled, way)

    def _pass(
        self,
        purpose: str,
        model: Model,
        part: Part,
        grid: NetworkGrid,
        region: Region,
        resampled: Region,
        way: Way,
    ) -> tuple[PlannedPass, PassMemory]:
        folder, profile = part.folder, model.profile
        is_whole = region == grid.whole
        tiles = tiles_of(grid, region, folder, profile, len(model.parts) if is_whole else 1)
        shape = network_shape(grid, region, folder, profile)
        is_smooth = self._prepared.task.options.smooth and purpose == SEGMENTATION and profile.spacing == "model"
        seconds = self._network_seconds(folder, way, tiles)
        if seconds is not None and is_smooth:
            seconds += self._smoothing_seconds(folder, grid, region)
        planned = PlannedPass(part.name, purpose, list(shape), not is_whole, tiles, seconds)
        memory = pass_memory(folder, shape, profile, grid, region, resampled, way, self._around.machine, is_smooth)
        return planned, memory

    # -- memory ----------------------------------------------------------------------------------------------------

    def _peak(self, memories: Sequence[PassMemory], way: Way) -> int:
        """Bytes beyond what the process has now, at the worst moment of the job."""
        full = math.prod(self._geometry.shape)
        is_smooth = self._prepared.task.options.smooth
        merged = full if is_smooth else math.prod(self.grid.shape)
        peak, kept = 0, 0
        following = [*memories[1:], None]
        for memory, after in zip(memories, following, strict=True):
            image = 0 if self._around.has_image and memory.grid_shape == self.grid.shape else memory.image
            weights = 0 if memory.folder in self._around.loaded else memory.weights
            if memory.folder in self._around.read_ahead:  # they make room for the network
                weights -= memory.stored
            read_ahead = 0 if after is None or after.folder in self._around.loaded else after.stored
            smooth = full if is_smooth else 0
            running = kept + image + weights + memory.running + read_ahead + merged + smooth
            peak = max(peak, image + memory.resampling, running)
            kept = kept + weights if way.keeps_networks else 0
        image = max((memory.image for memory in memories), default=0)
        restoring = kept + image + merged + (full if not is_smooth or self.grid.reorientation else 0)
        return max(peak, restoring)

    # -- time ------------------------------------------------------------------------------------------------------

    def _network_seconds(self, folder: ModelFolder, way: Way, tiles: int) -> float | None:
        machine, place = self._around.machine, (way.runtime, way.precision, way.device)
        record = machine.network(architecture_key(folder), *place)
        if record is None or (record.first_tile_seconds is None and record.seconds_per_tile is None):
            return None
        first = record.first_tile_seconds or record.seconds_per_tile
        pace = record.seconds_per_tile or record.first_tile_seconds
        load = 0.0 if str(folder.path.resolve()) in self._around.loaded else machine.rate(loaded_key(folder, *place))
        return (load or 0.0) + (first + (tiles - 1) * pace if tiles else 0.0)

    def _seconds(self, passes: Sequence[PlannedPass], regions: Regions | None, is_smooth: bool) -> float | None:
        """Of the whole job; None while a network has not been measured. Once the regions are known, the overview's time
        has elapsed."""
        to_come = [planned for planned in passes if regions is None or planned.purpose != OVERVIEW]
        if any(planned.seconds is None for planned in to_come):
            return None
        machine, full = self._around.machine, math.prod(self._geometry.shape)
        resampled = self._resampled(regions)
        share = 0.0 if resampled is None else math.prod(shape_of(resampled)) / math.prod(self.grid.shape)
        resampling = 0.0 if self._around.has_image else share * self._resampling_seconds(self.grid, self._model)
        if any(planned.purpose == OVERVIEW for planned in to_come):
            overview = self._prepared.overview
            resampling += self._resampling_seconds(self._grid_of(overview), overview)
        restoring = (machine.rate(SMOOTH_RATE if is_smooth else RESTORING_RATE) or 0.0) * full
        total = sum(planned.seconds for planned in to_come) + resampling + restoring
        return round(self._around.elapsed_seconds + total, 2)

    def _smoothing_seconds(self, folder: ModelFolder, grid: NetworkGrid, region: Region) -> float:
        rate = self._around.machine.rate(smoothing_rate(folder))
        share = math.prod(shape_of(region)) / math.prod(grid.shape)
        return (_SMOOTHING_SECONDS * len(folder.labels) if rate is None else rate) * share * math.prod(grid.full_shape)

    def _resampling_seconds(self, grid: NetworkGrid, model: Model) -> float:
        """Of the whole CT."""
        rate = self._around.machine.rate(resampling_rate(grid, model.profile)) if grid.is_resampled else None
        return (rate or 0.0) * math.prod(grid.full_shape)

    def _resampled(self, regions: Regions | None) -> Region | None:
        """What is resampled of the CT, once for all parts."""
        return self.grid.whole if regions is None else around(r for r in regions.values() if r is not None)


RESTORING_RATE, SMOOTH_RATE = "restoring", "restoring, smooth"
"""Names of rates in the machine's profile: seconds a voxel of the CT."""


def smoothing_rate(folder: ModelFolder) -> str:
    """Likewise: the smooth labels of one network, which are made of all its logits."""
    return f"smoothing, {len(folder.labels) + 1} labels"


def resampling_rate(grid: NetworkGrid, profile: Profile) -> str:
    """Likewise; how many voxels are made of one differs with the spacing."""
    return f"resampling, order {profile.resampling_order}, {grid.spacing[0]:g} mm"


def network_shape(grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile) -> tuple[int, int, int]:
    """Shape that the network sees of a region, in its own axes; air around the image may be cropped from it."""
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
