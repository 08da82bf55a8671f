"""The program goes on where a CT ends its process, and ends with all its processes when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from batch_bench import BatchBench
from places import TESTING
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder

PROGRAM = TESTING / "tests" / "support" / "batch" / "crashing_program.py"
CRASHING_SLICES, WAITING_SLICES = 5, 6
LIMIT_SECONDS = 120.0


@pytest.fixture
def started(bench: BatchBench):
    """Starts the program over the bench's inputs; whatever is left of it ends with the test."""
    processes = []

    def start(*options: str) -> subprocess.Popen:
        words = [PROGRAM, "batch", bench.inputs, "--output", bench.output, "--model", bench.model, "--accept-size"]
        words += options
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        processes.append(subprocess.Popen([sys.executable, *map(str, words)], **pipes))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition) -> None:
    until = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def test_cts_that_crash_the_process_do_not_stop_the_run(bench: BatchBench, started) -> None:
    """More of them than restarts in succession are allowed, with CTs between them that already have a record."""
    bench.image("a.nii.gz", seed=1, slices=CRASHING_SLICES)
    bench.image("b.nii.gz", seed=2)
    bench.image("c.nii.gz", seed=3, slices=CRASHING_SLICES)
    assert bench().segmented == 3
    process = started("--force")
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 1 and err.count("ended by the signal SIGSEGV") == 2, err
    outcomes = list(BatchFolder(bench.output).outcomes())
    assert sorted(each.state for each in outcomes) == ["done", "failed", "failed"]
    assert {each.error.code for each in outcomes if not each.is_done} == {"BATCH_PROCESS_DIED"}
    assert "2 failed" in out


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["told to end", "interrupted alone", "killed"]
)
def test_the_process_below_ends_with_the_program(bench: BatchBench, started, number: int) -> None:
    bench.image("a.nii.gz", seed=1, slices=WAITING_SLICES)
    process = started()
    wait_for(lambda: list(bench.output.glob("*/claim.json")))
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 1
    process.send_signal(number)
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    process.wait(LIMIT_SECONDS)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert not list(bench.output.glob("*/claim.json")) and not list(bench.output.glob("*/.*"))  # it ended cleanly
