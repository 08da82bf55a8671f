"""The engine's own program (``segment``, ``serve``, ...), changed from outside for a measurement.

The environment says what is changed: a clock on the networks (network_clock.py), an execution strategy that the plan
would not choose on this machine (STRATEGY_VARIABLE, GPU_VARIABLE), structures that are known (known_structures.py),
labels made of all interpolated logits (EVERY_LOGIT_VARIABLE), no stored networks (STORES_NOTHING_VARIABLE), or clocks
on what comes before the first tile (timed_parts.py).
"""

from __future__ import annotations

import os
import runpy
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

TESTING = Path(__file__).resolve().parents[2]
sys.path.append(str(TESTING))

from benchmarks.engine.known_structures import (  # noqa: E402 - found through the line above
    KNOWN_LABELS_VARIABLE,
    know_structures,
    widen_nothing,
)
from benchmarks.engine.timed_parts import PART_CHANGES, PARTS_VARIABLE  # noqa: E402
from benchmarks.measuring.network_clock import FILE_VARIABLE, NetworkClock, after_import  # noqa: E402

STRATEGY_VARIABLE = "BENCHMARK_STRATEGY"
"""Where the sums of tiles are kept: only execution strategies with this value of ``Strategy.sums`` are left."""
GPU_VARIABLE = "BENCHMARK_GPU_GB"
"""How much of a GPU's memory PyTorch may take."""
EVERY_LOGIT_VARIABLE = "BENCHMARK_EVERY_LOGIT"
"""Set: logits are interpolated for each voxel, whether or not the corners of its cell decide its label."""
STORES_NOTHING_VARIABLE = "BENCHMARK_STORES_NOTHING"
"""Set: networks are compiled from their weights in each process."""
ENGINE = TESTING.parent / "TotalSegmentatorModule" / "TotalSegmentatorEngine"


def clock_runners(networks: ModuleType) -> None:
    """Each runner that is made gets a clock of its own."""
    choose_runtime = networks.choose_runtime

    def choose_clocked(model: Any, folder: Any, *arguments: Any, **options: Any) -> Any:
        runner = choose_runtime(model, folder, *arguments, **options)
        clock = NetworkClock(folder.path.parent.name)
        kind, weak = type(runner), weakref.ref(runner)  # a runner that held itself would stay in memory

        def clocked_run(tiles: Any) -> Any:
            return clock.call(lambda: kind.run(weak(), tiles), len(tiles))

        def clocked_release() -> None:
            clock.forget()
            kind.release(weak())

        runner.run, runner.release = clocked_run, clocked_release
        return runner

    networks.choose_runtime = choose_clocked


def choose_strategy(strategy: ModuleType) -> None:
    """Leaves the execution strategies that keep the sums where STRATEGY_VARIABLE says."""
    all_of, sums = strategy.execution_strategies, os.environ[STRATEGY_VARIABLE]
    strategy.execution_strategies = lambda *arguments, **options: [
        each for each in all_of(*arguments, **options) if each.sums == sums
    ]


def limit_gpu(runner: ModuleType) -> None:
    """PyTorch runs out of memory at GPU_VARIABLE, whatever the device has."""
    torch = runner.torch
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(float(os.environ[GPU_VARIABLE]) * 1e9 / total, 1.0))


def interpolate_every_logit(argmax: ModuleType) -> None:
    argmax.resampled_sink = argmax.ResampledLabelSink


def store_nothing(network_store: ModuleType) -> None:
    network_store.NetworkStore.of_user = classmethod(lambda _cls: None)


_CHANGES = (
    (STORES_NOTHING_VARIABLE, "inference.stored.network_store", store_nothing),
    (FILE_VARIABLE, "pipeline.network_pool", clock_runners),
    (STRATEGY_VARIABLE, "plan.memory_strategies", choose_strategy),
    (EVERY_LOGIT_VARIABLE, "labels.argmax", interpolate_every_logit),
    (GPU_VARIABLE, "pipeline.strategy_runner", limit_gpu),
    (KNOWN_LABELS_VARIABLE, "pipeline.coarse_localization", know_structures),
    (KNOWN_LABELS_VARIABLE, "preprocessing.regions", widen_nothing),
    *((PARTS_VARIABLE, module, change) for module, change in PART_CHANGES),
)


if __name__ == "__main__":
    for variable, module, change in _CHANGES:
        if os.environ.get(variable):
            after_import("TotalSegmentatorEngine." + module, change)
    runpy.run_path(str(ENGINE / "__main__.py"), run_name="__main__")
