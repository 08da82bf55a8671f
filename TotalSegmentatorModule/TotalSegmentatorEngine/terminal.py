"""What a running job says on the terminal: its progress and its plan on standard error, its result in words."""

from __future__ import annotations

import sys

from TotalSegmentatorWire.errors import Problem
from TotalSegmentatorWire.messages import ProgressEvent, Stage
from TotalSegmentatorWire.plan import Plan

from .plan_report import plan_line
from .task import SegmentationResult

_STAGE_TITLES = {
    Stage.LOADING_ENGINE: "loading the engine",
    Stage.READING: "reading the CT",
    Stage.CHECKING: "checking the CT",
    Stage.LOADING_MODEL: "loading the model",
    Stage.RESAMPLING: "resampling",
    Stage.PREDICTING: "segmenting",
    Stage.RESTORING: "restoring the grid",
    Stage.WRITING: "writing",
}


class Terminal:
    """Progress is one line that rewrites itself or, where standard error is no terminal, a line for each stage and
    each tenth of the job."""

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty()
        self._last = ("", -1)
        self._width = 0
        self._plan = ""

    def show_progress(self, event: ProgressEvent) -> None:
        text = f"{event.fraction:4.0%} {_STAGE_TITLES[event.stage]}"
        if event.tiles:
            text += f", tile {event.tile} of {event.tiles}"
        if event.seconds_left is not None:
            text += f", about {event.seconds_left:.0f} s left"
        if self._rewrites:
            _write("\r" + text.ljust(self._width))
            self._width = len(text)
        elif (event.stage, int(event.fraction * 10)) != self._last:
            _write(text + "\n")
        self._last = (event.stage, int(event.fraction * 10))

    def show_plan(self, plan: Plan) -> None:
        """One line, which stays; a plan that reads as the last one did is not said again."""
        text = plan_line(plan)
        if text != self._plan:
            self._plan = text
            self._write_line(f"plan: {text}")

    def show_problem(self, problem: Problem, kind: str = "error") -> None:
        self._write_line(f"{kind} {problem.code}: {problem.what} {problem.todo}")

    def close_line(self) -> None:
        """What is written next begins on a line of its own."""
        if self._rewrites and self._width:
            _write("\n")
            self._width = 0

    def _write_line(self, text: str) -> None:
        self.close_line()
        _write(text + "\n")


def result_text(result: SegmentationResult) -> str:
    """One or two lines: what was found, how it was computed, what is absent."""
    asked = len(result.found) + len(result.absent)
    how = ", ".join((result.model, result.device, result.options.runtime, result.options.precision))
    line = f"{len(result.found)} of {asked} structures found in {result.seconds:.0f} s ({how})."
    return f"{line}\nNot found in this CT: {', '.join(result.absent)}" if result.absent else line


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
