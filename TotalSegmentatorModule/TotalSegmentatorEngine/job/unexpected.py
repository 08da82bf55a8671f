"""What becomes of an error at the last boundary of a command."""

from __future__ import annotations

import logging

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.machine.memory import memory_short

_log = logging.getLogger(__name__)


def problem_of(error: BaseException) -> Problem:
    """Everything ends in a code and two sentences; what was not foreseen is logged with its traceback."""
    if isinstance(error, SegmentationError):
        return error.problem
    if isinstance(error, KeyboardInterrupt):
        return Problem("CANCELLED")
    if isinstance(error, ModuleNotFoundError):
        _log.error("a package is missing", exc_info=error)
        return Problem("ENGINE_MISSING", {"package": error.name or "?"})
    _log.error("unexpected error", exc_info=error)
    if isinstance(error, MemoryError):
        return memory_short().problem
    return Problem("INTERNAL_ERROR", {"kind": type(error).__name__})
