"""The networks of one job: weights are prefetched, runners are made when a network's turn comes."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Sequence

import numpy as np
import torch
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.agreement import REDUCED
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.inference.graphics_choice import report_graphics
from TotalSegmentatorEngine.inference.runtimes import choose_runtime, resolved_precision
from TotalSegmentatorEngine.inference.stored_runners import ready_networks, store_runner
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.inference.weight_prefetch import is_ready
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.machine.allocator import trim_memory
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.measurements import Measurements


class NetworksUsed:
    """How the networks ran that a job's result is made by. It outlives a pool: what is done stays done where the job
    goes on with less memory."""

    def __init__(self, asked: JobOptions) -> None:
        self.asked = asked
        self.is_automatic = asked.precision == "auto"
        """Whether networks may run in reduced precision without having been asked to."""
        self.runtime = asked.runtime
        """With which the last network ended."""
        self._of_finished_steps: list[str] = []
        """Precisions, in the order of the networks."""
        self._of_step: list[str] = []
        """Of the present one."""

    def add(self, runner: TileRunner) -> None:
        self.runtime = runner.runtime
        self._of_step.append(runner.precision)

    def begin_step(self) -> None:
        """What ran of it before is no part of the result."""
        self._of_step.clear()

    def finish_step(self) -> None:
        self._of_finished_steps += self._of_step
        self._of_step.clear()

    @property
    def options(self) -> JobOptions:
        """The job's, with the runtime and precision of the network that ran last; of several precisions, the reduced
        one."""
        ran = [*self._of_finished_steps, *self._of_step] or [self.asked.precision]
        return dataclasses.replace(self.asked, runtime=self.runtime, precision=REDUCED if REDUCED in ran else ran[-1])


class NetworkPool:
    """Runners for the model folders of some steps, one after the other, as a plan says.

    Where the plan keeps networks, those of a step stay in memory together, and as many as the cache holds for the next
    job; else each goes before the next comes. One network's activations are in memory at a time.
    """

    def __init__(
        self,
        steps: Sequence[Sequence[ModelFolder]],
        plan: Plan,
        used: NetworksUsed,
        cache: EngineCache,
        measurements: Measurements,
        reporter: Reporter,
    ) -> None:
        self._steps = [list(folders) for folders in steps]
        self._plan = plan
        self.options = used.asked
        self._cache = cache
        self._measurements = measurements
        self._reporter = reporter
        self._ready = ready_networks(used.asked, plan.device)
        self._current: TileRunner | None = None
        self._of_job: TileRunner | None = None
        """The same, unless that one only checks the job's."""
        self._used = used
        used.begin_step()
        self._reduced: set[str] = set()
        self.last_precision = ""
        """Of the network that ``runner`` gave last."""

    def __enter__(self) -> NetworkPool:
        # before torch was there, another device may have been expected, and so another form of this network
        left = [each for each in self._folders if not self._cache.holds_runner(each, self._variant(self.options))]
        if left:
            self._cache.weights.keep_only(left[0], self._ready)
        self._prefetch_first_of(self._folders)
        return self

    def will_run(self, steps: Sequence[Sequence[ModelFolder]]) -> None:
        """Sets which networks are left to run, now that this is known, so that no other's weights are read."""
        self._steps = [list(folders) for folders in steps]
        self._prefetch_first_of(self._folders, beside_another=self._current is not None)

    def run_in_order(self, left: Sequence[ModelFolder]) -> None:
        """Sets the order of the networks of a step that are left to run. What was read ahead for another one than the
        first goes: the memory for both is not planned."""
        self._cache.weights.keep_only(left[0], self._ready)
        self._steps = [
            [*(folder for folder in folders if folder not in left), *left] if left[0] in folders else folders
            for folders in self._steps
        ]

    @property
    def _folders(self) -> list[ModelFolder]:
        return [folder for folders in self._steps for folder in folders]

    def _kept_with(self, folder: ModelFolder) -> int:
        """How many networks stay in memory with this one: those of its step."""
        return max((len(folders) for folders in self._steps if folder in folders), default=1)

    def __exit__(self, *_exception: object) -> None:
        """Releases activations, and weights that were prefetched and not used."""
        self._cache.weights.clear()
        self._release_current()
        if not self._plan.keeps_networks:
            self._cache.forget_networks()

    def runner(self, folder: ModelFolder, sample: Callable[[], np.ndarray], reads_ahead: bool = True) -> TileRunner:
        """The folder's network, ready to run; ``sample`` gives a tile for the first trial on this machine.

        ``reads_ahead``: it runs now, and the weights of the one after it are read meanwhile. Raises SegmentationError:
        MODEL_DAMAGED, MODEL_UNSAFE, CANCELLED.
        """
        options = self._options_of(folder)
        if not self._plan.keeps_networks:
            is_held = self._cache.holds_runner(folder, self._variant(options))
            self._cache.forget_networks(but=folder if is_held else None)
        runner = self._of_job = self._runner(folder, sample, options, reads_ahead)
        if reads_ahead:
            self._prefetch_after(folder)
        self._used.add(runner)
        self.last_precision = runner.precision
        return runner

    def reduced_runner(self, folder: ModelFolder, sample: Callable[[], np.ndarray]) -> TileRunner:
        """Likewise in reduced precision, to see how that does."""
        if not self._plan.keeps_networks:
            self._release_current()
            self._cache.forget_networks()
        return self._runner(folder, sample, dataclasses.replace(self.options, precision=REDUCED))

    def run_reduced(self, folder: ModelFolder) -> None:
        """From now on the folder's network runs in reduced precision."""
        self._reduced.add(str(folder.path))

    @property
    def is_automatic(self) -> bool:
        """Whether networks may run in reduced precision without having been asked to."""
        return self._used.is_automatic

    def run_exactly(self) -> None:
        """The present step begins again, and no network runs in reduced precision by ``run_reduced`` any more."""
        self._reduced.clear()
        self._used.begin_step()
        self._used.is_automatic = False

    def finish_step(self) -> None:
        """What the present step has run is a part of the result."""
        self._used.finish_step()

    def _options_of(self, folder: ModelFolder) -> JobOptions:
        if str(folder.path) not in self._reduced:
            return self.options
        return dataclasses.replace(self.options, precision=REDUCED)

    def exact_runner(self, folder: ModelFolder, sample: Callable[[], np.ndarray]) -> TileRunner:
        """Likewise in exact precision, whatever the job's is: to check the other one by it."""
        if not self._plan.keeps_networks:
            self._release_current()
            self._cache.forget_networks()
        return self._runner(folder, sample, dataclasses.replace(self.options, precision="exact"))

    def _runner(
        self, folder: ModelFolder, sample: Callable[[], np.ndarray], options: JobOptions, reads_ahead: bool = False
    ) -> TileRunner:
        self._release_current()
        runner = self._cache.runner(
            folder,
            self._variant(options),
            lambda: self._make(folder, sample, options, reads_ahead),
            keep=self._kept_with(folder) if self._plan.keeps_networks else 1,
        )
        runner.check_cancelled = self._reporter.check_cancelled
        report_graphics(runner, self._measurements.machine, self._reporter)
        if options.precision == REDUCED and runner.precision != REDUCED:
            self._reporter.warning(Problem("PRECISION_UNAVAILABLE"))
        if runner.device.type == "cuda":
            runner.tile_batch = self._plan.tile_batch
        self._current = runner
        return runner

    def used_options(self) -> JobOptions:
        """As NetworksUsed has them now."""
        self._note_runtime()
        return self._used.options

    def _note_runtime(self) -> None:
        """A network may end with another runtime than the one with which it began."""
        if self._of_job is not None:
            self._used.runtime = self._of_job.runtime

    def _make(
        self, folder: ModelFolder, sample: Callable[[], np.ndarray], options: JobOptions, reads_ahead: bool
    ) -> TileRunner:
        """Measured, without the trial of runtimes that may be a part of it."""
        probe = self._measurements.loading(folder)
        ready = ready_networks(options, self._plan.device)
        model = self._cache.weights.take(folder, self._reporter.check_cancelled, ready)
        probe.weights_read()
        if reads_ahead:
            self._prefetch_after(folder)
        self._reporter.progress(Stage.LOADING_MODEL, 1.0)
        if is_ready(model):
            probe.was_ready(model)
            return model
        model = model.on(torch.device(self._plan.device))
        machine = self._measurements.machine
        runner = choose_runtime(model, folder, options, machine, sample, self._reporter, probe.trial)
        del model
        gc.collect()  # torch.fx's tracer and torch.load hold in cycles what OpenVINO has its own copy of
        trim_memory()
        probe.ready(runner)
        if probe.has_compared:
            self._measurements.keep_trial()
        store_runner(runner, folder)
        trim_memory()
        return runner

    def _prefetch_after(self, folder: ModelFolder) -> None:
        folders = self._folders
        if folder in folders:
            self._prefetch_first_of(folders[folders.index(folder) + 1 :], beside_another=True)

    def _prefetch_first_of(self, folders: Sequence[ModelFolder], beside_another: bool = False) -> None:
        """Starts to read the weights of the first of ``folders`` that is not in memory; one at a time is enough.

        A network that is stored ready to run takes more memory than its weights: where the plan keeps no networks, it
        is not read before the one that runs has gone, and soon is.
        """
        for folder in folders:
            if self._cache.holds_runner(folder, self._variant(self.options)):
                continue
            must_wait = beside_another and not self._plan.keeps_networks
            if not (must_wait and self._ready is not None and self._ready.holds(folder)):
                self._cache.weights.start(folder, self._ready)
            return

    def drop_all(self) -> None:
        """Frees the memory of all networks after one has failed; those that are still to run are loaded anew."""
        self._release_current()
        self._cache.forget_networks()
        gc.collect()
        trim_memory()
        if torch.device(self._plan.device).type == "cuda":
            torch.cuda.empty_cache()

    def _release_current(self) -> None:
        if self._current is not None:
            self._note_runtime()
            self._current.release()
            self._current = self._of_job = None

    def _variant(self, options: JobOptions) -> tuple[str, str, str]:
        """What the precision "auto" means here is the same network as by that name. "reduced" stays what was asked
        for also where there is no such, since that is warned of."""
        precision = options.precision
        if precision != REDUCED:
            precision = resolved_precision(precision, torch.device(self._plan.device))
        return self._plan.device, options.runtime, precision
