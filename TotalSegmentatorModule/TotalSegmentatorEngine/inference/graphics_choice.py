"""Whether Intel's graphics processor may run a network: it is tried with care, and left after its first failure.

What it is found to do is remembered for its driver's version. A driver that fails may end the process, so an attempt
is noted on disk before it begins: two in turn from which no process returned count as a failure.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME

from TotalSegmentatorEngine.inference.graphics_runner import GraphicsRunner, within
from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.runtime_trial import TrialResult, try_runner
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.machine.intel_graphics import graphics_fingerprint

logger = logging.getLogger(__name__)

SECONDS_TO_COMPILE = 180.0
"""The plug-in compiles a program for each layer; minutes mean that the driver hangs."""
SECONDS_OF_TRIAL = 30.0
"""For a part of a tile that two cores compute in a second."""
_EVERY_NETWORK = ("every network", "any precision")
_ATTEMPT = ("every network", "unfinished attempt")
"""Under these is remembered what holds for all networks: GRAPHICS_RUNTIME while the graphics may be used, and while an
attempt is made to use them; else "openvino"."""


class GraphicsRecords(Protocol):
    """What is remembered of this machine; a MachineProfile."""

    def chosen_runtime(self, key: str, precision: str, device: str) -> str | None: ...

    def remember_choice(self, key: str, precision: str, device: str, runtime: str) -> None: ...

    def save(self) -> None: ...


def graphics_precision(wanted: str) -> str:
    """ "exact" or "reduced": what ``wanted``, one of options.PRECISIONS, means on a graphics processor."""
    return "reduced" if wanted == "reduced" else "exact"


def place_with_graphics(device: torch.device) -> str | None:
    """Names, among what is remembered, the processor together with the graphics and their drivers; None where there is
    no such choice."""
    fingerprint = graphics_fingerprint() if device.type == "cpu" else ""
    if not fingerprint or importlib.util.find_spec("openvino") is None:
        return None
    return f"{device} with graphics {fingerprint}"


def have_graphics_failed(place: str, machine: GraphicsRecords) -> bool:
    return machine.chosen_runtime(*_EVERY_NETWORK, place) == "openvino"


def begin_attempt(place: str, machine: GraphicsRecords) -> None:
    if machine.chosen_runtime(*_ATTEMPT, place) == GRAPHICS_RUNTIME:
        machine.remember_choice(*_EVERY_NETWORK, place, "openvino")
    machine.remember_choice(*_ATTEMPT, place, GRAPHICS_RUNTIME)
    machine.save()


def end_attempt(place: str, machine: GraphicsRecords, *, has_failed: bool) -> None:
    machine.remember_choice(*_ATTEMPT, place, "openvino")
    machine.remember_choice(*_EVERY_NETWORK, place, "openvino" if has_failed else GRAPHICS_RUNTIME)
    machine.save()


def report_graphics(runner: TileRunner, machine: GraphicsRecords, reporter: Reporter) -> None:
    """Lets a job know what becomes of ``runner`` in it, if that is one on graphics: after a failure there is a warning,
    and no later network tries."""
    place = place_with_graphics(runner.device)
    if not isinstance(runner, GraphicsRunner) or place is None:
        return

    def failed() -> None:
        end_attempt(place, machine, has_failed=True)
        reporter.warning(Problem("GRAPHICS_FAILED"))

    runner.on_failure = failed
    if runner.is_new:
        runner.on_first_tile = lambda: end_attempt(place, machine, has_failed=False)


class GraphicsTrial:
    """The graphics processor for one model folder's networks."""

    def __init__(
        self, model: LoadedModel, wanted: str, place: str, machine: GraphicsRecords, reporter: Reporter
    ) -> None:
        self._model = model
        self._precision = graphics_precision(wanted)
        self._place = place
        self._machine = machine
        self._listen = reporter.check_cancelled

    def run(self, tile: np.ndarray) -> TrialResult | None:
        """For ``tile`` (z, y, x); None where it fails, which is remembered."""
        with self._attempt():
            runner = self._compiled(tile.shape, SECONDS_OF_TRIAL)
            if runner is not None:
                runner.check_cancelled = self._listen
                return try_runner(runner, tile)
        return None

    def runner(self, patch_size: Sequence[int], on_processor: Callable[[], TileRunner]) -> TileRunner | None:
        """Ready for tiles of ``patch_size``, with ``on_processor`` to go on after a failure; None where it fails now,
        which is remembered. The attempt lasts until the first tile has been run."""
        runner = None
        with self._attempt():
            runner = self._compiled(patch_size)
        if runner is None:
            return None
        begin_attempt(self._place, self._machine)
        return GraphicsRunner(runner, on_processor)

    def _compiled(self, size: Sequence[int], seconds_per_tile: float | None = None) -> TileRunner | None:
        """None for a network that OpenVINO is not given, which is no failure. Raises RuntimeError."""
        from TotalSegmentatorEngine.inference.openvino_gpu_runner import SECONDS_PER_TILE, OpenVinoGpuRunner
        from TotalSegmentatorEngine.inference.openvino_graph import UnsupportedNetworkError

        seconds = seconds_per_tile or SECONDS_PER_TILE
        try:
            return within(
                SECONDS_TO_COMPILE,
                lambda: OpenVinoGpuRunner(self._model, size, self._precision, seconds),
                self._listen,
            )
        except UnsupportedNetworkError as error:
            logger.info("OpenVINO does not run this network: %s", error)
            return None

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """Catches what a driver's failure raises, and remembers it."""
        begin_attempt(self._place, self._machine)
        has_failed = False
        try:
            yield
        except (RuntimeError, ImportError) as error:
            logger.warning("the graphics processor cannot be used: %s", error)
            has_failed = True
        finally:
            end_attempt(self._place, self._machine, has_failed=has_failed)
