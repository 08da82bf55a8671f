"""How long a burst of Slicer's waits for the processor while a job computes, and what that costs the job."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.resources import ENGINE_PROGRAM

from benchmarks.engine.our_engine import CACHE_VARIABLE, MODULE
from benchmarks.inputs.workload import Workload
from benchmarks.measuring import bursty_process
from benchmarks.measuring.report import median
from benchmarks.measuring.timed_process import ProgramError, run_timed

MODEL = (
    Path(__file__).resolve().parents[3]
    / "demo_model"
    / "Dataset900_PhantomDemo104"
    / "nnUNetTrainer__nnUNetPlans__3d_fullres"
)
PRIORITIES = {"inherited": "as Slicer", "low": "below Slicer"}
SESSIONS = {"own": "in a session of its own", "shared": "in Slicer's group"}
QUIET_SECONDS = 5
QUIET = [sys.executable, "-c", f"import time; time.sleep({QUIET_SECONDS})"]
SLOWER = 1.05
"""A job that has the machine for itself must not be slower than this, against one of Slicer's priority."""


@dataclass(frozen=True)
class _Run:
    seconds: float
    bursts: np.ndarray
    """ms"""


def measure(workload: Workload) -> None:
    if sys.platform != "linux":
        workload.report.say("not run: only Linux lets Slicer's children inherit its priority")
        return
    quiet = [_run(workload, QUIET, "inherited", "own", True) for _ in range(workload.repeat)]
    rows = [("no job", *_waits(quiet), "")]
    for session, place in SESSIONS.items():
        runs = {}
        alone = {}
        for _ in range(workload.repeat):  # by turns, so that a busy machine is busy for both
            for priority in PRIORITIES:
                runs.setdefault(priority, []).append(_run(workload, _job(workload), priority, session, True))
                alone.setdefault(priority, []).append(_run(workload, _job(workload), priority, session, False))
        for priority, rank in PRIORITIES.items():
            rows.append((f"{rank}, {place}", *_waits(runs[priority]), _seconds(runs[priority])))
        late = {priority: _waits(done)[1] for priority, done in runs.items()}
        workload.report.ratio(f"foreground: 99th percentile, {place}", late["low"] / late["inherited"], 1.0)
        costs = _seconds(alone["low"]) / _seconds(alone["inherited"])
        workload.report.ratio(f"foreground: time of the job alone, {place}", costs, SLOWER)
    workload.report.table(["job", "median ms", "99 % ms", "longest ms", "job s"], rows)


def _job(workload: Workload) -> list[str]:
    result = workload.result("foreground.nii.gz")
    command = [ENGINE_PROGRAM, "segment", workload.ct(), result, "--model", MODEL, "--device", "cpu"]
    return [sys.executable, *map(str, command)]


def _run(workload: Workload, program: list[str], priority: str, session: str, scrolls: bool) -> _Run:
    answer = workload.result("foreground.json")
    command = [bursty_process.__file__, answer, priority, session, "yes" if scrolls else "no", *program]
    environment = {"PYTHONPATH": str(MODULE), CACHE_VARIABLE: str(workload.cache_folder)}
    run = run_timed([sys.executable, *command], environment)
    told = json.loads(answer.read_text())
    if told["status"] != 0:
        raise ProgramError("the job ended with {}:\n{}".format(told["status"], run.tail()))
    return _Run(told["seconds"], np.array(told["bursts"]))


def _waits(runs: list[_Run]) -> tuple[float, float, float]:
    """Median, 99th percentile and longest of the bursts, in ms; medians over the runs."""
    figures = [(*np.percentile(run.bursts, [50, 99]), run.bursts.max()) for run in runs]
    return tuple(median(column) for column in zip(*figures, strict=True))


def _seconds(runs: list[_Run]) -> float:
    return median([run.seconds for run in runs])
