"""What plans promise against what the jobs took: seconds and peak memory of ten different jobs in three orders.

Other programs make a job longer than planned, and a measurement longer than the next job takes. So each row says which
share of the processors they had, and the error is given once more for the time that the job worked: what elapsed, but
no more than the processor time that it used. Of work that two threads share on a busy computer that is up to twice too
much; on an idle one the two errors are the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.engine.known_structures import KNOWN_LABELS_VARIABLE
from benchmarks.figures.speed import REDUCED, precisions
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.processor_clock import ProcessorClock
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
    changes: dict[str, str] = field(default_factory=dict)
    """As for our_engine.segment."""


@dataclass(frozen=True)
class Outcome:
    """Of one job. ``planned`` is None where a network ran for the first time, for which there is no estimate."""

    planned: float | None
    at_most: float | None
    """The first estimate, where the regions of a few structures were not known yet."""
    seconds: float
    worked: float
    """Of ``seconds``, at most the processor time that the job used."""
    others: float
    """Share of the processors that other programs had."""
    planned_bytes: int
    peak_bytes: int

    @property
    def time_error(self) -> float | None:
        return None if self.planned is None else self.planned / self.seconds - 1

    @property
    def work_error(self) -> float | None:
        return None if self.planned is None else self.planned / self.worked - 1

    @property
    def memory_error(self) -> float:
        return self.planned_bytes / self.peak_bytes - 1


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


def short_jobs(workload: Workload) -> list[Job]:
    """Ten that take seconds with light networks, with a user's own model and a few structures among them."""
    half = workload.cropped_ct("half", (225.0, 410.0, 410.0))
    few = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    one = workload.cropped_ct("one-tile", (150.0, 150.0, 150.0))
    kidneys = ("--structures", "kidney_left,kidney_right")
    known = {KNOWN_LABELS_VARIABLE: str(workload.labels())}
    own, part = str(workload.own_model), workload.cropped_ct("part", (150.0, 330.0, 330.0))
    return [
        Job("3 mm, few voxels", "117-3mm", one),
        Job("1.5 mm, one tile a part", "117-1.5mm", one),
        Job("own model, few voxels", own, one),
        Job("6 mm, smooth", "117-6mm", few, ("--smooth",)),
        Job("3 mm, 150 slices, no islands", "117-3mm", half, ("--smallest-island", "200")),
        Job("1.5 mm, few tiles", "117-1.5mm", few),
        Job("6 mm, 300 slices", "117-6mm", workload.ct()),
        Job("1.5 mm, two kidneys", "117-1.5mm", workload.ct(), kidneys, known),
        Job("own model, 100 slices", own, part),
        Job("3 mm, 300 slices", "117-3mm", workload.ct()),
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
    _measure(workload, jobs(workload), workload.models_folder)


def measure_short(workload: Workload) -> None:
    """Likewise, with light networks."""
    _measure(workload, short_jobs(workload), workload.light_models_folder)


def _measure(workload: Workload, all_jobs: list[Job], models: Path) -> None:
    report = workload.report
    counted: list[Outcome] = []
    for name, order in orders(len(all_jobs)).items():
        _forget(workload)
        outcomes = []
        for index in order:
            outcomes.append(_run(workload, all_jobs[index], models))
            report.say("  {}: {:.1f} s".format(all_jobs[index].name, outcomes[-1].seconds))
        report.say("  {}:".format(name))
        heads = ["job", "planned s", "took s", "off", "worked s", "off", "others", "at most s", "planned GB", "peak GB"]
        report.table([*heads, "off"], [_row(all_jobs[index], one) for index, one in zip(order, outcomes, strict=True)])
        counted += [one for one in outcomes[_FIRST_JOBS:] if one.planned is not None]
    _conclude(workload, counted)


def _conclude(workload: Workload, counted: list[Outcome]) -> None:
    report = workload.report
    errors = [abs(one.time_error) for one in counted]
    of_work = [abs(one.work_error) for one in counted]
    memory = [one.memory_error for one in counted]
    report.ratio("prediction of time, median error", median(errors), LARGEST_TIME_ERROR)
    report.ratio("prediction of time, largest error", max(errors), WORST_TIME_ERROR)
    report.ratio("prediction of time worked, median error", median(of_work))
    report.ratio("prediction of time worked, largest error", max(of_work))
    report.ratio("share of the processors that other programs had, largest", max(one.others for one in counted))
    bounds = [one.seconds / one.at_most - 1 for one in counted if one.at_most is not None]
    if bounds:
        report.ratio("first estimate of few structures, largest shortfall", max(*bounds, 0.0), LARGEST_TIME_ERROR)
    report.ratio("prediction of memory, median error", median(list(map(abs, memory))), LARGEST_MEMORY_ERROR)
    report.ratio("prediction of memory, largest error", max(map(abs, memory)), LARGEST_MEMORY_ERROR)
    report.ratio("prediction of memory, largest shortfall", max(-min(memory), 0.0), LARGEST_MEMORY_SHORTFALL)


def _run(workload: Workload, job: Job, models: Path) -> Outcome:
    """The plan that counts is the last one, made when the regions are known; what was planned before is a bound."""
    clock = ProcessorClock()
    run = our_engine.segment(
        workload, job.model, job.ct, "labels.nii.gz", job.arguments, changes=job.changes or None, models_folder=models
    )
    used, others = clock.read()
    seconds = run.of_kind("finished")[0]["seconds"]
    plans = [event["plan"] for event in run.of_kind("plan")]
    return Outcome(
        planned=plans[-1]["seconds"],
        at_most=plans[0]["seconds"] if plans[0]["is_preliminary"] else None,
        seconds=seconds,
        worked=min(seconds, used * seconds / run.seconds),  # what comes before and after takes as much of a second
        others=others,
        planned_bytes=plans[0]["peak_bytes"],
        peak_bytes=run.process.peak_of_one,
    )


def _row(job: Job, outcome: Outcome) -> list[object]:
    def off(error: float | None) -> str:
        return "none" if error is None else "{:+.0%}".format(error)

    memory = [outcome.planned_bytes / GB, outcome.peak_bytes / GB, off(outcome.memory_error)]
    at_most = "" if outcome.at_most is None else outcome.at_most
    time = [outcome.planned or 0.0, outcome.seconds, off(outcome.time_error)]
    work = [outcome.worked, off(outcome.work_error), "{:.0%}".format(outcome.others)]
    return [job.name, *time, *work, at_most, *memory]


def _forget(workload: Workload) -> None:
    """What the machine knows of times; which runtime is the fastest is found out again, too."""
    for path in workload.cache_folder.glob("machine-*.json"):
        path.unlink()
