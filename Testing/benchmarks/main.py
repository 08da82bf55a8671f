"""Runs the benchmarks: ``python3 Testing/run.py benchmark [NAME...] [--list] [--repeat N]``.

Each prints a table of its measurements and closes with lines ``figure NAME = MEDIAN UNIT (target TARGET)``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING.parent / "TotalSegmentatorModule"), str(TESTING / "benchmarks")]

import import_of_labels  # noqa: E402 - found through the line above
import panel_jobs  # noqa: E402


@dataclass(frozen=True)
class Benchmark:
    """``measure`` returns one value per figure name; it is repeated, and the median is the figure."""

    what: str
    unit: str
    targets: dict[str, float]
    measure: Callable[[int], list[dict[str, float]]]


BENCHMARKS = {
    "import": Benchmark(
        "104 labels at 512 x 512 x 400 become segments, are replaced and removed (main thread)",
        "s",
        {"import": 0.5, "replace": 0.5, "remove": 0.5, "close scene": 0.5},
        import_of_labels.measure,
    ),
    "second-apply": Benchmark(
        "click to first tile on a CT of 512 x 512 x 400 that the worker has already",
        "s",
        {"first tile": 1.0},
        panel_jobs.measure_second_apply,
    ),
    "cancel": Benchmark(
        "click on Cancel while tiles run, until the panel is ready again",
        "s",
        {"ready again": 2.0},
        panel_jobs.measure_cancel,
    ),
    "responsiveness": Benchmark(
        "longest time that the panel keeps Slicer's event loop waiting in a whole job on 512 x 512 x 400",
        "ms",
        {"longest block": 50.0},
        panel_jobs.measure_responsiveness,
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py benchmark")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run; all without one")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    parser.add_argument("--repeat", type=int, default=5, help="measurements per figure")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error("unknown: {}; there are {}".format(", ".join(sorted(unknown)), ", ".join(BENCHMARKS)))
    for name, benchmark in BENCHMARKS.items():
        if arguments.list:
            print("{:16} {}".format(name, benchmark.what))
        elif not arguments.names or name in arguments.names:
            _run(name, benchmark, arguments.repeat)
    return 0


def _run(name: str, benchmark: Benchmark, repeat: int) -> None:
    print("\n{}: {}".format(name, benchmark.what), flush=True)
    measurements = benchmark.measure(repeat)
    for figure, target in benchmark.targets.items():
        values = [measurement[figure] for measurement in measurements]
        print("  {:14} {}".format(figure, "  ".join("{:8.3f}".format(value) for value in values)))
        median = statistics.median(values)
        print("figure {} {} = {:.3f} {} (target {:g})".format(name, figure, median, benchmark.unit, target), flush=True)


if __name__ == "__main__":
    sys.exit(main())
