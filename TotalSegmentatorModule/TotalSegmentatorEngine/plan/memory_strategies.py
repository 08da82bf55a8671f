"""The execution strategies of a job, from the fastest to the one that takes least memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from dataclasses import dataclass, field

from TotalSegmentatorWire.messages.plan import (
    SUMS_IN_HALF,
    SUMS_IN_MEMORY,
    SUMS_ON_DISK,
)

from TotalSegmentatorEngine.inference.tile_runner import GPU_TILE_BATCH
from TotalSegmentatorEngine.machine.memory import available_memory, resident_memory
from TotalSegmentatorEngine.machine.profile import MachineProfile


@dataclass(frozen=True)
class Strategy:
    """How the networks of a job are run."""

    device: str
    runtime: str
    precision: str
    keeps_networks: bool = True
    sums: str = SUMS_IN_MEMORY
    sums_on_host: bool = False
    tile_batch: int = 1
    notes: tuple[str, ...] = ()
    """Codes of WARNINGS."""

    @property
    def is_on_gpu(self) -> bool:
        return not self.device.startswith("cpu")


def execution_strategies(device: str, runtime: str, precision: str, keeps_networks: bool) -> list[Strategy]:
    """From the fastest to the one that takes least memory, all on the same device."""
    first = Strategy(device, runtime, precision, keeps_networks)
    batch = GPU_TILE_BATCH if device.startswith("cuda") and precision != "exact" else 1
    strategies = [dataclasses.replace(first, tile_batch=batch)]

    def less(note: str, **changes: object) -> None:
        strategies.append(dataclasses.replace(strategies[-1], notes=(*strategies[-1].notes, note), **changes))

    if device.startswith("cuda"):
        strategies += [dataclasses.replace(first, tile_batch=fewer) for fewer in range(batch - 1, 0, -1)]
        less("DEVICE_MEMORY_SUMS", sums_on_host=True, keeps_networks=False)
        return strategies
    if keeps_networks:
        less("ONE_NETWORK_AT_A_TIME", keeps_networks=False)
    less("SUMS_IN_HALF", sums=SUMS_IN_HALF)
    less("SUMS_ON_DISK", sums=SUMS_ON_DISK)
    # half precision was for less memory; a file takes none
    strategies[-1] = dataclasses.replace(
        strategies[-1], notes=tuple(n for n in strategies[-1].notes if n != "SUMS_IN_HALF")
    )
    return strategies


@dataclass(frozen=True, eq=False)
class PlanningContext:
    """The machine's present state, on which a plan depends beside the task and the CT's grid."""

    machine: MachineProfile
    loaded: frozenset[str] = frozenset()
    """Paths of the model folders whose networks are in memory."""
    images: frozenset[Hashable] = frozenset()
    """Places (preprocessing.network_input.image_place) of the resampled images that are in memory already."""
    elapsed_seconds: float = 0.0
    """Of the job, before it is planned."""
    prefetched: frozenset[str] = frozenset()
    """Paths of the model folders whose weights, but not yet networks, are in memory: a part of ``resident_bytes``."""
    expected_bytes: int = 0
    """That come to ``resident_bytes`` before the job: of the CT, while there is only its grid."""
    resident_bytes: int = field(default_factory=lambda: resident_memory() or 0)
    available_bytes: int | None = field(default_factory=available_memory)
