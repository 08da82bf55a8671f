"""Turns any error into a problem: the last boundary of a command and of a worker's job."""

from __future__ import annotations

import logging
from pathlib import Path

from TotalSegmentatorWire.disk_space import disk_full, is_disk_full
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.machine.memory import memory_short

_log = logging.getLogger(__name__)


def problem_of(error: BaseException, folder: Path | None = None) -> Problem:
    """Everything ends in a code and two sentences; what was not foreseen is logged with its traceback.

    ``folder``: where a job writes and its disk may be full.
    """
    if isinstance(error, SegmentationError):
        return error.problem
    if isinstance(error, KeyboardInterrupt):
        return Problem("CANCELLED")
    if isinstance(error, ModuleNotFoundError):
        _log.error("a package is missing", exc_info=error)
        return Problem("ENGINE_MISSING", {"package": error.name or "?"})
    _log.error("unexpected error", exc_info=error)
    if folder is not None and is_disk_full(error):
        return disk_full(folder).problem
    if isinstance(error, MemoryError):
        return memory_short().problem
    return Problem("INTERNAL_ERROR", {"kind": type(error).__name__})
