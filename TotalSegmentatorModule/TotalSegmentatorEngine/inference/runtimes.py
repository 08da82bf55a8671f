"""Chooses how a network is run on this machine: the fastest runtime that agrees with PyTorch, measured once.

On a CPU a short trial compares OpenVINO with PyTorch on a part of a tile; its result is kept in the machine's profile.
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
from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorEngine.inference.compiled_runner import CompiledRunner, has_compiler
from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.runtime_trial import agreement, middle_of, trial_patch, try_runner
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


class RuntimeRecords(Protocol):
    """The results of earlier trials; a MachineProfile."""

    def chosen_runtime(self, key: str, precision: str, device: str) -> str | None: ...

    def remember_choice(self, key: str, precision: str, device: str, runtime: str) -> None: ...

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


def precision_problem(wanted: str, device: torch.device) -> Problem | None:
    """The warning that reduced precision is not available here, to be given once a job."""
    is_unmet = wanted == "reduced" and resolved_precision(wanted, device) != "reduced"
    return Problem("PRECISION_UNAVAILABLE") if is_unmet else None


def expected_choice(
    folder: ModelFolder, options: JobOptions, device: torch.device, machine: RuntimeRecords
) -> tuple[str, str]:
    """Runtime and precision that ``choose_runtime`` will most likely choose, without the network."""
    precision = resolved_precision(options.precision, device)
    if device.type != "cpu":
        return ("compiled" if options.runtime == "compiled" and has_compiler() else "eager"), precision
    recorded = machine.chosen_runtime(architecture_key(folder), precision, str(device))
    wanted = recorded if options.runtime == "auto" and recorded is not None else options.runtime
    if wanted == "compiled":
        return ("compiled" if has_compiler() else "eager"), precision
    if wanted in ("auto", "openvino"):
        return ("openvino" if importlib.util.find_spec("openvino") is not None else "eager"), precision
    return wanted, precision


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
    trial runs within ``trial``, which measures it. A runtime
    requested by name that cannot run is replaced by PyTorch, with the warning RUNTIME_FALLBACK; likewise
    PRECISION_UNAVAILABLE. Raises SegmentationError("CANCELLED").
    """
    choice = _Choice(model, folder, resolved_precision(options.precision, model.device), sample, reporter)
    problem = precision_problem(options.precision, model.device)
    if problem is not None:
        reporter.warning(problem)
    if options.runtime == "auto":
        return choice.fastest(machine, trial) if model.device.type == "cpu" else choice.eager()
    runner = choice.named(options.runtime)
    if runner is None:
        reporter.warning(Problem("RUNTIME_FALLBACK", {"runtime": options.runtime}))
        runner = choice.eager()
    return runner


class _Choice:
    """The runtimes for one model folder's networks."""

    def __init__(
        self,
        model: LoadedModel,
        folder: ModelFolder,
        precision: str,
        sample: Callable[[], np.ndarray],
        reporter: Reporter,
    ) -> None:
        self._model = model
        self._folder = folder
        self._precision = precision
        self._sample = sample
        self._reporter = reporter

    def eager(self) -> TileRunner:
        return EagerRunner(self._model, self._precision)

    def named(self, runtime: str) -> TileRunner | None:
        """None where it cannot run here."""
        if runtime == "openvino":
            return self._openvino(self._folder.patch_size)
        return self._compiled(self._sample()) if runtime == "compiled" else self.eager()

    def fastest(self, machine: RuntimeRecords, trial: Callable[[], AbstractContextManager]) -> TileRunner:
        """By what was measured before, else by a trial."""
        place = (architecture_key(self._folder), self._precision, str(self._model.device))
        recorded = machine.chosen_runtime(*place)
        runner = None if recorded is None else self.named(recorded)
        if runner is not None:
            return runner
        with trial():
            size = trial_patch(self._model.networks[0], self._folder.patch_size)
            tile = middle_of(self._sample(), size)
            other = self._openvino(size) or self._compiled(tile)
            if other is None:
                return self.eager()
            chosen, seconds = self._winner(other, tile)
            del other
            key, precision, device = place
            machine.remember_choice(*place, chosen)
            tiles = math.prod(size) / math.prod(self._folder.patch_size)
            machine.remember_trial(key, chosen, precision, device, tiles, seconds)
        return self.named(chosen) or self.eager()

    def _winner(self, other: TileRunner, tile: np.ndarray) -> tuple[str, float]:
        """The runtime of ``other``, or "eager", and the seconds that it takes for ``tile``."""
        eager = self.eager()
        eager.check_cancelled = other.check_cancelled = self._reporter.check_cancelled
        theirs = try_runner(other, tile)
        ours = try_runner(eager, tile)
        same = agreement(ours.labels, theirs.labels)
        logger.info(
            "trial on %s: %s %.3f s, eager %.3f s, agreement %.4f (%s)",
            "x".join(str(size) for size in tile.shape),
            *(other.runtime, theirs.seconds, ours.seconds, same, self._precision),
        )
        if same < _LOWEST_AGREEMENT[self._precision]:
            logger.warning("%s does not agree with PyTorch on this machine and is not used", other.runtime)
            return "eager", ours.seconds
        return (other.runtime, theirs.seconds) if theirs.seconds < ours.seconds else ("eager", ours.seconds)

    def _openvino(self, patch_size: tuple[int, int, int]) -> TileRunner | None:
        if self._model.device.type != "cpu":
            return None
        try:
            from TotalSegmentatorEngine.inference.openvino_graph import UnsupportedNetworkError
            from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner
        except ImportError as error:
            logger.info("OpenVINO is not there: %s", error)
            return None
        try:
            return listening(
                lambda: OpenVinoRunner(self._model, patch_size, self._precision), self._reporter.check_cancelled
            )
        except (UnsupportedNetworkError, RuntimeError) as error:
            logger.warning("OpenVINO does not run this network: %s", error)
            return None

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
