"""Where the time of a job goes: the networks, and everything around them."""

from __future__ import annotations

import large_ct
import our_engine
from our_engine import EngineRun, SceneCt
from speed import COMPUTED_TILES, options_of, precisions, warm_up
from TotalSegmentatorWire.options import JobOptions
from workload import Workload

FULL, FAST = "117-1.5mm", "117-3mm"
OUTSIDE_FULL, OUTSIDE_FAST = 0.10, 0.25


def measure(workload: Workload) -> None:
    _hand_over(workload)
    plain = workload.ct()
    files = {
        ".nrrd": (large_ct.as_nrrd(plain), "labels.nrrd"),
        ".nii.gz": (large_ct.compressed(plain), "labels.nii.gz"),
    }
    for ending, (ct, output) in files.items():
        _from_file(workload, FAST, ct, output, ending, 0, OUTSIDE_FAST if ending == ".nrrd" else None)
    ct, output = files[".nrrd"]
    _from_file(workload, FULL, ct, output, ".nrrd", COMPUTED_TILES, OUTSIDE_FULL)


def _hand_over(workload: Workload) -> None:
    """The raw voxels of the scene to a worker that has just started, as at the first Apply on a CT."""
    ct = SceneCt(workload.ct())
    with our_engine.resident_worker(workload, clocked=True) as worker:
        for what in ("first job of a worker", "another CT in the same worker"):
            ct.edit(lambda array: None)  # another CT for the worker: it is sent and resampled again
            job = worker.job(FAST, ct, JobOptions(precision="exact"))
            if job.header is None:
                raise RuntimeError("the worker's job failed: {}".format(job.problem))
            share = job.clock.outside_seconds / job.seconds
            workload.report.say(
                "  3 mm, raw hand-over, {}: {:.1f} s, of these {:.1f} s outside the networks".format(
                    what, job.seconds, job.clock.outside_seconds
                )
            )
    workload.report.ratio("stages 3mm outside the networks, raw hand-over", share, OUTSIDE_FAST)


def _from_file(
    workload: Workload, model: str, ct: object, output: str, ending: str, tiles: int, target: float | None
) -> None:
    for precision in precisions():
        warm_up(workload, model, precision)
        run = our_engine.segment(
            workload, model, ct, output, options_of(precision), clocked=True, tiles_per_network=tiles
        )
        title = "{} from {} to {}, {}".format(model, ending, ending, run.way)
        workload.report.say("  {}: {}".format(title, run.clock.arithmetic()))
        _table(workload, run)
        name = "stages {} outside the networks, {}, {}".format(model.removeprefix("117-"), ending, precision)
        workload.report.ratio(
            name, run.clock.outside_seconds / run.clock.seconds, target if precision == "exact" else None
        )


def _table(workload: Workload, run: EngineRun) -> None:
    """Seconds by stage; the networks' own are taken out of the stage that they run in."""
    stages = run.stages()
    computed = sum(n.first_seconds + n.later_seconds + n.repeated_seconds for n in run.clock.networks)
    rows = []
    for stage, seconds in stages.items():
        around = seconds - computed if stage == "predicting" else seconds
        rows.append([stage + (" (around the networks)" if stage == "predicting" else ""), around])
    workload.report.table(["stage", "s"], rows)
