"""What a running job says on the terminal: its progress and its plan on standard error, its result in words."""

from __future__ import annotations

from typing import Any

from TotalSegmentatorWire.command.progress_line import ProgressLine
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan, plan_from_json
from TotalSegmentatorWire.messages.segment import PlanEvent, ProgressEvent, Stage, WarningEvent, problem_from_json

from TotalSegmentatorEngine.cli.plan_report import plan_line
from TotalSegmentatorEngine.job.task import SegmentationResult

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
    """Fulfils command_run.RunTerminal."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._plan = ""

    def show(self, event: Any) -> None:
        if isinstance(event, ProgressEvent):
            self._show_progress(event)
        elif isinstance(event, PlanEvent):
            self._show_plan(plan_from_json(event.plan))
        elif isinstance(event, WarningEvent):
            self.show_problem(problem_from_json(event.problem), "warning")

    def show_problem(self, problem: Problem, kind: str = "error") -> None:
        self._line.show_problem(problem, kind)

    def close_line(self) -> None:
        self._line.close()

    def _show_progress(self, event: ProgressEvent) -> None:
        text = f"{event.fraction:4.0%} {_STAGE_TITLES[event.stage]}"
        if event.tiles:
            text += f", tile {event.tile} of {event.tiles}"
        if event.seconds_left is not None:
            text += f", about {event.seconds_left:.0f} s left"
        self._line.show(text, event.stage, event.fraction)

    def _show_plan(self, plan: Plan) -> None:
        """One line, which stays; a plan that reads as the last one did is not said again."""
        text = plan_line(plan)
        if text != self._plan:
            self._plan = text
            self._line.write_line(f"plan: {text}")


def result_text(result: SegmentationResult) -> str:
    """One or two lines: what was found, how it was computed, what is absent."""
    asked = len(result.found) + len(result.absent)
    how = ", ".join((result.model, result.device, result.options.runtime, result.options.precision))
    line = f"{len(result.found)} of {asked} structures found in {result.seconds:.0f} s ({how})."
    return f"{line}\nNot found in this CT: {', '.join(result.absent)}" if result.absent else line
