"""What the engine does before its first tile, and how long each part takes: a line of JSON a part, as it ends."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

PARTS_VARIABLE = "BENCHMARK_PARTS"
"""Names the file."""

IMPORTS, WEIGHTS, CONVERTING = "imports", "weights read", "converted for OpenVINO"
COMPILING, STORED, TRIAL = "compiled", "stored network read", "trials"
READING, RESAMPLING = "CT read", "CT resampled"
PARTS = (IMPORTS, READING, WEIGHTS, STORED, RESAMPLING, TRIAL, CONVERTING, COMPILING)


def timed(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """``work``, whose wall time and processor time (of its thread) are noted."""

    def measured(*arguments: Any, **options: Any) -> Any:
        begun, processor = time.perf_counter(), time.thread_time()
        try:
            return work(*arguments, **options)
        finally:
            note(part, time.perf_counter() - begun, time.thread_time() - processor)

    return measured


def note(part: str, seconds: float, processor_seconds: float) -> None:
    line = json.dumps({"part": part, "seconds": seconds, "processor": processor_seconds})
    with Path(os.environ[PARTS_VARIABLE]).open("a", encoding="ascii") as stream:
        stream.write(line + "\n")


def seconds_by_part(file: Path) -> dict[str, float]:
    """Wall seconds of each part until now; the file is removed."""
    seconds = dict.fromkeys(PARTS, 0.0)
    for line in file.read_text(encoding="ascii").splitlines() if file.exists() else []:
        noted = json.loads(line)
        seconds[noted["part"]] += noted["seconds"]
    file.unlink(missing_ok=True)
    return seconds


def time_function(part: str, name: str) -> Callable[[ModuleType], None]:
    """A change of a module after its import: its function ``name`` is timed."""

    def change(module: ModuleType) -> None:
        setattr(module, name, timed(part, getattr(module, name)))

    return change


def time_stored(runners: ModuleType) -> None:
    kind = runners.ReadyNetworks
    kind.runner = timed(STORED, kind.runner)


def time_compiling(runners: ModuleType) -> None:
    kind = runners.OpenVinoRunner
    kind._compiled = timed(COMPILING, kind._compiled)


PART_CHANGES = (
    ("pipeline.run_job", time_function(IMPORTS, "load_engine")),
    ("ct_input.reading", time_function(READING, "read_transferred")),
    ("inference.network", time_function(WEIGHTS, "load_model")),
    ("inference.stored_runners", time_stored),
    ("pipeline.preprocessed_ct", time_function(RESAMPLING, "oriented_image")),
    ("inference.pace_trial", time_function(TRIAL, "pace_trial")),
    ("inference.runtime_trial", time_function(TRIAL, "try_runner")),
    ("inference.openvino_graph", time_function(CONVERTING, "openvino_model")),
    ("inference.openvino_runner", time_compiling),
)
