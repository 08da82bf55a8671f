"""What plans promise against what the jobs took: seconds and peak memory of ten different jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.figures.speed import REDUCED, precisions
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import GB, median

LARGEST_TIME_ERROR = 0.25
LARGEST_MEMORY_ERROR = 0.15
LARGEST_MEMORY_SHORTFALL = 0.05


@dataclass(frozen=True)
class Job:
    name: str
    model: str
    ct: Path
    arguments: Sequence[str] = ()


def jobs(workload: Workload) -> list[Job]:
    """Ten jobs that differ in model, size, precision and what is done around the networks."""
    reduced = ("--precision", REDUCED if REDUCED in precisions() else "exact")
    half = workload.cropped_ct("half", (225.0, 410.0, 410.0))
    few = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    one = workload.cropped_ct("one-tile", (150.0, 150.0, 150.0))
    return [
        Job("3 mm, 300 slices", "117-3mm", workload.ct()),
        Job("3 mm, 150 slices", "117-3mm", half),
        Job("3 mm, few voxels", "117-3mm", one),
        Job("3 mm, 600 slices, faster", "117-3mm", workload.ct(600), reduced),
        Job("6 mm, 300 slices", "117-6mm", workload.ct()),
        Job("6 mm, 800 slices", "117-6mm", workload.ct(800)),
        Job("6 mm, smooth", "117-6mm", half, ("--smooth",)),
        Job("1.5 mm, one tile a part", "117-1.5mm", one),
        Job("1.5 mm, few tiles, faster", "117-1.5mm", few, reduced),
        Job("1.5 mm, two parts", "117-1.5mm", few, ("--structures", "liver,aorta")),
    ]


def measure(workload: Workload) -> None:
    """Each job after this machine has been calibrated by a short job with the same networks."""
    report = workload.report
    _calibrate(workload)
    rows, time_errors, memory_errors = [], [], []
    for job in jobs(workload):
        run = our_engine.segment(workload, job.model, job.ct, "labels.nii.gz", job.arguments)
        plan = run.of_kind("plan")[0]["plan"]
        seconds, peak = run.of_kind("finished")[0]["seconds"], run.process.peak_of_one
        time_error, memory_error = (plan["seconds"] or 0.0) / seconds - 1, plan["peak_bytes"] / peak - 1
        time_errors.append(time_error)
        memory_errors.append(memory_error)
        rows.append(
            [
                job.name,
                plan["seconds"],
                seconds,
                "{:+.0%}".format(time_error),
                plan["peak_bytes"] / GB,
                peak / GB,
                "{:+.0%}".format(memory_error),
            ]
        )
        report.say("  {}: {:.1f} s".format(job.name, run.seconds))
    report.table(["job", "planned s", "took s", "off", "planned GB", "peak GB", "off"], rows)
    report.ratio("prediction of time, median error", median([abs(e) for e in time_errors]), LARGEST_TIME_ERROR)
    report.ratio("prediction of memory, median error", median([abs(e) for e in memory_errors]), LARGEST_MEMORY_ERROR)
    report.ratio("prediction of memory, largest error", max(abs(e) for e in memory_errors), LARGEST_MEMORY_ERROR)
    report.ratio("prediction of memory, largest shortfall", max(-min(memory_errors), 0.0), LARGEST_MEMORY_SHORTFALL)


def _calibrate(workload: Workload) -> None:
    """A job of two tiles or so with each network in each precision: what a machine knows after its first day."""
    few = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    cts = {"117-3mm": workload.cropped_ct("half", (225.0, 410.0, 410.0)), "117-6mm": workload.ct(), "117-1.5mm": few}
    for model, ct in cts.items():
        for precision in precisions() if model != "117-6mm" else ["exact"]:
            run = our_engine.segment(workload, model, ct, "labels.nii.gz", ["--precision", precision])
            workload.report.say("  calibration with {}, {}: {:.1f} s".format(model, run.runtime, run.seconds))
