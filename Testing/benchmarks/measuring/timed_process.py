"""Runs a program and measures it: wall time, peak memory of its process tree, and when it wrote each line."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring.process_tree_memory import TreeMemory
from benchmarks.measuring.spent_time import Spent, Stopwatch

_TAIL_LINES = 30


class ProgramError(RuntimeError):
    """A measured program did not end well; the message has the end of its output."""


@dataclass
class ProcessRun:
    """What one run took. ``lines`` are (seconds since the start, text) of standard output and error together."""

    seconds: float = 0.0
    user_seconds: float = 0.0
    """Of all processors, in user mode, by it and what it started."""
    status: int = 0
    peak_bytes: int = 0
    peak_of_one: int = 0
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def spent(self) -> Spent:
        return Spent(self.seconds, self.user_seconds)

    def tail(self) -> str:
        return "\n".join(text for _, text in self.lines[-_TAIL_LINES:])


def run_timed(
    command: Sequence[str | Path],
    environment: dict[str, str] | None = None,
    may_fail: bool = False,
    prepare: Callable[[], None] | None = None,
) -> ProcessRun:
    """Runs ``command`` with ``environment`` added to this process's own. Raises ProgramError if it fails.

    ``prepare`` runs in the child before the program (POSIX): for limits.
    """
    run = ProcessRun()
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **(environment or {})}
    watch, begun = Stopwatch(), time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=variables,
        preexec_fn=prepare,
        start_new_session=True,  # POSIX: it and all that it starts can be ended together
    )
    memory = TreeMemory(process.pid).start()
    reader = threading.Thread(target=_read_lines, args=(process, begun, run), daemon=True)
    reader.start()
    try:
        run.status = process.wait()
        spent = watch.read()
        run.seconds, run.user_seconds = spent.elapsed, spent.user
    finally:
        _end(process)
        memory.stop()
        reader.join(timeout=10)
    run.peak_bytes, run.peak_of_one = memory.peak_bytes, memory.peak_of_one
    if run.status != 0 and not may_fail:
        raise ProgramError("{} ended with {}:\n{}".format(Path(str(command[0])).name, run.status, run.tail()))
    return run


def _read_lines(process: subprocess.Popen[str], begun: float, run: ProcessRun) -> None:
    for line in process.stdout:
        run.lines.append((time.perf_counter() - begun, line.rstrip()))


def _end(process: subprocess.Popen[str]) -> None:
    """Kills the program, if it still runs, with all processes that it has started."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
