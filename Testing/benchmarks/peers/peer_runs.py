"""The programs that the engine is compared with, run offline in their own environment ``.venv-peer``."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from environment import SetupError, ensure_peer_environment

from benchmarks.inputs.workload import Workload
from benchmarks.measuring.clocked_networks import ClockedRun, clocked_run
from benchmarks.measuring.network_clock import FILE_VARIABLE, LIMIT_VARIABLE
from benchmarks.measuring.spent_time import Spent
from benchmarks.measuring.timed_process import ProcessRun, run_timed
from benchmarks.peers.peer_program import FLOAT32_SUMS_VARIABLE

__all__ = ["PeerRun", "SetupError", "nnunet_predictor", "peer_python", "total_segmentator"]

_HERE = Path(__file__).resolve().parent
PEER_PROGRAM = _HERE / "peer_program.py"
_STAGES = ((r"Resampled in ([\d.]+)s", "resampling"), (r"Predicted in ([\d.]+)s", "networks"))
_QUALITIES = {"117-1.5mm": [], "117-3mm": ["--fast"], "117-6mm": ["--fastest"]}


@dataclass(frozen=True)
class PeerRun:
    """One run of a peer."""

    process: ProcessRun
    output: Path
    """NIfTI label map on the CT's grid."""
    clock: ClockedRun | None = None

    @property
    def seconds(self) -> float:
        return self.process.seconds

    @property
    def spent(self) -> Spent:
        return self.process.spent

    def stages(self) -> dict[str, float]:
        """Seconds that TotalSegmentator itself prints: resampling there and back, and its predictor."""
        found: dict[str, float] = {}
        for _, line in self.process.lines:
            for pattern, stage in _STAGES:
                match = re.search(pattern, line)
                if match:
                    name = stage if stage not in found else stage + " back"
                    found[name] = found.get(name, 0.0) + float(match[1])
        return found


@cache
def peer_python() -> Path:
    """The peers' interpreter, made with its packages if need be. Raises SetupError where they cannot be had."""
    return ensure_peer_environment()


def total_segmentator(
    workload: Workload,
    model: str,
    ct: Path,
    output: str,
    device: str = "cpu",
    clocked: bool = False,
    tiles_per_network: int = 0,
    float32_sums: bool = False,
    models_folder: Path | None = None,
) -> PeerRun:
    """TotalSegmentator's command line on ``ct``, all classes into one label map.

    ``clocked`` measures its networks from inside; with ``tiles_per_network`` only so many tiles are computed.
    ``float32_sums`` changes the type in which nnU-Net adds up tiles: see peer_program.add_up_in_float32.
    ``models_folder``: another than that of the 117 structures.
    """
    result = workload.result(output)
    arguments = ["-i", ct, "-o", result, "--ml", "-d", device, *_QUALITIES[model]]
    environment = _environment(workload, models_folder)
    program = [peer_python(), PEER_PROGRAM, "total"]
    if float32_sums:
        return PeerRun(run_timed([*program, *arguments], environment | {FLOAT32_SUMS_VARIABLE: "1"}), result)
    if not clocked:
        command = [peer_python(), "-m", "totalsegmentator.bin.TotalSegmentator", *arguments]
        return PeerRun(run_timed(command, environment), result)
    clock_file = workload.result("peer-clock.jsonl")
    environment |= {FILE_VARIABLE: str(clock_file), LIMIT_VARIABLE: str(tiles_per_network)}
    process = run_timed([*program, *arguments], environment)
    return PeerRun(process, result, clocked_run(process.seconds, clock_file))


def nnunet_predictor(
    workload: Workload, folder: Path, ct: Path, output: str, step: float, float32_sums: bool = False
) -> PeerRun:
    """nnU-Net's own predictor of a model folder, in one process."""
    result = workload.result(output)
    command = [peer_python(), PEER_PROGRAM, "predictor", folder, ct, result, step]
    environment = _environment(workload) | ({FLOAT32_SUMS_VARIABLE: "1"} if float32_sums else {})
    return PeerRun(run_timed(command, environment), result)


def _environment(workload: Workload, models_folder: Path | None = None) -> dict[str, str]:
    """Nothing is sent or downloaded: TotalSegmentator's settings say so, and the weights are all there."""
    home = workload.folder / "peer-home"
    home.mkdir(exist_ok=True)
    settings = {
        "totalseg_id": "benchmark",
        "send_usage_stats": False,
        "prediction_counter": 0,
        "statistics_disclaimer_shown": True,
    }
    (home / "config.json").write_text(json.dumps(settings), encoding="ascii")
    models = str(models_folder or workload.models_folder)
    return {
        "TOTALSEG_HOME_DIR": str(home),
        "TOTALSEG_WEIGHTS_PATH": models,
        "nnUNet_results": models,
        "nnUNet_raw": models,
        "nnUNet_preprocessed": models,
        "PYTHONPATH": os.pathsep.join([str(_HERE / "stubs"), str(_HERE.parents[1])]),
    }
