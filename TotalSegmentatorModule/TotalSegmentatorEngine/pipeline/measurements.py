"""Measures what the steps of a job take of time and memory, for the plans of later jobs (machine/profile.py).

Each measurement wraps a step; the steps themselves know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from TotalSegmentatorEngine.inference.sliding_window import RowSink, TileCallback
from TotalSegmentatorEngine.inference.tile_runner import TileRunner, computes_on_processor
from TotalSegmentatorEngine.machine.memory import resident_memory
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.machine.work_time import Spent, now
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key
from TotalSegmentatorEngine.plan.memory_estimate import loaded_key, stored_bytes
from TotalSegmentatorEngine.plan.network_work import tile_operations
from TotalSegmentatorEngine.plan.rates import Work, comparing_work, label_rate, loading_work, network_rate


class Sink(RowSink, Protocol):
    """Makes labels of the rows that it gets."""

    labels: np.ndarray
    is_resampled: bool
    """Whether the labels are those of resampled logits."""


class Measurements:
    """What is remembered of this machine. Leaving the ``with`` block saves it: a job that was cancelled or failed has
    measured this machine, too. Without ``is_kept``, nothing is saved."""

    def __init__(self, machine: MachineProfile, is_kept: bool = True) -> None:
        self.machine = machine
        self._is_kept = is_kept

    def __enter__(self) -> Measurements:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._is_kept:
            self.machine.save()

    def keep_trial(self) -> None:
        """Saves what is known so far: a trial takes seconds, and is not to be made again because Slicer is closed
        before this job has ended."""
        if self._is_kept:
            self.machine.write()

    @contextmanager
    def work(self, work: Work) -> Iterator[None]:
        """Times some work of the processor, unless it fails."""
        started = now()
        yield
        self.machine.remember_rate(work.name, work.units, (now() - started).worked)

    def loading(self, folder: ModelFolder) -> LoadingProbe:
        """A measurement of how a network is made ready to run."""
        return LoadingProbe(self.machine, folder)

    @contextmanager
    def network_run(
        self, folder: ModelFolder, runner: TileRunner, tiles: int, known_bytes: int, sinks: Sequence[Sink]
    ) -> Iterator[NetworkProbe]:
        """Measures a network's run of ``tiles`` tiles, unless it fails.

        ``known_bytes`` is memory that a plan computes, for labels and sums. The making of labels by ``sinks`` has rates
        of its own.
        """
        probe, runtime = NetworkProbe(sinks), runner.runtime
        yield probe
        if runner.runtime == runtime:  # else it has left the graphics processor on the way
            probe.remember(self.machine, folder, runner, tiles, known_bytes)


class LoadingProbe:
    """Time, and memory beyond the weights as they are stored, until a network is ready to run."""

    def __init__(self, machine: MachineProfile, folder: ModelFolder) -> None:
        self._machine = machine
        self._folder = folder
        self._started = self._read = now()
        self._trial: Spent | None = None
        self._resident = 0

    def weights_read(self) -> None:
        """From here on the stored weights are in memory."""
        self._read = now()
        self._resident = resident_memory() or 0

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What runs in it compares runtimes: another job need not do that."""
        started = now()
        try:
            yield
        finally:
            self._trial = now() - started

    @property
    def has_compared(self) -> bool:
        """Whether there was a trial."""
        return self._trial is not None

    def ready(self, runner: TileRunner) -> None:
        """Remembers the measurement; the stored weights have been released. A trial leaves memory behind."""
        key = loaded_key(self._folder, runner.runtime, runner.precision, str(runner.device))
        waited, made = self._read - self._started, now() - self._read - (self._trial or Spent())
        seconds = waited.elapsed + made.worked
        self._machine.remember_rate(key, 1, seconds)
        place = (runner.precision, str(runner.device))
        loading = loading_work(stored_bytes(self._folder), runner.runtime, *place)
        self._machine.remember_rate(loading.name, loading.units, seconds)
        if self._trial is not None:
            comparing = comparing_work(tile_operations(self._folder), None, *place)
            self._machine.remember_rate(comparing.name, comparing.units, self._trial.worked)
        if self._trial is None:
            change = (resident_memory() or 0) - self._resident
            self._machine.remember_bytes(key, max(stored_bytes(self._folder) + change, 0))

    def was_ready(self, runner: TileRunner) -> None:
        """As ``ready``, of a network that needed no weights: its memory was taken before anybody measured it."""
        key = loaded_key(self._folder, runner.runtime, runner.precision, str(runner.device))
        self._machine.remember_rate(key, 1, (now() - self._started).elapsed)


class NetworkProbe:
    """One network's run over one piece of the image: give ``sink`` and ``on_tile(...)`` to the sliding window."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sink = _ClockedSinks(sinks)
        self._first, self._others = _Booked(), _Booked()
        self._finished: int | None = None
        self._since = self._labelled = Spent()
        self._resident = resident_memory() or 0
        self._most_bytes = 0

    def on_tile(self, report: TileCallback) -> TileCallback:
        """``report`` with a measurement at each call."""

        def measured(finished_tiles: int) -> None:
            self._book(finished_tiles)
            self._measure_memory()
            report(finished_tiles)

        return measured

    def remember(
        self, machine: MachineProfile, folder: ModelFolder, runner: TileRunner, tiles: int, known_bytes: int
    ) -> None:
        """Remembers the first tile's time, that of the others, each sink's, and the memory beyond ``known_bytes``.

        The first tile pays for memory and for the plans of the convolutions.
        """
        self._book(tiles)
        self._measure_memory()
        place = (architecture_key(folder), runner.runtime, runner.precision, str(runner.device))
        is_on_processor = computes_on_processor(runner)
        pace = self._others.seconds(is_on_processor) / self._others.tiles if self._others.tiles else None
        # of a batch, the other tiles
        first = self._first.seconds(is_on_processor) - (self._first.tiles - 1) * (pace or 0.0)
        machine.remember_network(*place, pace, max(first, pace or 0.0), tiles)
        operations = tile_operations(folder, runner.mirror_images)
        if pace is not None and operations is not None:
            tiles = self._others.tiles
            machine.remember_rate(network_rate(*place[1:]), tiles * operations, tiles * pace)
        machine.remember_activations(*place, max(self._most_bytes - known_bytes, 0))
        for sink, spent in self.sink.spent_by_each:
            name = label_rate(folder, str(runner.device), sink.is_resampled)
            machine.remember_rate(name, sink.labels.size, spent.worked if is_on_processor else spent.elapsed)

    def _book(self, finished: int) -> None:
        """What passed since the last call, but for the making of labels, is the time of the tiles that it finished or
        that finished before: a GPU may still be at them."""
        moment, labelled = now(), self.sink.spent
        if self._finished is not None:
            is_first = self._others.tiles == 0 and self._first.tiles in (0, finished)
            booked = self._first if is_first else self._others
            booked.spent += moment - self._since - (labelled - self._labelled)
            booked.tiles += finished - self._finished
        self._finished, self._since, self._labelled = finished, moment, labelled

    def _measure_memory(self) -> None:
        self._most_bytes = max(self._most_bytes, (resident_memory() or 0) - self._resident)


@dataclass
class _Booked:
    tiles: int = 0
    spent: Spent = field(default_factory=Spent)

    def seconds(self, is_on_processor: bool) -> float:
        return self.spent.worked if is_on_processor else max(self.spent.elapsed, 0.0)


class _ClockedSinks:
    """Feeds several sinks and measures each one's time."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = list(sinks)
        self._spent = [Spent()] * len(self._sinks)

    @property
    def spent(self) -> Spent:
        return sum(self._spent, Spent())

    @property
    def spent_by_each(self) -> list[tuple[Sink, Spent]]:
        return list(zip(self._sinks, self._spent, strict=True))

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        if sums.is_cuda:
            torch.cuda.synchronize(sums.device)  # tiles that it is still at are not the labels' time
        started = now()
        for number, sink in enumerate(self._sinks):
            sink.add(sums, weights)
            ended = now()
            self._spent[number] += ended - started
            started = ended
