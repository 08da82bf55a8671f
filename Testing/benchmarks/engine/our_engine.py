"""The engine as its users run it: by its command line, and as the resident worker that the panel talks to."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from job_support import Application, FakeCt, model_settings
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import ResultHeader

from benchmarks.inputs.workload import REPOSITORY, Workload
from benchmarks.measuring.clocked_networks import ClockedRun, clocked_run
from benchmarks.measuring.image_files import read_nifti
from benchmarks.measuring.network_clock import FILE_VARIABLE, LIMIT_VARIABLE
from benchmarks.measuring.spent_time import Spent, Stopwatch
from benchmarks.measuring.timed_process import ProcessRun, ProgramError, run_timed

MODULE = REPOSITORY / "TotalSegmentatorModule"
MEASURED_PROGRAM = Path(__file__).resolve().with_name("measured_engine.py")
CACHE_VARIABLE = "TOTALSEGMENTATOR_CACHE"
_POLL_SECONDS = 0.02
_JOB_LIMIT_SECONDS = 3600.0


@dataclass(frozen=True)
class EngineRun:
    """One run of the command line. ``events`` are (seconds since the start, event)."""

    process: ProcessRun
    output: Path
    events: list[tuple[float, dict[str, Any]]]
    clock: ClockedRun | None = None

    @property
    def seconds(self) -> float:
        return self.process.seconds

    @property
    def spent(self) -> Spent:
        return self.process.spent

    def stages(self) -> dict[str, float]:
        """Seconds from the first sign of each stage to the next one's, in their order; "start" comes before them."""
        seconds: dict[str, float] = {}
        stage, since = "start", 0.0
        for at, event in self.events:
            if event["kind"] == "progress" and event["stage"] != stage:
                seconds[stage] = seconds.get(stage, 0.0) + at - since
                stage, since = event["stage"], at
        seconds[stage] = seconds.get(stage, 0.0) + self.seconds - since
        return seconds

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [event for _, event in self.events if event["kind"] == kind]

    @property
    def runtime(self) -> str:
        """Runtime and precision of the last plan that the run reported."""
        plans = self.of_kind("plan")
        return "{runtime} {precision}".format(**plans[-1]["plan"]) if plans else "?"


def segment(
    workload: Workload,
    model: str | None,
    ct: Path,
    output: str,
    options: Sequence[str] = (),
    device: str = "cpu",
    clocked: bool = False,
    tiles_per_network: int = 0,
    may_fail: bool = False,
    prepare: Callable[[], None] | None = None,
    changes: dict[str, str] | None = None,
    models_folder: Path | None = None,
) -> EngineRun:
    """``python -m TotalSegmentatorEngine segment`` in a new process; ``options`` are more of its arguments, which
    choose structures where there is no ``model``.

    ``clocked`` measures its networks from inside; with ``tiles_per_network`` only so many tiles are computed.
    ``changes`` are variables by which measured_engine.py changes more of the engine. ``models_folder``: another than
    that of the 117 structures. Raises ProgramError.
    """
    result, events_file = workload.result(output), workload.result("events.jsonl")
    clock_file = workload.result("clock.jsonl")
    program = [MEASURED_PROGRAM] if clocked or changes else ["-m", "TotalSegmentatorEngine"]
    arguments = ["segment", ct, result, "--models-folder", models_folder or workload.models_folder]
    arguments += [] if model is None else ["--model", model]
    arguments += ["--device", device, "--events", events_file, *options]
    environment = {"PYTHONPATH": str(MODULE), CACHE_VARIABLE: str(workload.cache_folder), **(changes or {})}
    if clocked:
        environment |= {FILE_VARIABLE: str(clock_file), LIMIT_VARIABLE: str(tiles_per_network)}
    with _EventClock(events_file) as clock:
        process = run_timed([sys.executable, *program, *arguments], environment, may_fail, prepare)
    return EngineRun(process, result, clock.events, clocked_run(process.seconds, clock_file) if clocked else None)


class _EventClock:
    """Notes when each line of an events file appears."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._read = 0
        self.events: list[tuple[float, dict[str, Any]]] = []

    def __enter__(self) -> _EventClock:
        self._begun = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _follow(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._read)
            text = stream.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        at = time.perf_counter() - self._begun
        self.events += [(at, json.loads(line)) for line in whole.splitlines()]


# -- the resident worker -----------------------------------------------------------------------------------------------


class SceneCt(FakeCt):
    """A CT file as Slicer holds it: raw voxels in memory."""

    def __init__(self, path: Path) -> None:
        array, ijk_to_ras = read_nifti(path)
        super().__init__(np.ascontiguousarray(array))
        self.ijk_to_ras = ijk_to_ras


@dataclass(frozen=True)
class WorkerJob:
    """One job of the resident worker, from the click to the labels in memory."""

    seconds: float
    header: ResultHeader
    labels: np.ndarray
    """uint8 (k, j, i)."""
    user_seconds: float
    """Of all processors, by the worker alone."""
    clock: ClockedRun | None = None

    @property
    def spent(self) -> Spent:
        return Spent(self.seconds, self.user_seconds)


@dataclass
class ResidentWorker:
    """Jobs as the panel runs them, and their worker process."""

    application: Application
    workload: Workload
    clock_file: Path | None
    models_folder: Path
    """Its results are reviewed, as all of the panel's are, and the review of noise takes minutes."""

    def job(self, model: str, ct: FakeCt, options: JobOptions | None = None, device: str = "cpu") -> WorkerJob:
        """Raises ProgramError where it has no result."""
        settings = model_settings(model, self.models_folder, None, device, options or JobOptions())
        listener = self.application.listener
        results = len(listener.results)
        watch = Stopwatch()
        self.application.apply_with(ct, settings)
        self.application.run_until_idle(_JOB_LIMIT_SECONDS)
        spent = watch.read()
        seconds = spent.elapsed
        clock = clocked_run(seconds, self.clock_file) if self.clock_file else None
        if len(listener.results) == results:
            log = self.application.manager.log_text
            raise ProgramError("the worker's job failed: {}\n{}".format(listener.failures[-1:], log))
        header, labels = listener.results.pop()
        return WorkerJob(seconds, header, labels, spent.user, clock)

    def preview(self, model: str, ct: FakeCt, options: JobOptions) -> WorkerJob:
        """Until the labels of the preview are in memory; the rest of the job is cancelled. Raises ProgramError where
        there is none."""
        settings = model_settings(model, self.models_folder, None, "cpu", options)
        shown: list[WorkerJob] = []
        watch = Stopwatch()

        def on_preview(header: ResultHeader, layers: list[np.ndarray]) -> None:
            spent = watch.read()
            shown.append(WorkerJob(spent.elapsed, header, layers[0], spent.user))

        self.application.apply_with(ct, settings, on_preview)
        self.application.run_until(lambda: bool(shown) or not self.application.is_busy, _JOB_LIMIT_SECONDS)
        self.application.cancel()
        self.application.run_until_idle(_JOB_LIMIT_SECONDS)
        if not shown:
            raise ProgramError("there was no preview: {}".format(self.application.listener.failures[-1:]))
        return shown[0]


@contextmanager
def resident_worker(
    workload: Workload,
    clocked: bool = False,
    changes: dict[str, str] | None = None,
    models_folder: Path | None = None,
) -> Iterator[ResidentWorker]:
    """A worker as the panel starts it; it ends with the block. ``clocked`` and ``changes`` as for ``segment``;
    ``models_folder``: another than the workload's with a model of 3 mm that finds tissue."""
    clock_file = workload.result("worker-clock.jsonl") if clocked else None
    environment = {**os.environ, CACHE_VARIABLE: str(workload.cache_folder), **(changes or {})}
    if clock_file is not None:
        environment[FILE_VARIABLE] = str(clock_file)
    engine = EngineEnvironment(sys.executable, environment)
    if clocked or changes:
        engine = EngineEnvironment(sys.executable, environment, program=MEASURED_PROGRAM)
    running = {child.pid for child in psutil.Process().children()}
    application = Application(workload.folder / "worker", engine)
    try:
        yield ResidentWorker(application, workload, clock_file, models_folder or workload.tissue_models_folder)
    finally:
        application.shutdown()
        # the time of a child that nobody has waited for would count as other programs'
        psutil.wait_procs([child for child in psutil.Process().children() if child.pid not in running], timeout=10)
