"""The command ``batch`` as its users run it: over some CTs, into a folder, by one process or several at once."""

from __future__ import annotations

import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.engine.our_engine import CACHE_VARIABLE, MODULE
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.timed_process import ProcessRun, ProgramError, run_timed

MODEL = "117-3mm"
_SUMMARY = re.compile(r"(\d+) CTs? segmented, (\d+) done before, (\d+) failed")
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class BatchRun:
    """One process of a run."""

    process: ProcessRun
    segmented: int
    before: int
    failed: int

    @property
    def seconds(self) -> float:
        return self.process.seconds


def new_output(workload: Workload, name: str) -> Path:
    """A folder for results that is not there yet."""
    folder = workload.folder / "results" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    return folder


def batch(workload: Workload, cts: Sequence[Path], output: Path, options: Sequence[str] = ()) -> BatchRun:
    """``python -m TotalSegmentatorEngine batch`` in a new process. Raises ProgramError."""
    arguments = ["batch", *cts, "--output", output, "--model", MODEL, "--device", "cpu", *options]
    arguments += ["--models-folder", workload.tissue_models_folder]
    environment = {"PYTHONPATH": str(MODULE), CACHE_VARIABLE: str(workload.cache_folder)}
    process = run_timed([sys.executable, "-m", "TotalSegmentatorEngine", *arguments], environment)
    found = _SUMMARY.search("\n".join(text for _, text in process.lines))
    if found is None:
        raise ProgramError("batch says nothing of what it did:\n{}".format(process.tail()))
    return BatchRun(process, *map(int, found.groups()))


def batches_at_once(
    workload: Workload, cts: Sequence[Path], output: Path, options: Sequence[Sequence[str]]
) -> list[BatchRun]:
    """A process for each of ``options``, all started together."""
    with ThreadPoolExecutor(len(options)) as pool:
        return list(pool.map(lambda each: batch(workload, cts, output, each), options))


def done_folders(output: Path) -> list[Path]:
    return sorted(path.parent for path in output.glob("*/done.json"))


@dataclass
class MemoryByCase:
    """Bytes that the engine's process had in memory when each record of ``output`` had appeared, and its peak then."""

    output: Path
    resident: list[int] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block lasts; one process runs ``batch`` in it."""
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _watch(self, ended: threading.Event) -> None:
        peak = 0
        while not ended.wait(_POLL_SECONDS):
            resident = _resident_of_engine()
            peak = max(peak, resident)
            for _ in range(len(done_folders(self.output)) - len(self.resident) if resident else 0):
                self.resident.append(resident)
                self.peaks.append(peak)


def _resident_of_engine() -> int:
    """Of the processes that this one has started, those of ``batch``; 0 where there is none."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        try:
            if "batch" in child.cmdline():
                total += child.memory_info().rss
        except psutil.Error:
            continue  # it has ended meanwhile
    return total
