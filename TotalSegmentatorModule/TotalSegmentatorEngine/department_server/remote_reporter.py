"""How a job on a Dask worker reports to the computer that ordered it, and learns that nobody waits for it any more."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import Plan

if TYPE_CHECKING:
    from distributed import Worker

TOPIC = "TotalSegmentator"
"""One topic of Dask's event log for all jobs: the scheduler keeps the last thousand events of each topic for ever."""
PROGRESS, PLAN, WARNING = "progress", "plan", "warning"
"""Kinds of reports."""
_PAUSE_SECONDS = 0.2


class RemoteReporter:
    """A Reporter (job/reporting.py) for the task ``key`` that runs in a thread of ``worker``."""

    def __init__(self, worker: Worker, key: str) -> None:
        self._worker = worker
        self._key = key
        self._stage = ""
        self._sent_at = float("-inf")
        self.warnings: list[Problem] = []

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        """Sends at most one report in 0.2 s, but always the first and the last of a stage."""
        now = time.monotonic()
        if stage == self._stage and fraction_of_stage < 1.0 and now - self._sent_at < _PAUSE_SECONDS:
            return
        self._stage, self._sent_at = stage, now
        self._send(PROGRESS, [stage, float(fraction_of_stage), int(tile), int(tiles)])

    def plan(self, plan: Plan) -> None:
        self._send(PLAN, plan.to_json())

    def warning(self, problem: Problem) -> None:
        self.warnings.append(problem)
        self._send(WARNING, problem.to_json())

    def asked_first(self) -> Sequence[str]:
        return ()

    def check_cancelled(self) -> None:
        """Raises SegmentationError("CANCELLED") when the task was cancelled, its client has gone or has lost the
        scheduler, or the worker is closing: in all these cases the worker no longer holds the task as executing."""
        task = self._worker.state.tasks.get(self._key)
        if task is None or task.state not in ("executing", "long-running"):
            raise SegmentationError("CANCELLED")
        if self._worker.status.name not in ("running", "paused"):
            raise SegmentationError("CANCELLED")

    def _send(self, kind: str, content: Any) -> None:
        report = {"job": self._key, "kind": kind, "content": json.dumps(content)}
        self._worker.log_event(TOPIC, report)
