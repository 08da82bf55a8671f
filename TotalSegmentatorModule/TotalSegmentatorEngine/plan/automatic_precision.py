"""Where the precision "auto" may become reduced on a CPU: in long runs, on a processor that multiplies bfloat16."""

from __future__ import annotations

from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorEngine.machine.cpu_features import has_bf16
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key

LEAST_SPEED_UP = 1.3
"""Reduced precision that is hardly faster is not worth its difference: AVX-512 alone gains less by it than AMX."""
SHORTEST_SECONDS = 30.0
"""Of a network's exact run: below, loading a second network and comparing tiles takes what is gained."""
LEAST_EQUAL = 0.995
"""Of the voxels of structures on the CT at hand, as the lower end of the interval has it: who did not choose reduced
precision gets it only where that is shown."""


def is_left_open(options: JobOptions, device: str) -> bool:
    """Whether "auto" may become reduced in a job at all."""
    return options.precision == "auto" and options.self_check and device == "cpu" and has_bf16()


def may_be_reduced(
    options: JobOptions, folder: ModelFolder, tiles: int, device: str, runtime: str, machine: MachineProfile
) -> bool:
    """Whether a network's run of so many tiles over a whole image is worth a try in reduced precision."""
    if not is_left_open(options, device):
        return False
    key = architecture_key(folder)
    exact, reduced = (machine.network(key, runtime, precision, device) for precision in ("exact", "reduced"))
    if exact is None or exact.seconds_per_tile is None or exact.seconds_per_tile * tiles < SHORTEST_SECONDS:
        return False
    is_slow = reduced is not None and reduced.seconds_per_tile is not None
    return not (is_slow and exact.seconds_per_tile < LEAST_SPEED_UP * reduced.seconds_per_tile)
