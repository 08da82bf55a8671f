"""Runs the command line in a process that has the engine's libraries already: a copy of one that has loaded them once.

Loading PyTorch, nnU-Net and the readers takes seconds of processor time, in each of the processes that a set-up starts
for one command. Of ours nothing is loaded before. Where there is no fork, or for another Python, real
processes are started; the tests of installed engines (setup/install) always start real ones.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import IO, NoReturn

_LIBRARIES = ["torch", "nnunetv2", "dynamic_network_architectures", "SimpleITK", "nibabel", "scipy.ndimage", "pydicom"]
_OURS = "TotalSegmentator"
_POLL_SECONDS = 0.01


def run_warm(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """``command`` is a Python and a program of ours with its arguments; what subprocess.run returns of it."""
    if command[0] != sys.executable or not hasattr(os, "fork"):
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    with tempfile.TemporaryDirectory() as folder:
        output, log = Path(folder, "output"), Path(folder, "log")
        process = context.Process(target=_begin, args=(command, environment, output, log))
        process.start()
        process.join()
        texts = [path.read_text(encoding="utf-8") for path in (output, log)]
        status = process.exitcode
    process.close()
    return subprocess.CompletedProcess(command, status, *texts)


def _begin(command: list[str], environment: dict[str, str], output: Path, log: Path) -> NoReturn:
    with output.open("wb") as output_stream, log.open("wb") as log_stream:
        _become(command, environment, output_stream, log_stream)


class _Subprocess:
    """Of the module subprocess what EngineProgram uses of it."""

    DEVNULL = subprocess.DEVNULL
    TimeoutExpired = subprocess.TimeoutExpired

    class Popen:
        def __init__(self, command: list[str], env, stdin, stdout, stderr, start_new_session) -> None:
            assert command[0] == sys.executable
            self.returncode: int | None = None
            self.pid = os.fork()
            if self.pid == 0:
                os.setsid()
                _become(command, env, stdout, stderr)

        def wait(self, timeout: float | None = None) -> int:
            until = None if timeout is None else time.monotonic() + timeout
            while self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
                elif until is not None and time.monotonic() > until:
                    raise subprocess.TimeoutExpired([], timeout)
                else:
                    time.sleep(_POLL_SECONDS)
            return self.returncode


def _become(command: list[str], environment: dict[str, str], output: IO[bytes], log: IO[bytes]) -> NoReturn:
    """Go on as ``command`` would, and end."""
    status = 1
    try:
        for stream, ours in ((output, sys.stdout), (log, sys.stderr)):
            os.dup2(stream.fileno(), ours.fileno())
            ours.reconfigure(encoding="utf-8")
        os.environ.clear()
        os.environ.update({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"} | environment)  # no new start with huge pages
        tempfile.tempdir = None
        for name in [name for name in sys.modules if name.startswith(_OURS)]:
            del sys.modules[name]
        sys.path.insert(0, str(Path(command[1]).parents[1]))
        from TotalSegmentatorSetup.packages import engine_program

        engine_program.subprocess = _Subprocess
        sys.argv = command[1:]
        runpy.run_path(command[1], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what Python does at the end of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
