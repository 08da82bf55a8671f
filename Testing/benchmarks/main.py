"""Runs the benchmarks: ``python3 Testing/run.py benchmark [NAME...] [--list] [--quick] [--repeat N]``.

Each prints a table of its measurements and closes with lines ``ratio NAME = VALUE (target TARGET)``; those of the
panel, which are compared with no peer, with ``figure NAME = MEDIAN UNIT (target TARGET)``. The figures are kept in
results/NAME.json, which README and docs quote (Testing/make_figures.py); those of a quick run are not.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(TESTING),
    str(TESTING.parent / "TotalSegmentatorModule"),
    *[str(TESTING / "tests" / "support" / folder) for folder in (".", "models", "export", "review", "batch", "dicom")],
]

from environment import SetupError  # noqa: E402 - found through the line above

from benchmarks.measuring.processor_clock import ProcessorClock  # noqa: E402
from benchmarks.measuring.report import Report  # noqa: E402
from benchmarks.measuring.timed_process import ProgramError  # noqa: E402


@dataclass(frozen=True)
class PanelBenchmark:
    """``function`` returns one value per figure name; it is repeated, and the median is the figure."""

    what: str
    function: str
    unit: str
    targets: dict[str, float]


@dataclass(frozen=True)
class EngineBenchmark:
    """``function`` takes a Workload and reports what it finds. ``minutes``: on two cores, with --repeat 1."""

    what: str
    function: str
    minutes: float
    is_long: bool = False
    """Runs only when it is named."""
    left_out: str = ""
    """By a quick run, which then takes less than QUICK_MINUTES."""


QUICK_MINUTES = 3.0
"""On two idle cores; a computer that is busy takes longer."""

BENCHMARKS: dict[str, PanelBenchmark | EngineBenchmark] = {
    "labels": EngineBenchmark(
        "the same labels as nnU-Net's own predictor and TotalSegmentator, by every route",
        "labelling.labels.measure",
        20,
    ),
    "task-pipelines": EngineBenchmark(
        "each distinct pipeline of the tasks for single regions, against nnU-Net's own predictor within the crop",
        "tasks.pipelines.measure",
        12,
    ),
    "label-making": EngineBenchmark(
        "logits of 105 labels on a CT of 512 x 512 x 200 and 300 voxels: only what is open, against every voxel and "
        "against nnU-Net's own predictor",
        "labelling.label_making.measure",
        12,
    ),
    "speed-3mm": EngineBenchmark(
        "512 x 512 x 300 at 3 mm, cold and in a resident worker, against TotalSegmentator --fast",
        "speed.measure_3mm",
        10,
        left_out="half of the slices, reduced precision, another CT in the worker, the peer's sums in float32",
    ),
    "speed-1.5mm": EngineBenchmark(
        "the same CT with five part models (tiles scaled), against TotalSegmentator", "speed.measure_full", 15
    ),
    "full-1.5mm": EngineBenchmark(
        "a whole run with five part models on a smaller CT, no tile left out", "speed.measure_full_example", 25, True
    ),
    "profiles": EngineBenchmark(
        "104 structures as published (step 0.5, softmax, cubic) and by default (step 0.8)", "profiles.measure", 15
    ),
    "stages": EngineBenchmark("where the time of a job goes, by stage", "stages.measure", 12),
    "memory": EngineBenchmark(
        "peak memory at 512 x 512 x 800, both qualities", "memory_use.measure_peak", 6, left_out="1.5 mm"
    ),
    "growth": EngineBenchmark("memory from 300 to 1,200 slices", "memory_use.measure_growth", 12),
    "kidneys": EngineBenchmark("two kidneys in a whole body of 512 x 512 x 1000, at 1.5 mm", "kidneys.measure", 5),
    "cropping": EngineBenchmark("a whole body, part models only where their structures can be", "cropping.measure", 8),
    "agreement": EngineBenchmark(
        "what approximate jobs say of their agreement, against whole exact runs, with tiles drawn by twenty seeds",
        "labelling.self_check.measure",
        6,
    ),
    "two-families": EngineBenchmark(
        "two families in one job, against a job for each", "several_models.two_families.measure", 15
    ),
    "prediction": EngineBenchmark(
        "planned and real time and memory of ten jobs in three orders", "prediction.measure", 36
    ),
    "prediction-short": EngineBenchmark(
        "the same with light networks, a user's own model and a few structures", "prediction.measure_short", 11, True
    ),
    "preview": EngineBenchmark(
        "a job at 1.5 mm until its 3 mm preview is there, against the job at 3 mm alone",
        "several_models.preview.measure",
        12,
    ),
    "time-left": EngineBenchmark(
        "what ten jobs say of the time left at 10 % and 50 % of their run", "time_left.measure", 5
    ),
    "limit": EngineBenchmark("3 mm with 4 GB of memory, and a worker that the system kills", "limit.measure", 1),
    "foreground": EngineBenchmark(
        "how long Slicer waits for the processor while a job computes, and what that costs the job",
        "panel.foreground.measure",
        8,
    ),
    "conversion": EngineBenchmark(
        "nnU-Net v1 models of six shapes converted, against nnU-Net v1 itself", "conversion.measure", 6
    ),
    "rtstruct": EngineBenchmark(
        "104 structures as RT Structure Set, against TotalSegmentator's writer, and as DICOM SEG", "rtstruct.measure", 8
    ),
    "reading": EngineBenchmark(
        "a CT of 512 x 512 x 400 read and checked, as DICOM and as .nii.gz", "reading.measure_time", 3
    ),
    "damage": EngineBenchmark(
        "DICOM series in which one bit of the pixel data is changed, by transfer syntax", "reading.measure_damage", 2
    ),
    "review": EngineBenchmark(
        "flags of planted faults, of phantoms without one and of a real CT", "review.measure_flags", 8
    ),
    "review-time": EngineBenchmark(
        "all flags of 104 structures at 512 x 512 x 400, and one structure again", "review.measure_time", 1
    ),
    "batch": EngineBenchmark(
        "ten CTs of 512 x 512 x 150 at 3 mm by batch, by single commands, and by TotalSegmentator --fast in a loop",
        "batch.on_one_machine.measure",
        20,
    ),
    "batch-memory": EngineBenchmark(
        "memory of batch after each of 40 such CTs", "batch.memory_over_cts.measure", 10, True
    ),
    "receiving": EngineBenchmark("200 slices sent to our DICOM node, and to Orthanc", "batch.receiving.measure", 1),
    "batch-kills": EngineBenchmark(
        "40 phantoms, real CTs and spoilt ones in one run that is killed ten times, against one without kills",
        "batch.kills.measure",
        15,
        True,
    ),
    "cohort-report": EngineBenchmark(
        "the table and the report over 1,000 CTs, and the time in which a browser opens it", "cohort_report.measure", 1
    ),
    "gpu": EngineBenchmark("five part models at 1.5 mm on a GPU", "gpu.measure", 10),
    "cold-start": EngineBenchmark(
        "click on Apply to the first tile in a new engine, with a stored network and an early start, against none",
        "panel.cold_start.measure",
        5,
    ),
    "import": PanelBenchmark(
        "104 labels at 512 x 512 x 400 become segments, are replaced and removed (main thread)",
        "panel.import_of_labels.measure",
        "s",
        {"import": 0.5, "replace": 0.5, "remove": 0.5, "close scene": 0.5},
    ),
    "import-blocks": PanelBenchmark(
        "longest time that a session's import of the same labels keeps Slicer's event loop waiting",
        "panel.import_of_labels.measure_blocks",
        "ms",
        {"first": 20.0, "second": 20.0, "two layers": 20.0},
    ),
    "second-apply": PanelBenchmark(
        "click to first tile on a CT of 512 x 512 x 400 that the worker has already",
        "panel.jobs.measure_second_apply",
        "s",
        {"first tile": 1.0},
    ),
    "cancel": PanelBenchmark(
        "click on Cancel while tiles run, until the panel is ready again",
        "panel.jobs.measure_cancel",
        "s",
        {"ready again": 2.0},
    ),
    "responsiveness": PanelBenchmark(
        "longest time that the panel keeps Slicer's event loop waiting in a whole job on 512 x 512 x 400",
        "panel.jobs.measure_responsiveness",
        "ms",
        {"longest block": 50.0},
    ),
    "start-up": PanelBenchmark(
        "what the module adds to every start of Slicer, before it is opened (processor time)",
        "panel.start_up.measure",
        "ms",
        {"start": 20.0, "modules imported": 0.0},
    ),
    "surfaces": PanelBenchmark(
        "Show 3D of 104 structures at 512 x 512 x 300: processor time against Slicer's conversion in one go",
        "panel.surfaces.measure",
        "x",
        {"time of Slicer's own": 0.2},
    ),
    "surfaces-blocks": PanelBenchmark(
        "longest time that Show 3D keeps Slicer's event loop waiting: Slicer's conversion of the largest structure",
        "panel.surfaces.measure_blocks",
        "ms",
        {"longest block": 500.0},
    ),
    "review-autosave": PanelBenchmark(
        "longest time that a review of 104 structures at 512 x 512 x 400 keeps Slicer's event loop waiting while it is "
        "saved in the background, and restored",
        "panel.review_autosave.measure",
        "ms",
        {"first": 30.0, "judged": 30.0, "drawn": 30.0, "restored": 30.0},
    ),
    "editor-mask": PanelBenchmark(
        "a stroke in the Segment Editor at 512 x 512 x 200: 12 neighbours protected, against all 104 structures",
        "panel.editor_mask.measure",
        "x",
        {"neighbours against all": 0.3},
    ),
    "review-table": PanelBenchmark(
        "118 rows of the review: longest frames of scrolling, sorting and finding, and what a key costs",
        "panel.review_table.measure",
        "ms",
        {
            "scroll frame": 16.0,
            "sort frame": 16.0,
            "find frame": 16.0,
            "fill": 50.0,
            "fill block": 30.0,
            "next": 50.0,
            "judge": 50.0,
        },
    ),
}


def main() -> int:
    arguments = _arguments()
    if arguments.list:
        for name, benchmark in BENCHMARKS.items():
            print("{:16} {}".format(name, _description(benchmark)))
        return 0
    report = Report()
    failed = [name for name in _chosen(arguments) if not _run(name, BENCHMARKS[name], arguments, report)]
    for line in report.missed:
        print("missed: {}".format(line))
    if failed:
        print("could not be run: {}".format(", ".join(failed)))
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py benchmark")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run; without one all but the long ones")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    parser.add_argument("--repeat", type=int, default=5, help="measurements per figure; the median counts")
    quick = "for daily use: each measures once, in less than {:g} minutes, and says what it leaves out"
    parser.add_argument("--quick", action="store_true", help=quick.format(QUICK_MINUTES))
    parser.add_argument("--small", action="store_true", help=argparse.SUPPRESS)  # tries the benchmarks themselves
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error("unknown: {}; there are {}".format(", ".join(sorted(unknown)), ", ".join(BENCHMARKS)))
    slow = [name for name in arguments.names if arguments.quick and not _is_quick(BENCHMARKS[name])]
    if slow:
        quick_ones = [name for name, benchmark in BENCHMARKS.items() if _is_quick(benchmark)]
        parser.error("not quick: {}; quick are {}".format(", ".join(slow), ", ".join(quick_ones)))
    if arguments.quick:
        arguments.repeat = 1
    return arguments


def _chosen(arguments: argparse.Namespace) -> list[str]:
    if arguments.names:
        return [name for name in BENCHMARKS if name in arguments.names]
    wanted = {name: benchmark for name, benchmark in BENCHMARKS.items() if not getattr(benchmark, "is_long", False)}
    return [name for name, benchmark in wanted.items() if not arguments.quick or _is_quick(benchmark)]


def _is_quick(benchmark: PanelBenchmark | EngineBenchmark) -> bool:
    if isinstance(benchmark, PanelBenchmark):
        return True
    return bool(benchmark.left_out) or benchmark.minutes < QUICK_MINUTES


def _description(benchmark: PanelBenchmark | EngineBenchmark) -> str:
    if isinstance(benchmark, PanelBenchmark):
        return benchmark.what
    return (
        "{} [about {:g} min; runs only when named]".format(benchmark.what, benchmark.minutes)
        if (benchmark.is_long)
        else "{} [about {:g} min]".format(benchmark.what, benchmark.minutes)
    )


def _run(name: str, benchmark: PanelBenchmark | EngineBenchmark, arguments: argparse.Namespace, report: Report) -> bool:
    """One benchmark; False where it could not be run, which does not keep the others from running."""
    print("\n{}: {}".format(name, benchmark.what), flush=True)
    if arguments.quick:
        print("quick: one measurement; left out: {}".format(getattr(benchmark, "left_out", "") or "repetitions"))
    begun, processors = time.monotonic(), ProcessorClock()
    module, _, function = benchmark.function.rpartition(".")
    measure = getattr(importlib.import_module("benchmarks.figures." + module), function)
    failure = None
    try:
        if isinstance(benchmark, PanelBenchmark):
            _show_figures(name, benchmark, measure(arguments.repeat), report)
        else:
            from benchmarks.inputs.workload import Workload

            measure(Workload(arguments.repeat, arguments.small, report=report, quick=arguments.quick))
    except (ProgramError, SetupError) as error:
        failure = str(error)
    except Exception:  # noqa: BLE001 - one that goes wrong must not keep the others from running
        failure = traceback.format_exc()
    print("({} took {:.0f} s)".format(name, time.monotonic() - begun), flush=True)
    if failure is None and report.figures and not arguments.small:
        _, others = processors.read()
        _keep(name, benchmark, arguments, report, others)
    report.close()
    if failure is not None:
        print("not measured: {}".format(failure), flush=True)
    return failure is None


def _keep(
    name: str,
    benchmark: PanelBenchmark | EngineBenchmark,
    arguments: argparse.Namespace,
    report: Report,
    others: float,
) -> None:
    """Writes the figures: where README and docs quote them, or apart if the run was quick."""
    from benchmarks.measuring.result_files import RESULTS, write_result

    folder = TESTING.parent / "build" / "benchmarks" / "quick" if arguments.quick else RESULTS
    path = write_result(folder, name, benchmark.what, report.figures, arguments.repeat, others)
    print(
        "(written to {}; other programs had {:.0%} of the processors)".format(path.relative_to(TESTING.parent), others)
    )


def _show_figures(name: str, benchmark: PanelBenchmark, measurements: list[dict[str, float]], report: Report) -> None:
    for figure, target in benchmark.targets.items():
        values = [measurement[figure] for measurement in measurements]
        print("  {:14} {}".format(figure, "  ".join("{:8.3f}".format(value) for value in values)))
        report.judged_figure("{} {}".format(name, figure), values, benchmark.unit, target)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is being measured is ended on the way out
    sys.exit(main())
