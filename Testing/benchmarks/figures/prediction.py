"""What plans promise against what the jobs took: seconds and peak memory of ten different jobs in three orders."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.figures.speed import REDUCED, precisions
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import GB, median

LARGEST_TIME_ERROR = 0.25
WORST_TIME_ERROR = 0.5
LARGEST_MEMORY_ERROR = 0.15
LARGEST_MEMORY_SHORTFALL = 0.05
_FIRST_JOBS = 2
"""Of each order; what a machine learns from."""


@dataclass(frozen=True)
class Job:
    name: str
    model: str
    ct: Path
    arguments: Sequence[str] = ()


def jobs(workload: Workload) -> list[Job]:
    """Ten jobs that differ in model, size, precision and what is done around the networks, the smallest first."""
    reduced = ("--precision", REDUCED if REDUCED in precisions() else "exact")
    half = workload.cropped_ct("half", (225.0, 410.0, 410.0))
    few = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    one = workload.cropped_ct("one-tile", (150.0, 150.0, 150.0))
    return [
        Job("3 mm, few voxels", "117-3mm", one),
        Job("1.5 mm, one tile a part", "117-1.5mm", one),
        Job("6 mm, smooth", "117-6mm", half, ("--smooth",)),
        Job("3 mm, 150 slices", "117-3mm", half),
        Job("6 mm, 300 slices", "117-6mm", workload.ct()),
        Job("1.5 mm, two parts", "117-1.5mm", few, ("--structures", "liver,aorta")),
        Job("3 mm, 300 slices", "117-3mm", workload.ct()),
        Job("1.5 mm, few tiles, faster", "117-1.5mm", few, reduced),
        Job("6 mm, 800 slices", "117-6mm", workload.ct(800)),
        Job("3 mm, 600 slices, faster", "117-3mm", workload.ct(600), reduced),
    ]


def orders(count: int) -> dict[str, list[int]]:
    """Three orders of the jobs, by their places in ``jobs`` from the smallest to the largest."""
    return {
        "smallest first": list(range(count)),
        "largest first": list(range(count))[::-1],
        "shuffled": random.Random(15).sample(range(count), count),
    }


def measure(workload: Workload) -> None:
    """The ten jobs in three orders, each on a machine that knows nothing; the plans after the second job count."""
    report = workload.report
    time_errors, memory_errors = [], []
    for name, order in orders(len(jobs(workload))).items():
        _forget(workload)
        rows = []
        all_jobs = jobs(workload)
        for number, index in enumerate(order):
            row, time_error, memory_error = _run(workload, all_jobs[index])
            rows.append(row)
            if number >= _FIRST_JOBS and time_error is not None:
                time_errors.append(time_error)
                memory_errors.append(memory_error)
        report.say("  {}:".format(name))
        report.table(["job", "planned s", "took s", "off", "planned GB", "peak GB", "off"], rows)
    sizes = [abs(error) for error in time_errors]
    report.ratio("prediction of time, median error", median(sizes), LARGEST_TIME_ERROR)
    report.ratio("prediction of time, largest error", max(sizes), WORST_TIME_ERROR)
    report.ratio("prediction of memory, median error", median([abs(e) for e in memory_errors]), LARGEST_MEMORY_ERROR)
    report.ratio("prediction of memory, largest error", max(abs(e) for e in memory_errors), LARGEST_MEMORY_ERROR)
    report.ratio("prediction of memory, largest shortfall", max(-min(memory_errors), 0.0), LARGEST_MEMORY_SHORTFALL)


def _run(workload: Workload, job: Job) -> tuple[list[object], float | None, float]:
    """A row of the table, and the errors of time and memory; that of time is None where a network ran for the first
    time, for which there is no estimate."""
    run = our_engine.segment(workload, job.model, job.ct, "labels.nii.gz", job.arguments)
    plan = run.of_kind("plan")[0]["plan"]
    seconds, peak = run.of_kind("finished")[0]["seconds"], run.process.peak_of_one
    time_error = None if plan["seconds"] is None else plan["seconds"] / seconds - 1
    memory_error = plan["peak_bytes"] / peak - 1
    off = "none" if time_error is None else "{:+.0%}".format(time_error)
    gigabytes = [plan["peak_bytes"] / GB, peak / GB, "{:+.0%}".format(memory_error)]
    workload.report.say("  {}: {:.1f} s".format(job.name, run.seconds))
    return [job.name, plan["seconds"] or 0.0, seconds, off, *gigabytes], time_error, memory_error


def _forget(workload: Workload) -> None:
    """What the machine knows of times; which runtime is the fastest is found out again, too."""
    for path in workload.cache_folder.glob("machine-*.json"):
        path.unlink()
