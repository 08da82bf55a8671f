"""Where the precision "auto" may become reduced on a CPU: in long runs, on a processor that multiplies bfloat16."""

from __future__ import annotations

from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorEngine.agreement.tile_choice import tile_count
from TotalSegmentatorEngine.machine.cpu_features import has_amx, has_bf16
from TotalSegmentatorEngine.machine.profile import MachineProfile, NetworkRecord
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key

LEAST_SPEED_UP = 1.3
"""Reduced precision that is hardly faster is not worth its difference: AVX-512 alone gains less by it than AMX."""
LEAST_GAIN_SECONDS = 10.0
"""Of a network's run, when the tiles that are compared are taken off: a second network has to be loaded, too, and the
user waits for the comparison before anything else happens."""
EXPECTED_SHARE = {True: 1 / 3, False: 0.75}
"""Of the exact time of a tile, before this computer has tried it, with AMX and without: as OpenVINO's bfloat16 took on
one processor of each kind (docs/decisions.md; 0.73 to 0.83 with AVX-512)."""
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
    exact, reduced = (_tile_seconds(machine.network(key, runtime, each, device)) for each in ("exact", "reduced"))
    if exact is None:
        return False
    if reduced is None:
        reduced = EXPECTED_SHARE[has_amx()] * exact
    elif exact < LEAST_SPEED_UP * reduced:
        return False
    compared = 2 * tile_count(tiles) * (exact + reduced)  # in both precisions, before the run and after it
    return tiles * (exact - reduced) - compared >= LEAST_GAIN_SECONDS


def _tile_seconds(record: NetworkRecord | None) -> float | None:
    return None if record is None else record.seconds_per_tile
