"""Measures what the steps of a job take of time and memory, for the plans of later jobs (machine/profile.py).

Each measurement wraps a step; the steps themselves know nothing of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch

from TotalSegmentatorEngine.inference.sliding_window import RowSink, TileCallback
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.machine.memory import resident_memory
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key
from TotalSegmentatorEngine.plan.memory_estimate import loaded_key, stored_bytes
from TotalSegmentatorEngine.plan.planner import smoothing_rate


class Sink(RowSink, Protocol):
    """Makes labels of the rows that it gets."""

    labels: np.ndarray


class Measurements:
    """What is remembered of this machine. Leaving the ``with`` block saves it: a job that was cancelled or failed has
    measured this machine, too."""

    def __init__(self, machine: MachineProfile) -> None:
        self.machine = machine

    def __enter__(self) -> Measurements:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.machine.save()

    @contextmanager
    def rate(self, name: str, units: float) -> Iterator[None]:
        """Times the work ``name`` on ``units`` of it, unless it fails."""
        started = time.monotonic()
        yield
        self.machine.remember_rate(name, units, time.monotonic() - started)

    def loading(self, folder: ModelFolder) -> LoadingProbe:
        """A measurement of how a network is made ready to run."""
        return LoadingProbe(self.machine, folder)

    @contextmanager
    def network_run(
        self, folder: ModelFolder, runner: TileRunner, tiles: int, known_bytes: int, sinks: Sequence[Sink]
    ) -> Iterator[NetworkProbe]:
        """Measures a network's run of ``tiles`` tiles, unless it fails.

        ``known_bytes`` is memory that a plan computes, for labels and sums. The first of ``sinks`` counts as the
        network's own work. The others smooth labels, which has a rate of its own.
        """
        probe = NetworkProbe(sinks)
        yield probe
        probe.remember(self.machine, folder, runner, tiles, known_bytes)


class LoadingProbe:
    """Time, and memory beyond the weights as they are stored, until a network is ready to run."""

    def __init__(self, machine: MachineProfile, folder: ModelFolder) -> None:
        self._machine = machine
        self._folder = folder
        self._started = time.monotonic()
        self._resident = 0

    def weights_read(self) -> None:
        """From here on the stored weights are in memory."""
        self._resident = resident_memory() or 0

    def ready(self, runner: TileRunner) -> None:
        """Remembers the measurement; the stored weights have been released."""
        key = loaded_key(self._folder, runner.runtime, runner.precision, str(runner.device))
        self._machine.remember_rate(key, 1, time.monotonic() - self._started)
        change = (resident_memory() or 0) - self._resident
        self._machine.remember_bytes(key, max(stored_bytes(self._folder) + change, 0))


class NetworkProbe:
    """One network's run over one piece of the image: give ``sink`` and ``on_tile(...)`` to the sliding window."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sink = sinks[0] if len(sinks) == 1 else _SinkGroup(sinks)
        self._begun: list[float] = []
        self._resident = resident_memory() or 0
        self._most_bytes = 0

    def on_tile(self, report: TileCallback) -> TileCallback:
        """``report`` with a measurement before each tile."""

        def measured(finished_tiles: int) -> None:
            self._begun.append(time.monotonic())
            self._measure_memory()
            report(finished_tiles)

        return measured

    def remember(
        self, machine: MachineProfile, folder: ModelFolder, runner: TileRunner, tiles: int, known_bytes: int
    ) -> None:
        """Remembers the first tile's time, the mean of the others, and the memory beyond ``known_bytes``.

        The first tile pays for memory and for the plans of the convolutions. The last one's time ends here, so that
        the mean includes the making of labels; smoothing, which has a rate of its own, is left out.
        """
        smoothing = self.sink.smoothing_seconds if isinstance(self.sink, _SinkGroup) else 0.0
        self._begun.append(max(time.monotonic() - smoothing, self._begun[-1]))
        self._measure_memory()
        place = (architecture_key(folder), runner.runtime, runner.precision, str(runner.device))
        first = self._begun[1] - self._begun[0]
        others = self._begun[-1] - self._begun[1]
        batches = len(self._begun) - 1
        per_tile = others / (tiles - tiles / batches) if batches > 1 else None
        machine.remember_network(*place, per_tile, first, tiles)
        machine.remember_activations(*place, max(self._most_bytes - known_bytes, 0))
        if isinstance(self.sink, _SinkGroup):
            machine.remember_rate(smoothing_rate(folder), self.sink.smoothed_voxels, smoothing)

    def _measure_memory(self) -> None:
        self._most_bytes = max(self._most_bytes, (resident_memory() or 0) - self._resident)


class _SinkGroup:
    """Feeds several sinks; the time of all but the first is measured."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._first, *self._others = sinks
        self.smoothing_seconds = 0.0

    @property
    def smoothed_voxels(self) -> int:
        return sum(sink.labels.size for sink in self._others)

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        self._first.add(sums, weights)
        started = time.monotonic()
        for sink in self._others:
            sink.add(sums, weights)
        self.smoothing_seconds += time.monotonic() - started
