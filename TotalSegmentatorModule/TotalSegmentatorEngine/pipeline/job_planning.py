"""Plans one job on this machine in its present state: free memory, networks and images held, time spent so far."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from TotalSegmentatorWire.messages.plan import Plan

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.inference.pace_trial import pace_trial
from TotalSegmentatorEngine.inference.runtimes import expected_choice
from TotalSegmentatorEngine.job.reporting import Reporter, SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.devices import choose_device
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import architecture_key
from TotalSegmentatorEngine.pipeline.cache import EngineCache, JobImages
from TotalSegmentatorEngine.plan.job_steps import JobState, job_steps
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, Strategy, execution_strategies
from TotalSegmentatorEngine.plan.planner import Planner
from TotalSegmentatorEngine.plan.rates import trial_rate
from TotalSegmentatorEngine.plan.step_plan import is_timed
from TotalSegmentatorEngine.preprocessing.network_input import image_place

CT_VOXEL_BYTES = 2
"""Of a CT in memory: HU fit into int16."""


class JobPlanning:
    """The execution strategies of one job and the plans for them. ``started``: of the job, in monotonic seconds."""

    def __init__(
        self,
        geometry: Geometry,
        images: JobImages,
        prepared: PreparedTask,
        cache: EngineCache,
        reporter: Reporter,
        started: float,
        expected_bytes: int = 0,
    ) -> None:
        """``geometry``: of the CT. ``expected_bytes``: of memory that the process will have more before the job."""
        self._geometry = geometry
        self._prepared = prepared
        self._started = started
        self._expected_bytes = expected_bytes
        self.steps = job_steps(geometry, prepared)
        self.state = JobState()
        """What is known and done of the job, by whoever runs it."""
        self.images = images
        self.cache = cache
        self.reporter = reporter
        self.machine = MachineProfile.load()

    @property
    def requested_device(self) -> str:
        """As in the task: "auto" allows a fallback to the CPU."""
        return self._prepared.task.device

    def strategies(self, device: torch.device | None = None) -> list[Strategy]:
        """The strategies for a device, by default the one that the task names, from the fastest to the one that takes
        least memory. Raises SegmentationError("DEVICE_UNAVAILABLE")."""
        device = choose_device(self.requested_device) if device is None else device
        folder = self._prepared.models[0].model.folders_to_run[0]
        runtime, precision = expected_choice(folder, self._prepared.task.options, device, self.machine)
        return execution_strategies(str(device), runtime, precision, keeps_networks=not self.cache.serves_one_job)

    def first_that_fits(self, strategies: Sequence[Strategy]) -> tuple[Plan, list[Strategy]]:
        """The plan of the first strategy that fits into memory, and the strategies from that one on.

        Where a network of the job never ran on this machine, a short trial is made first, once. Raises
        SegmentationError("MEMORY_SHORT") where none fits, CANCELLED.
        """
        self._try_machine(strategies[0])
        return self._planner().first_that_fits(strategies, self.state)

    def refined(self, strategy: Strategy) -> Plan:
        """The plan with what is known by now."""
        return self._planner().plan(strategy, self.state)

    def forget_networks(self) -> None:
        """All that are in memory."""
        self.cache.forget_networks()

    def _try_machine(self, strategy: Strategy) -> None:
        place = (strategy.runtime, strategy.precision, strategy.device)
        if self.machine.rate(trial_rate(*place)) is not None:
            return
        folders = [folder for step in self.steps if step not in self.state.done for folder in step.folders]
        if all(is_timed(self.machine.network(architecture_key(folder), *place)) for folder in folders):
            return
        self.reporter.check_cancelled()
        tried = pace_trial(strategy.runtime, strategy.precision, torch.device(strategy.device))
        if tried is not None:
            self.machine.remember_rate(trial_rate(*place), *tried)
            self.machine.save()

    def _planner(self) -> Planner:
        cache = self.cache
        places = {image_place(self.state.scope(step).box, step.model.profile, step.folders[0]) for step in self.steps}
        prefetched = cache.weights.settle(self.reporter.check_cancelled)
        context = PlanningContext(
            self.machine,
            frozenset(cache.held_folders()) | prefetched.runners,
            frozenset(place for place in places if self.images.holds(place)),
            time.monotonic() - self._started,
            prefetched.weights,
            self._expected_bytes,
        )
        return Planner(self._geometry, self._prepared, context, self.steps)


def plan_volume(volume: Volume, prepared: PreparedTask, cache: EngineCache | None = None) -> Plan:
    """The plan of ``segment_volume`` with what ``cache`` holds, or for a process of its own. Raises SegmentationError:
    DEVICE_UNAVAILABLE, MEMORY_SHORT."""
    cache = cache or EngineCache(serves_one_job=True)
    images = JobImages(volume, cache)
    return _planned(JobPlanning(volume.geometry, images, prepared, cache, SilentReporter(), time.monotonic()))


def plan_geometry(geometry: Geometry, prepared: PreparedTask, cache: EngineCache) -> Plan:
    """Likewise on a CT of ``geometry`` that ``cache`` will hold in place of the one that it holds. Raises as
    ``plan_volume`` does."""
    ct_bytes = CT_VOXEL_BYTES * math.prod(geometry.shape) - cache.ct_bytes
    images, now = JobImages(None, cache), time.monotonic()
    return _planned(JobPlanning(geometry, images, prepared, cache, SilentReporter(), now, expected_bytes=ct_bytes))


def _planned(planning: JobPlanning) -> Plan:
    return planning.first_that_fits(planning.strategies())[0]


def runs_on_gpu(device: str) -> bool:
    """Whether the networks of a task for ``device`` run elsewhere than on the processor. Raises
    SegmentationError("DEVICE_UNAVAILABLE")."""
    return choose_device(device).type != "cpu"
