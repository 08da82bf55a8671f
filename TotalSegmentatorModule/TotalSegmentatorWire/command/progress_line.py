"""How a command tells its progress on a terminal: one line on standard error that rewrites itself."""

from __future__ import annotations

import sys
from collections.abc import Hashable

from TotalSegmentatorWire.errors.problem import Problem


class ProgressLine:
    """Where standard error is no terminal, a line is written for each step and each tenth of the whole."""

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty()
        self._last: Hashable = None
        self._width = 0

    def show(self, text: str, step: Hashable, fraction: float) -> None:
        """``text`` says it all; ``step`` and ``fraction`` (0..1 of the whole) tell whether it says anything new."""
        if self._rewrites:
            _write("\r" + text.ljust(self._width))
            self._width = len(text)
        elif (step, int(fraction * 10)) != self._last:
            _write(text + "\n")
        self._last = (step, int(fraction * 10))

    def show_problem(self, problem: Problem, kind: str = "error") -> None:
        self.write_line(f"{kind} {problem.code}: {problem.what} {problem.todo}")

    def write_line(self, text: str) -> None:
        self.close()
        _write(text + "\n")

    def close(self) -> None:
        """What is written next begins on a line of its own."""
        if self._rewrites and self._width:
            _write("\n")
            self._width = 0


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
