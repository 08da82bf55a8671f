"""The installed engine as a program: commands that need torch run in a process of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.log_text import without_names
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import problem_from_json
from TotalSegmentatorWire.resources import ENGINE_PROGRAM

from TotalSegmentatorSetup.packages.python_choice import environment_for

PACKAGES_VARIABLE = "TOTALSEGMENTATOR_ENGINE_PACKAGES"
"""Names the folder with the engine's packages; the engine puts it first on its ``sys.path``."""
_POLL_SECONDS = 0.1
_KILLED = (-9, 137)
"""Exit statuses of a process that the system killed, most often for its memory."""


@dataclass(frozen=True)
class EngineProgram:
    """``python`` runs the engine with the packages of ``packages_folder``; None where they are Python's own."""

    python: str
    packages_folder: Path | None = None

    def ask(self, arguments: Sequence[str], check_cancelled: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Runs one command that prints one JSON object as its last line, and returns that.

        A command that fails prints ``{"problem": {...}}``. Raises SegmentationError with the problem's code;
        "ENGINE_TEST_FAILED" where the process died; and what ``check_cancelled`` raises, after ending the process.
        """
        environment = environment_for(self.python == sys.executable)
        environment.pop(PACKAGES_VARIABLE, None)
        if self.packages_folder is not None:
            environment[PACKAGES_VARIABLE] = str(self.packages_folder)
        group = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
            try:
                process = subprocess.Popen(
                    [self.python, str(ENGINE_PROGRAM), *arguments],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=log,
                    **group,
                )
            except OSError as error:
                raise SegmentationError("ENGINE_START_FAILED") from error
            wait_for(process, check_cancelled)
            output.seek(0)
            log.seek(0)
            return _answer(output.read(), log.read(), process.returncode)


def wait_for(process: subprocess.Popen, check_cancelled: Callable[[], None]) -> None:
    """Until ``process``, which has a session of its own, has ended; it is ended with all that it started where
    ``check_cancelled``, called now and then, raises."""
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
                return
            check_cancelled()
    except BaseException:
        kill_tree(process)
        raise


def kill_tree(process: subprocess.Popen) -> None:
    """Ends a process that was started in its own session, with all that it started, and waits for it."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/PID", str(process.pid), "/T", "/F"], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answer(output: bytes, log: bytes, status: int) -> dict[str, Any]:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        tail = log.decode("utf-8", "replace").strip().splitlines()
        reason = tail[-1][:200] if tail else f"it ended with exit status {status}"
        if status in _KILLED:
            raise SegmentationError("ENGINE_KILLED") from error
        raise SegmentationError("ENGINE_TEST_FAILED", detail=without_names(reason)) from error
    if "problem" in answer:
        problem = problem_from_json(answer["problem"])
        raise SegmentationError(problem.code, **problem.values)
    return answer
