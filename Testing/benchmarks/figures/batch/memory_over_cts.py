"""Memory of the command ``batch`` from the tenth CT to the fortieth."""

from __future__ import annotations

from benchmarks.engine.batch_run import MemoryByCase, batch, new_output
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import GB

EARLY, ALL = 10, 40
GROWTH = 1.03


def measure(workload: Workload) -> None:
    """The peak until the fortieth record, against the one until the tenth."""
    output = new_output(workload, "long-cohort")
    memory = MemoryByCase(output)
    with memory.watching():
        batch(workload, workload.cohort(ALL), output)
    rows = [
        [str(number), resident / GB, peak / GB]
        for number, (resident, peak) in enumerate(zip(memory.resident, memory.peaks, strict=True), start=1)
    ]
    workload.report.table(["CTs done", "GB in memory", "peak so far"], rows)
    workload.report.ratio("batch memory, 40 CTs against 10", memory.peaks[-1] / memory.peaks[EARLY - 1], GROWTH)
