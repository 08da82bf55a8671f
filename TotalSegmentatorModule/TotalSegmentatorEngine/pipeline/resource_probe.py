"""Measures what a job's steps take of time and memory, for the plans of later jobs (machine_profile.py)."""

from __future__ import annotations

import time

from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.machine.memory import resident_memory
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key


class TileTimer:
    """Time and memory from here on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._resident = resident_memory() or 0

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def more_bytes(self) -> int:
        """That this process has in memory now and had not at the start."""
        return max(self.change_of_bytes(), 0)

    def change_of_bytes(self) -> int:
        """Below 0 where the process has less in memory than at the start."""
        return (resident_memory() or 0) - self._resident


class ResourceProbe:
    """One network's run over one piece of the image, a tile after the other."""

    def __init__(self) -> None:
        self._begun: list[float] = []
        self._measured = TileTimer()
        self._most_bytes = 0

    def tile_begins(self) -> None:
        self._begun.append(time.monotonic())
        self._look_at_memory()

    def remember(
        self,
        machine: MachineProfile,
        folder: ModelFolder,
        runner: TileRunner,
        tiles: int,
        known_bytes: int,
        other_seconds: float = 0.0,
    ) -> None:
        """Notes the first tile's time, the mean of the others, and the memory beyond ``known_bytes``.

        ``other_seconds`` of the run's end, which is in the last tile's time, are not the network's.

        The first tile pays for memory and for the plans of the convolutions; the last one's time ends here, so that
        the making of labels is in the mean.
        """
        self._begun.append(max(time.monotonic() - other_seconds, self._begun[-1]))
        self._look_at_memory()
        place = (architecture_key(folder), runner.runtime, runner.precision, str(runner.device))
        first = self._begun[1] - self._begun[0]
        others = self._begun[-1] - self._begun[1]
        batches = len(self._begun) - 1
        per_tile = others / (tiles - tiles / batches) if batches > 1 else None
        machine.remember_network(*place, per_tile, first, tiles)
        machine.remember_activations(*place, max(self._most_bytes - known_bytes, 0))

    def _look_at_memory(self) -> None:
        self._most_bytes = max(self._most_bytes, self._measured.more_bytes())
