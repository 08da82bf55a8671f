"""Why a worker ended: from its exit status and the end of its log to a problem with a code."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from TotalSegmentatorWire.disk_space import disk_full, is_disk_full
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import FailedEvent, WarningEvent, problem_from_json

_MISSING_PACKAGE = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z0-9_]+)")
_SIGKILL = int(getattr(signal, "SIGKILL", 9))
_KILLED = (-_SIGKILL, 128 + _SIGKILL, _SIGKILL)
"""As Popen reports it, as a shell passes it on, and as Qt's QProcess does (``exitCode`` is the signal's number)."""
_LAUNCHER_SAW_SIGNAL = "exit abnormally"
"""What Slicer's launcher writes when a signal ended the real interpreter; its own exit status is 1 then
(AppLauncher, ctkAppLauncherPrivate::applicationFinished)."""
_UNCAUGHT_IN_CPP = re.compile(r"terminat\w+ .*std::bad_alloc")
"""What the C++ library writes when no memory could be had in a thread of a library; the abort that follows is a crash,
too."""
_CRASH = ("Fatal Python error", "Windows fatal exception")
"""What the worker's faulthandler writes for a crash of its own; it cannot write anything when it is killed."""


def problem_of_exit(status: int, has_greeted: bool, log: str) -> Problem:
    """The problem for a worker that ended without saying why.

    ``status`` is Popen's: the negative signal where a signal ended it. ``log`` is the end of its log.
    """
    missing = _MISSING_PACKAGE.search(log)
    if missing and not has_greeted:
        return Problem("ENGINE_MISSING", {"package": missing.group(1)})
    end = log[-2000:]
    is_killed = _LAUNCHER_SAW_SIGNAL in end and not any(crash in log for crash in _CRASH)
    if status in _KILLED or is_killed or "MemoryError" in end or _UNCAUGHT_IN_CPP.search(log):
        return Problem("ENGINE_KILLED")
    if not has_greeted:
        return Problem("ENGINE_START_FAILED")
    return Problem("ENGINE_DIED", {"status": status})


def problem_of_os_error(error: OSError, work_folder: Path) -> Problem:
    """The problem for a job that could not be handed over: no room, no permission, no interpreter."""
    if is_disk_full(error):
        return disk_full(work_folder).problem
    return Problem("ENGINE_START_FAILED")


def problem_of_event(event: FailedEvent | WarningEvent) -> Problem:
    """The problem that an event tells; one that this version does not know is an error of the exchange itself."""
    try:
        return problem_from_json(event.problem)
    except SegmentationError as error:
        return error.problem
