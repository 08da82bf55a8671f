"""Where the time of a job goes: the networks, and everything around them."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.messages.options import JobOptions

from benchmarks.engine import our_engine
from benchmarks.engine.our_engine import EngineRun, SceneCt
from benchmarks.figures.speed import COMPUTED_TILES, options_of, precisions, warm_up
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.image_files import as_nrrd, compressed
from benchmarks.measuring.report import median

FULL, FAST = "117-1.5mm", "117-3mm"
OUTSIDE_FULL, OUTSIDE_FAST = 0.10, 0.25


def measure(workload: Workload) -> None:
    """Shares are medians of the repetitions; the tables show the last one."""
    _hand_over(workload)
    plain = workload.ct()
    files = {
        ".nrrd": (as_nrrd(plain), "labels.nrrd"),
        ".nii.gz": (compressed(plain), "labels.nii.gz"),
    }
    for ending, (ct, output) in files.items():
        _from_file(workload, FAST, ct, output, ending, 0, OUTSIDE_FAST if ending == ".nrrd" else None)
        target = OUTSIDE_FULL if ending == ".nrrd" else None
        _from_file(workload, FULL, ct, output, ending, COMPUTED_TILES, target)


def _hand_over(workload: Workload) -> None:
    """The raw voxels of the scene to a worker, each time as another CT, which it has not prepared yet."""
    ct = SceneCt(workload.ct())
    shares = []
    with our_engine.resident_worker(workload, clocked=True) as worker:
        for number in range(workload.repeat + 1):
            ct.edit(lambda array: None)
            job = worker.job(FAST, ct, JobOptions(precision="exact"))
            what = "another CT in the same worker" if number else "first job of a worker"
            workload.report.say(
                "  3 mm, raw hand-over, {}: {:.1f} s, of these {:.1f} s outside the networks".format(
                    what, job.seconds, job.clock.outside_seconds
                )
            )
            shares.append(job.clock.outside_seconds / job.seconds)
    workload.report.ratio("stages 3mm outside the networks, raw hand-over", median(shares[1:]), OUTSIDE_FAST)
    workload.report.ratio("stages 3mm outside the networks, raw hand-over, first job of a worker", shares[0])


def _from_file(
    workload: Workload, model: str, ct: Path, output: str, ending: str, tiles: int, target: float | None
) -> None:
    for precision in precisions():
        warm_up(workload, model, precision)
        shares = []
        for _ in range(workload.repeat):
            run = our_engine.segment(
                workload, model, ct, output, options_of(precision), clocked=True, tiles_per_network=tiles
            )
            title = "{} from {} to {}, {}".format(model, ending, ending, run.runtime)
            workload.report.say("  {}: {}".format(title, run.clock.arithmetic()))
            shares.append(run.clock.outside_seconds / run.clock.seconds)
        _table(workload, run)
        name = "stages {} outside the networks, {}, {}".format(model.removeprefix("117-"), ending, precision)
        workload.report.ratio(name, median(shares), target if precision == "exact" else None)


def _table(workload: Workload, run: EngineRun) -> None:
    """Seconds by stage; the networks' own are taken out of the stage that they run in."""
    stages = run.stages()
    computed = sum(n.first_seconds + n.later_seconds + n.repeated_seconds for n in run.clock.networks)
    rows = []
    for stage, seconds in stages.items():
        around = seconds - computed if stage == "predicting" else seconds
        rows.append([stage + (" (around the networks)" if stage == "predicting" else ""), around])
    workload.report.table(["stage", "s"], rows)
