"""Five part models at 1.5 mm on an NVIDIA GPU, in exact and in published precision, against TotalSegmentator on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.engine.measured_engine import GPU_VARIABLE
from benchmarks.figures.speed import PEER, report_agreement
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.agreement import Agreement, agreement
from benchmarks.measuring.image_files import compressed
from benchmarks.measuring.report import GB, median, spread
from benchmarks.peers import peer_runs

MODEL = "117-1.5mm"
LARGEST_SHARE = 0.25
LARGEST_GB = 4.0
GPU_LIMITS_GB = (3.0, 1.5, 0.5)
"""Of PyTorch's memory on the device: too little for a batch, for the sums, for a tile."""
_INTERVAL_SECONDS = 0.2


def measure(workload: Workload) -> None:
    """Whole runs, interleaved. Both environments need a torch for CUDA; without a GPU nothing is run."""
    report = workload.report
    reason = why_not(sys.executable) or why_not(peer_runs.peer_python())
    if reason:
        report.say("not run: {}".format(reason))
        return
    ct = compressed(workload.ct())
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, int] = {}
    for precision in ("exact", "published"):  # the first use of a network is not timed
        our_engine.segment(workload, MODEL, ct, "warm-up.nii.gz", ["--precision", precision], "cuda")
    same: dict[str, Agreement] = {}
    for _ in range(workload.repeat):
        peer = peer_runs.total_segmentator(workload, MODEL, ct, "peer.nii.gz", "gpu")
        seconds.setdefault(PEER, []).append(peer.seconds)
        for precision in ("exact", "published"):
            with _GpuMemory() as memory:
                run = our_engine.segment(workload, MODEL, ct, "gpu.nii.gz", ["--precision", precision], "cuda")
            seconds.setdefault(precision, []).append(run.seconds)
            peaks[precision] = max(peaks.get(precision, 0), memory.peak_bytes)
            same[precision] = agreement(run.output, peer.output)
    report.table(["run", "seconds"], [[name, spread(values)] for name, values in seconds.items()])
    for precision, peak in peaks.items():
        name = "gpu 1.5mm {}".format(precision)
        report.ratio(name, median(seconds[precision]) / median(seconds[PEER]), LARGEST_SHARE)
        report.ratio(name + ", peak GB on the device", peak / GB, LARGEST_GB)
        report_agreement(workload, name, same[precision], is_exact=False)  # the peer rounds to float16
    _out_of_memory(workload)


def _out_of_memory(workload: Workload) -> None:
    """With less and less memory on the device the job must end with a result, and say what it did without."""
    ct = workload.cropped_ct("half", (225.0, 410.0, 410.0))
    rows = []
    for limit_gb in GPU_LIMITS_GB:
        run = our_engine.segment(
            workload,
            MODEL,
            ct,
            "limited.nii.gz",
            ["--precision", "exact"],
            "auto",
            may_fail=True,
            changes={GPU_VARIABLE: str(limit_gb)},
        )
        said = [event["problem"]["code"] for event in run.of_kind("warning")]
        plan = run.of_kind("plan")[-1]["plan"]
        rows.append(
            [limit_gb, run.seconds, run.process.status == 0, plan["device"], plan["tile_batch"], " ".join(said)]
        )
        is_said = run.process.status == 0 and (plan["device"] != "cpu" or "DEVICE_FALLBACK" in said)
        workload.report.ratio("gpu with {} GB ends with a result".format(limit_gb), float(is_said), 1.0, ">=")
    workload.report.table(["GB", "s", "has a result", "ran on", "tiles at once", "warnings"], rows)


def why_not(python: str | Path) -> str | None:
    """Why an interpreter's torch has no GPU to run on; None where it has one."""
    if shutil.which("nvidia-smi") is None:
        return "there is no NVIDIA GPU here"
    program = "import torch, sys; sys.exit(0 if torch.cuda.is_available() else 1)"
    if subprocess.run([str(python), "-c", program], capture_output=True, check=False).returncode != 0:
        folder = Path(python).parents[1].name
        return (
            "the torch in {} does not reach the GPU: install one for CUDA there (torch.txt names the version)".format(
                folder
            )
        )
    return None


class _GpuMemory:
    """Peak memory in use on the device, as the driver tells: contexts and the allocator's reserve included."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._before = 0
        self.peak_bytes = 0

    def __enter__(self) -> _GpuMemory:
        self._before = _used_bytes()
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self.peak_bytes = max(self.peak_bytes, _used_bytes() - self._before)


def _used_bytes() -> int:
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]) * 2**20
