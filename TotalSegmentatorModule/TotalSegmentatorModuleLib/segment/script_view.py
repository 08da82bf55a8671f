"""A session without a panel: what happens goes to Slicer's log and stays readable here."""

from __future__ import annotations

import logging

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
from TotalSegmentatorModuleLib.segment.plan_text import plan_details, plan_text
from TotalSegmentatorModuleLib.segment.progress_text import result_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts


class ScriptView:
    """For scripts that use the module's logic; ``callbacks`` are those of its session."""

    def __init__(self) -> None:
        self.is_busy = False
        self.fraction = 0.0
        """0..1 of the job."""
        self.node = None
        """vtkMRMLSegmentationNode with the last result."""
        self.header: ResultHeader | None = None
        self.plan: Plan | None = None
        """What the job is doing, as far as it is known."""
        self.problem: Problem | None = None
        """Why the last job failed."""
        self.unimported: list[ResultHeader] = []
        self.callbacks = JobCallbacks(
            on_busy=self._on_busy,
            on_progress=self._on_progress,
            on_plan=self._on_plan,
            on_warning=lambda problem: logging.warning(" ".join(problem_texts(problem))),
            on_log=logging.debug,
            on_note=logging.info,
            on_failed=self._on_failed,
            on_cancelled=self._on_cancelled,
            on_result=self._on_result,
            on_unimported_results=self._on_unimported_results,
        )

    def _on_busy(self, is_busy: bool, is_cancelling: bool) -> None:
        if is_busy and not self.is_busy:
            self.node = self.header = self.plan = self.problem = None
        self.is_busy = is_busy

    def _on_progress(self, fraction: float, stage: str, seconds_left: float | None, tile: int, tiles: int) -> None:
        self.fraction = fraction

    def _on_plan(self, plan: Plan) -> None:
        self.plan = plan
        logging.info(plan_text(plan) + "\n" + plan_details(plan))

    def _on_failed(self, problem: Problem) -> None:
        self.problem = problem
        logging.error(" ".join(problem_texts(problem)))

    def _on_cancelled(self) -> None:
        self.problem = Problem("CANCELLED")

    def _on_result(self, node, header: ResultHeader) -> None:
        self.node, self.header = node, header
        logging.info(result_text(header))

    def _on_unimported_results(self, headers: list[ResultHeader]) -> None:
        self.unimported = headers
