"""Two families in one job, against a job for each: some structures of the 117 at 3 mm, localized by the model of 6 mm,
and the task for cysts of the kidneys, which that model crops.

All networks are of published shape and really run; the cysts are noise. What both jobs do alike is measured by itself:
a job of the 6 mm model alone, from the start of its process until its labels are on its grid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG
from TotalSegmentatorWire.tables.structures import structure_table

from benchmarks.engine import our_engine
from benchmarks.engine.our_engine import EngineRun
from benchmarks.figures.speed import options_of
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import GB, median, spread
from benchmarks.measuring.timed_process import ProgramError

FAMILY, TASK, COARSE = "117-3mm", "kidney_cysts", "117-6mm"
ORGANS = ("liver", "stomach", "lung_lower_lobe_right", "lung_lower_lobe_left", "aorta", "heart")
LARGEST_TIME, LARGEST_MEMORY = 1.05, 1.10


@dataclass
class _Measured:
    """By name of the job, one value a repetition."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, run: EngineRun, seconds: float | None = None) -> None:
        self.seconds.setdefault(name, []).append(run.seconds if seconds is None else seconds)
        self.peak_bytes.setdefault(name, []).append(run.process.peak_bytes)

    def rows(self) -> list[list[object]]:
        return [[name, spread(values), median(self.peak_bytes[name]) / GB] for name, values in self.seconds.items()]


def measure(workload: Workload) -> None:
    """512 x 512 x 300 voxels of 0.8 x 0.8 x 1.5 mm, each job in a process of its own."""
    report, measured, runs = workload.report, _Measured(), {}
    for model in (COARSE, FAMILY, TASK):  # the trial of runtimes, which a computer makes once, is not timed
        one_tile = workload.cropped_ct("one-tile", (150.0, 150.0, 150.0))
        _run(workload, "warm-up", model, [], one_tile)
    for _ in range(workload.repeat):
        coarse = _run(workload, "coarse", COARSE, [])
        measured.add("shared steps", coarse, _until(coarse, Stage.RESTORING))
        runs = {
            "117 at 3 mm": _run(workload, "family", FAMILY, list(ORGANS)),
            "cysts": _run(workload, "task", TASK, []),
            "both in one job": _run(workload, "both", None, [*ORGANS, *_names_of_task()]),
        }
        for name, run in runs.items():
            measured.add(name, run)
    report.table(["job", "seconds", "peak GB"], measured.rows())
    _show_passes(workload, runs)
    _judge(workload, measured, *runs.values())


def _run(workload: Workload, name: str, model: str | None, structures: list[str], ct: Path | None = None) -> EngineRun:
    chosen = ["--structures", ",".join(structures)] if structures else []
    if model is None:
        chosen += ["--quality", "fast", "--prefer", TASK]
    run = our_engine.segment(
        workload,
        model,
        ct or workload.ct(),
        "{}.seg.nrrd".format(name),
        [*options_of("exact"), *chosen],
        models_folder=workload.families_folder,
    )
    workload.report.say("  {}: {:.1f} s, {:.2f} GB".format(name, run.seconds, run.process.peak_bytes / GB))
    return run


def _names_of_task() -> list[str]:
    return [structure.name for structure in structure_table("structures_kidney_cysts")]


def _until(run: EngineRun, stage: str) -> float:
    """Seconds from the start to the first sign of a stage."""
    return next(at for at, event in run.events if event["kind"] == "progress" and event["stage"] == stage)


def _passes(run: EngineRun) -> list[str]:
    """Models whose networks ran, one for each pass."""
    return [planned["model"] for planned in run.of_kind("plan")[-1]["plan"]["passes"]]


def _show_passes(workload: Workload, runs: dict[str, EngineRun]) -> None:
    rows = [
        [name, planned["model"], planned["purpose"], " x ".join(map(str, planned["shape"])), planned["tiles"]]
        for name, run in runs.items()
        for planned in run.of_kind("plan")[-1]["plan"]["passes"]
    ]
    workload.report.table(["job", "model", "for", "voxels", "tiles"], rows)


def _judge(workload: Workload, measured: _Measured, family: EngineRun, task: EngineRun, both: EngineRun) -> None:
    report = workload.report
    alone, together = _digests(family.output) | _digests(task.output), _digests(both.output)
    if not alone:
        raise ProgramError("the jobs have found nothing that could be compared")
    equal = sum(together.get(name) == digest for name, digest in alone.items()) / max(len(alone), len(together))
    report.ratio("two families, structures with the same voxels", equal, 1.0, ">=")
    report.ratio("two families, passes of the shared model", _passes(both).count(COARSE), 1)
    passes = len(_passes(family)) + len(_passes(task)) - 1
    report.ratio("two families, passes of those in two jobs less the shared one", len(_passes(both)) / passes, 1.0)
    seconds = {name: median(values) for name, values in measured.seconds.items()}
    expected = seconds["117 at 3 mm"] + seconds["cysts"] - seconds["shared steps"]
    time = seconds["both in one job"] / expected
    report.ratio("two families, time of two jobs less the shared steps", time, LARGEST_TIME)
    peaks = {name: median(values) for name, values in measured.peak_bytes.items()}
    larger = max(peaks["117 at 3 mm"], peaks["cysts"])
    report.ratio("two families, peak memory of the larger job", peaks["both in one job"] / larger, LARGEST_MEMORY)


def _digests(path: Path) -> dict[str, str]:
    """By structure: the digest of its voxels in a .seg.nrrd."""
    with path.open("rb") as stream:
        header = b"".join(iter(stream.readline, b"\n")).decode("utf-8", "replace")
    names = dict(re.findall(r"^(Segment\d+)_ID:=(.*)$", header, re.MULTILINE))
    tags = dict(re.findall(r"^(Segment\d+)_Tags:=(.*)$", header, re.MULTILINE))
    digest = re.compile(re.escape(VOXEL_DIGEST_TAG) + r":([^|]*)")
    return {name: digest.search(tags[segment])[1] for segment, name in names.items()}
