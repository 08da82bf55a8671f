"""Chooses how a network is run on this machine: the fastest runtime that agrees with PyTorch, measured once.

On a CPU a short trial compares OpenVINO with PyTorch on a part of a tile; its result is kept in the machine's profile.
Where the computer has graphics of Intel, OpenVINO is tried on these, too (graphics_choice.py).
Where OpenVINO cannot run a network, compiled PyTorch is tried if there is a compiler. PyTorch as it is always remains.
On a GPU PyTorch runs, compiled if requested.
"""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
import torch
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME, JobOptions

from TotalSegmentatorEngine.inference.compiled_runner import CompiledRunner, has_compiler
from TotalSegmentatorEngine.inference.graphics_choice import (
    GraphicsRecords,
    GraphicsTrial,
    graphics_precision,
    have_graphics_failed,
    place_with_graphics,
)
from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.runtime_trial import TrialResult, agreement, middle_of, trial_patch, try_runner
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner, TileRunner
from TotalSegmentatorEngine.job.listening import listening
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.machine.cpu_features import has_bf16
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key

logger = logging.getLogger(__name__)

_LOWEST_AGREEMENT = {"exact": 0.99, "reduced": 0.9}
"""Of a runtime with PyTorch, on the foreground of the trial. Measured with seeded weights of published shape, whose
labels are nearly tied everywhere: 0.9991 and more in float32, 0.970 in bfloat16, which each runtime rounds at other
places. Less than this means that the runtime computes something else."""


_WORTH_THE_GRAPHICS = 0.9
"""Graphics, which draw the user's windows, too, must need less than this share of the processor's time."""


class RuntimeRecords(GraphicsRecords, Protocol):
    """The results of earlier trials; a MachineProfile."""

    def remember_trial(
        self, key: str, runtime: str, precision: str, device: str, tiles: float, seconds: float
    ) -> None: ...


def resolved_precision(wanted: str, device: torch.device) -> str:
    """One of options.PRECISIONS but "auto": what ``wanted`` means on the device, or "exact" where it has no such.

    nnU-Net computes in float32 on everything but CUDA, so "published" is "exact" there.
    """
    if device.type == "cuda":
        return "published" if wanted == "auto" else wanted
    if device.type == "cpu" and wanted == "reduced" and has_bf16():
        return "reduced"
    return "exact"


def expected_choice(
    folder: ModelFolder, options: JobOptions, device: torch.device, machine: RuntimeRecords
) -> tuple[str, str]:
    """Runtime and precision that ``choose_runtime`` will most likely choose, without the network."""
    precision = resolved_precision(options.precision, device)
    if device.type != "cpu":
        return ("compiled" if options.runtime == "compiled" and has_compiler() else "eager"), precision
    recorded = recorded_choice(folder, options.precision, device, machine)
    wanted = recorded if options.runtime == "auto" and recorded is not None else options.runtime
    if wanted == GRAPHICS_RUNTIME:
        if place_with_graphics(device) is not None:
            return GRAPHICS_RUNTIME, graphics_precision(options.precision)
        wanted = "openvino"
    if wanted == "compiled":
        return ("compiled" if has_compiler() else "eager"), precision
    if wanted in ("auto", "openvino"):
        return ("openvino" if importlib.util.find_spec("openvino") is not None else "eager"), precision
    return wanted, precision


def _place(folder: ModelFolder, wanted: str, device: torch.device) -> tuple[str, str, str]:
    """Under which a choice is remembered: architecture, precision, and what there is to choose from."""
    place = place_with_graphics(device)
    if place is None:
        return architecture_key(folder), resolved_precision(wanted, device), str(device)
    return architecture_key(folder), graphics_precision(wanted), place


def recorded_choice(folder: ModelFolder, wanted: str, device: torch.device, machine: RuntimeRecords) -> str | None:
    """The runtime that a trial has chosen for jobs that leave it open; None before it. ``wanted``: a precision of
    options.PRECISIONS."""
    place = _place(folder, wanted, device)
    recorded = machine.chosen_runtime(*place)
    return None if recorded == GRAPHICS_RUNTIME and have_graphics_failed(place[2], machine) else recorded


def choose_runtime(
    model: LoadedModel,
    folder: ModelFolder,
    options: JobOptions,
    machine: RuntimeRecords,
    sample: Callable[[], np.ndarray],
    reporter: Reporter,
    trial: Callable[[], AbstractContextManager] = nullcontext,
) -> TileRunner:
    """A runner for ``model``'s networks on the device where they are.

    ``sample`` gives a tile of the patch's size, (z, y, x) float32 and normalised, where a trial is needed, and the
    trial runs within ``trial``, which measures it. A runtime requested by name that cannot run is replaced by another,
    with the warning RUNTIME_FALLBACK or GRAPHICS_UNAVAILABLE; where there is no reduced precision, the runner's is
    another. Raises SegmentationError("CANCELLED").
    """
    choice = _Choice(model, folder, options.precision, machine, sample, reporter)
    if options.runtime != "auto":
        return choice.requested(options.runtime)
    return choice.fastest(trial) if model.device.type == "cpu" else choice.eager()


class _Choice:
    """The runtimes for one model folder's networks."""

    def __init__(
        self,
        model: LoadedModel,
        folder: ModelFolder,
        wanted: str,
        machine: RuntimeRecords,
        sample: Callable[[], np.ndarray],
        reporter: Reporter,
    ) -> None:
        self._model = model
        self._folder = folder
        self._precision = resolved_precision(wanted, model.device)
        self._wanted = wanted
        self._machine = machine
        self._sample = sample
        self._reporter = reporter

    def eager(self) -> TileRunner:
        return EagerRunner(self._model, self._precision)

    def requested(self, runtime: str) -> TileRunner:
        """The runtime that the user named, or else, with a warning, the next best."""
        runner = self._named(runtime)
        if runner is not None:
            return runner
        if runtime == GRAPHICS_RUNTIME:
            self._reporter.warning(Problem("GRAPHICS_UNAVAILABLE"))
            return self._openvino(self._folder.patch_size) or self.eager()
        self._reporter.warning(Problem("RUNTIME_FALLBACK", {"runtime": runtime}))
        return self.eager()

    def fastest(self, trial: Callable[[], AbstractContextManager]) -> TileRunner:
        """By what was measured before, else by a trial."""
        recorded = recorded_choice(self._folder, self._wanted, self._model.device, self._machine)
        runner = None if recorded is None else self._named(recorded)
        if runner is not None:
            return runner
        with trial():
            size = trial_patch(self._model.networks[0], self._folder.patch_size)
            chosen = self._tried(middle_of(self._sample(), size))
        return self._named(chosen) or self.eager()

    def _named(self, runtime: str) -> TileRunner | None:
        """None where it cannot run here."""
        if runtime == GRAPHICS_RUNTIME:
            return self._on_graphics()
        if runtime == "openvino":
            return self._openvino(self._folder.patch_size)
        return self._compiled(self._sample()) if runtime == "compiled" else self.eager()

    def _tried(self, tile: np.ndarray) -> str:
        """The runtime that is the fastest for ``tile``, which is remembered if there was a choice."""
        graphics = self._graphics()
        may_try = graphics is not None and not have_graphics_failed(self._place[2], self._machine)
        on_graphics = graphics.run(tile) if may_try else None
        other = self._openvino(tile.shape) or self._compiled(tile)
        if other is None and on_graphics is None:
            return "eager"
        eager = self.eager()
        runners = [eager] if other is None else [eager, other]
        results = {runner.runtime: self._measured(runner, tile) for runner in runners}
        if on_graphics is not None:
            results[GRAPHICS_RUNTIME] = on_graphics
        chosen = _fastest_that_agrees(results, self._precision, graphics_precision(self._wanted))
        self._machine.remember_choice(*self._place, chosen)
        tiles = math.prod(tile.shape) / math.prod(self._folder.patch_size)
        precision = graphics_precision(self._wanted) if chosen == GRAPHICS_RUNTIME else self._precision
        place = (architecture_key(self._folder), chosen, precision, str(self._model.device))
        self._machine.remember_trial(*place, tiles, results[chosen].seconds)
        return chosen

    @property
    def _place(self) -> tuple[str, str, str]:
        return _place(self._folder, self._wanted, self._model.device)

    def _measured(self, runner: TileRunner, tile: np.ndarray) -> TrialResult:
        runner.check_cancelled = self._reporter.check_cancelled
        return try_runner(runner, tile)

    def _graphics(self) -> GraphicsTrial | None:
        place = place_with_graphics(self._model.device)
        if place is None:
            return None
        return GraphicsTrial(self._model, self._wanted, place, self._machine, self._reporter)

    def _on_graphics(self) -> TileRunner | None:
        graphics = self._graphics()
        if graphics is None:
            return None
        # the runner outlives the job, and with it what makes its successor
        model, size, precision = self._model, self._folder.patch_size, self._precision
        return graphics.runner(size, lambda: _openvino(model, size, precision) or EagerRunner(model, precision))

    def _openvino(self, patch_size: tuple[int, int, int]) -> TileRunner | None:
        return _openvino(self._model, patch_size, self._precision, self._reporter.check_cancelled)

    def _compiled(self, tile: np.ndarray) -> TileRunner | None:
        """Ready for tiles of the size of ``tile``; the compiler runs now."""
        if not has_compiler():
            logger.info("no C++ compiler for torch.compile was found")
            return None
        runner = CompiledRunner(self._model, self._precision)
        runner.check_cancelled = self._reporter.check_cancelled
        try:
            runner.run(torch.from_numpy(np.ascontiguousarray(tile))[None, None])
        except torch._dynamo.exc.TorchDynamoException as error:
            logger.warning("torch.compile failed: %s", type(error).__name__)
            runner.release()
            return None
        return runner


def _fastest_that_agrees(results: dict[str, TrialResult], precision: str, on_graphics: str) -> str:
    """Of the runtimes in ``results``; PyTorch, "eager", is the reference, and computes in ``precision``."""
    reference = results["eager"]
    best = "eager"
    for runtime, result in results.items():
        same = agreement(reference.labels, result.labels)
        logger.info("trial: %s %.3f s, agreement %.4f", runtime, result.seconds, same)
        is_graphics = runtime == GRAPHICS_RUNTIME
        if same < _LOWEST_AGREEMENT[on_graphics if is_graphics else precision]:
            logger.warning("%s does not agree with PyTorch on this machine and is not used", runtime)
        elif result.seconds < results[best].seconds * (_WORTH_THE_GRAPHICS if is_graphics else 1.0):
            best = runtime
    return best


def _openvino(
    model: LoadedModel,
    patch_size: tuple[int, int, int],
    precision: str,
    listen: Callable[[], None] = lambda: None,
) -> TileRunner | None:
    """On the processor; None where it cannot run there."""
    if model.device.type != "cpu":
        return None
    try:
        from TotalSegmentatorEngine.inference.openvino_graph import UnsupportedNetworkError
        from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner
    except ImportError as error:
        logger.info("OpenVINO is not there: %s", error)
        return None
    try:
        return listening(lambda: OpenVinoRunner(model, patch_size, precision), listen)
    except (UnsupportedNetworkError, RuntimeError) as error:
        logger.warning("OpenVINO does not run this network: %s", error)
        return None
