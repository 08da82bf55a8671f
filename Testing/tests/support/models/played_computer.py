"""A computer that runs no network: it has true costs of every step, by which a clock of its own goes on. The engine's
own code measures them, keeps them and plans by them.

What the steps cost is counted here from the CT, the model and the options alone, and otherwise than the plans count it:
with what each step costs however little it has to do, at first and in each job, and with what no plan knows of (a trial
of runtimes, weights that are not in the system's memory yet, other programs).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planned_steps import localized_state, requested_grid, requested_step
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine import work_time
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.find_model import Model, Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key
from TotalSegmentatorEngine.pipeline import measurements
from TotalSegmentatorEngine.pipeline.measurements import Measurements
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, execution_strategies
from TotalSegmentatorEngine.plan.planner import Planner
from TotalSegmentatorEngine.plan.rates import (
    checking_work,
    islands_work,
    plans_resampling_work,
    resampling_work,
    restoring_work,
    reviewing_work,
)
from TotalSegmentatorEngine.plan.tile_counts import label_work, network_shape, tiles_of
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, network_grid
from TotalSegmentatorEngine.preprocessing.regions import enclosing, shape_of
from TotalSegmentatorWire.messages.plan import Plan

STRATEGY = execution_strategies("cpu", "openvino", "exact", keeps_networks=False)[0]
RUNNER = SimpleNamespace(runtime="openvino", precision="exact", device=torch.device("cpu"), mirror_images=1)
THREADS = 2
"""Of the steps that share their work; each of these runs on a processor of its own where nothing disturbs it."""
ONE, BOTH = 1.0, 0.95 * THREADS
_NOISE = 0.05
"""Standard deviation of the logarithm of each step's time, and of each job's as a whole."""
_NS = 1e-9


@dataclass(frozen=True)
class Job:
    """``regions``: where the parts will run, by the share of each axis; without it they run everywhere."""

    name: str
    geometry: Geometry
    prepared: PreparedTask
    region: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True)
class Ran:
    """``first``: what the job planned before it ran; ``plan``: once it knew where its networks run."""

    first: Plan
    plan: Plan
    seconds: float

    @property
    def error(self) -> float:
        """Of the plan's time, as a share of what it took."""
        return self.plan.seconds / self.seconds - 1.0

    @property
    def first_error(self) -> float:
        return self.first.seconds / self.seconds - 1.0


class PlayedComputer:
    """``busy``: how likely other programs are to take three quarters of the processors during a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int, busy: float = 0.0) -> None:
        self.machine = MachineProfile()
        self._random = random.Random(seed)
        self._busy = busy
        self._now = work_time.Spent()
        self._job_factor = 1.0
        self._tried: set[tuple[int, ...]] = set()
        self._read: set[str] = set()
        clock = SimpleNamespace(monotonic=lambda: self._now.elapsed, process_time=lambda: self._now.computed)
        monkeypatch.setattr(work_time, "time", clock)
        monkeypatch.setattr(measurements, "resident_memory", lambda: 0)

    def run(self, job: Job, is_busy: bool = False) -> Ran:
        """``is_busy``: other programs take three quarters of the processors during the whole job."""
        begun, self._job_factor = self._now.elapsed, math.exp(self._random.gauss(0.0, _NOISE))
        busy, self._busy = self._busy, 1.0 if is_busy else self._busy
        self._takes(1.5, ONE)  # the engine's packages
        with Measurements(self.machine) as measured:
            planner = self._planner(job, begun)
            first = plan = planner.plan(STRATEGY)
            step, grid = requested_step(planner), requested_grid(planner, job.geometry)
            regions = {part.name: grid.whole for part in step.parts}
            if step.localized_by is not None:
                self._localize(measured, job)
                regions = {part.name: _region(grid, job.region) for part in step.parts}
                planner = self._planner(job, begun)
                plan = planner.plan(STRATEGY, localized_state(planner, regions))
            self._segment(measured, job, planner, regions)
        self._busy = busy
        return Ran(first, plan, self._now.elapsed - begun)

    def _planner(self, job: Job, begun: float) -> Planner:
        elapsed = self._now.elapsed - begun
        context = PlanningContext(self.machine, elapsed_seconds=elapsed, resident_bytes=0, available_bytes=None)
        return Planner(job.geometry, job.prepared, context)

    # -- the steps of a job --------------------------------------------------------------------------------------------

    def _localize(self, measured: Measurements, job: Job) -> None:
        model = job.prepared.models[0].coarse_model
        grid = network_grid(job.geometry, model.profile, model.parts[0].folder)
        self._resample(measured, model, grid, grid.whole)
        self._run_network(measured, model, model.parts[0], grid, grid.whole, is_smooth=False)

    def _segment(self, measured: Measurements, job: Job, planner: Planner, regions: dict[str, Region]) -> None:
        model, options = job.prepared.models[0].model, job.prepared.task.options
        grid = requested_grid(planner, job.geometry)
        needed = enclosing(regions.values())
        self._resample(measured, model, grid, needed)
        for part in requested_step(planner).parts:
            self._run_network(measured, model, part, grid, regions[part.name], options.smooth)
            self._takes(5 * _NS * math.prod(shape_of(regions[part.name])), ONE)  # merged
        full, merged = math.prod(grid.full_shape), math.prod(shape_of(needed))
        if options.smooth:
            merged = full
        with measured.work(islands_work(options, merged)):
            passes = options.largest_piece + (options.smallest_island_mm3 > 0)
            self._takes(0.01 + 35 * _NS * merged * passes, ONE)
        with measured.work(restoring_work(job.geometry.shape, merged, options.smooth)):
            self._takes(0.02 + (9 * _NS * full if options.smooth else 3 * _NS * full + 22 * _NS * merged), ONE)
        named = len(job.prepared.structures) / len(model.structures)
        with measured.work(checking_work(job.geometry.shape)):
            self._takes(0.05 + (6 + 12 * named) * _NS * full, ONE)
        if job.prepared.task.is_reviewed:
            with measured.work(reviewing_work(job.geometry.shape)):
                self._takes(0.1 + (10 + 40 * named) * _NS * full, ONE)

    def _resample(self, measured: Measurements, model: Model, grid: NetworkGrid, region: Region) -> None:
        if not grid.is_resampled:
            return
        with measured.work(resampling_work(grid, model.profile, region)):
            made = math.prod(shape_of(region))
            read = made / math.prod(grid.shape) * math.prod(grid.full_shape)
            cost = (12, 60) if model.profile.resampling_order == 1 else (20, 40)
            self._takes(0.05 + cost[0] * _NS * read + cost[1] * _NS * made, BOTH)

    def _run_network(
        self, measured: Measurements, model: Model, part: Part, grid: NetworkGrid, region: Region, is_smooth: bool
    ) -> None:
        folder, profile = part.folder, model.profile
        shape = network_shape(grid, region, folder, profile)
        if profile.spacing == "plans":
            image = shape_of(region)
            with measured.work(plans_resampling_work(folder, image, shape)):
                cost = 8 if folder.settings["normalization_schemes"][0] == "CTNormalization" else 90
                self._takes(0.1 + cost * _NS * math.prod(image) + 50 * _NS * math.prod(shape), BOTH)
        self._load(measured, folder)
        tiles = tiles_of(grid, region, folder, profile, 1)
        work = label_work(grid, region, folder, profile, is_smooth and profile.spacing == "model")
        sinks = [_Sink(voxels, is_resampled) for is_resampled, voxels in work.items()]
        self._run_tiles(measured, folder, tiles, sinks)

    def _load(self, measured: Measurements, folder: ModelFolder) -> None:
        probe = measured.loading(folder)
        if str(folder.path) not in self._read:  # not in the memory of the system
            self._read.add(str(folder.path))
            self._takes(0.6, 0.1)
        self._takes(0.1, ONE)
        probe.weights_read()
        if folder.patch_size not in self._tried:
            self._tried.add(folder.patch_size)
            with probe.trial():
                self._takes(1.5 + _tile_seconds(folder), BOTH)
                key, share = architecture_key(folder), 1 / 8
                self.machine.remember_trial(
                    key, "openvino", "exact", "cpu", share, 0.85 * share * _tile_seconds(folder)
                )
        self._takes(1.4, ONE)
        probe.ready(RUNNER)

    def _run_tiles(self, measured: Measurements, folder: ModelFolder, tiles: int, sinks: Sequence[_Sink]) -> None:
        for sink in sinks:
            sink.add = lambda _sums, _weights, sink=sink: self._label(folder, sink, tiles)
        with measured.network_run(folder, RUNNER, tiles, 0, sinks) as probe:
            on_tile = probe.on_tile(lambda _finished: None)
            on_tile(0)
            for tile in range(tiles):
                extra = 0.1 + 0.15 * _tile_seconds(folder) if tile == 0 else 0.0  # memory
                self._takes(_tile_seconds(folder) + extra, BOTH)
                on_tile(tile + 1)
                probe.sink.add(torch.zeros(1), torch.ones(1))
                on_tile(tile + 1)

    def _label(self, folder: ModelFolder, sink: _Sink, tiles: int) -> None:
        each = (1.1 if sink.is_resampled else 0.8) * _NS * (len(folder.labels) + 1)
        self._takes((0.25 + each * sink.labels.size) / tiles, BOTH)

    # -- the clock -----------------------------------------------------------------------------------------------------

    def _takes(self, seconds: float, processors: float) -> None:
        """A step that keeps so many ``processors`` busy for ``seconds`` where nothing disturbs it."""
        seconds *= self._job_factor * math.exp(self._random.gauss(0.0, _NOISE))
        slower = 4.0 if self._random.random() < self._busy else 1.0
        self._now += work_time.Spent(seconds * slower, seconds * processors)


class _Sink:
    """Labels of so many voxels; they take no memory."""

    def __init__(self, voxels: int, is_resampled: bool) -> None:
        self.labels = np.broadcast_to(np.uint8(0), (voxels,))
        self.is_resampled = is_resampled

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        raise NotImplementedError


def _tile_seconds(folder: ModelFolder) -> float:
    """3.2 s for 128 x 128 x 128 voxels, as on two cores."""
    return 1.5e-6 * math.prod(folder.patch_size)


def _region(grid: NetworkGrid, shares: Sequence[tuple[float, float]] | None) -> Region:
    if shares is None:
        return grid.whole
    return tuple(
        slice(int(begin * size), max(math.ceil(end * size), int(begin * size) + 1))
        for (begin, end), size in zip(shares, grid.shape, strict=True)
    )
