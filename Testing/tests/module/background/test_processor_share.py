"""What Slicer starts leaves the processor to Slicer, even where Slicer itself has the lowest nice value."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.process_group import kill_group, start_in_group
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess
from TotalSegmentatorWire import processor_share
from TotalSegmentatorWire.processor_share import GROUP_NICENESS

SOURCES = Path(processor_share.__file__).parents[1]
HAS_IDLE_CLASS = hasattr(os, "SCHED_IDLE")
AUTOGROUP = Path("/proc/self/autogroup")

linux_only = pytest.mark.skipif(not HAS_IDLE_CLASS, reason="only Linux has the scheduling class idle")


def _classes_of_threads(pid: int) -> set[int]:
    return {os.sched_getscheduler(int(path.name)) for path in Path(f"/proc/{pid}/task").iterdir()}


def _group_niceness(pid: int) -> int:
    return int(Path(f"/proc/{pid}/autogroup").read_text(encoding="ascii").split()[-1])


def _has_groups() -> bool:
    return AUTOGROUP.exists() and bool(AUTOGROUP.read_text(encoding="ascii").strip())


@contextmanager
def _python(script: str, environment: dict[str, str] | None = None, **options: object) -> Iterator[subprocess.Popen]:
    """A Python that runs ``script`` with our packages, in a session of its own, not started by Slicer's side."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCES), **(environment or {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@linux_only
def test_the_worker_ranks_below_a_slicer_of_the_lowest_nice_value(tmp_path):
    worker = WorkerProcess(EngineEnvironment(sys.executable, dict(os.environ)), tmp_path)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while worker.hello is None and time.monotonic() < deadline:
            worker.poll()
            time.sleep(0.02)
        assert worker.hello is not None, worker.log_tail
        assert _classes_of_threads(worker.hello.pid) == {os.SCHED_IDLE}
        assert os.getpriority(os.PRIO_PROCESS, worker.hello.pid) == 19
        if _has_groups():
            assert _group_niceness(worker.hello.pid) == GROUP_NICENESS
    finally:
        worker.kill()
    assert os.SCHED_IDLE not in _classes_of_threads(os.getpid())
    assert not _has_groups() or _group_niceness(os.getpid()) < GROUP_NICENESS


@linux_only
def test_what_the_worker_starts_ranks_as_low(tmp_path):
    script = (
        "import subprocess, sys, time; from TotalSegmentatorWire.processor_share import give_way; give_way()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    process = start_in_group([sys.executable, "-c", script], env=environment, text=True, stdout=subprocess.PIPE)
    try:
        child = int(process.stdout.readline())
        assert _classes_of_threads(child) == {os.SCHED_IDLE}
    finally:
        kill_group(process)
        process.communicate()


@linux_only
def test_a_command_line_of_the_users_own_keeps_its_priority():
    script = (
        "import time; from TotalSegmentatorWire.processor_share import give_way\n"
        "give_way(); print('up', flush=True); time.sleep(60)"
    )
    with _python(script) as process:
        assert process.stdout.readline() == "up\n"
        assert _classes_of_threads(process.pid) == {os.sched_getscheduler(0)}
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0)


@linux_only
def test_what_the_system_refuses_is_logged_and_changes_nothing_else():
    script = (
        "import os\n"
        "def refuse(*_): raise PermissionError(1, 'Operation not permitted')\n"
        "os.sched_setscheduler = refuse\n"
        "from TotalSegmentatorWire import processor_share\n"
        "os.environ.update(processor_share.beside_slicer({}))\n"
        "processor_share.give_way(); print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    with _python(script) as process:
        output, messages = process.communicate(timeout=READY_SECONDS)
    assert output == "19\n"
    assert "scheduling class: Operation not permitted" in messages
    assert messages.count("\n") == 1


@pytest.mark.skipif(not _has_groups(), reason="this kernel makes no groups of sessions")
def test_a_program_of_others_in_a_session_of_its_own_ranks_low_as_well():
    script = (
        "import subprocess, sys\n"
        "from TotalSegmentatorWire.processor_share import let_give_way\n"
        "def group():\n"
        "    command = [sys.executable, '-c', 'input()']\n"
        "    other = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)\n"
        "    let_give_way(other.pid)\n"
        "    line = open(f'/proc/{other.pid}/autogroup').read()\n"
        "    other.communicate(b'\\n')\n"
        "    return line.split()[-1]\n"
        "print([group() for _ in range(3)])"  # the kernel takes one change each tenth of a second
    )
    with _python(script, processor_share.beside_slicer({})) as process:
        output, messages = process.communicate(timeout=READY_SECONDS)
    assert (output.strip(), messages) == (str([str(GROUP_NICENESS)] * 3), "")
