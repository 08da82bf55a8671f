"""Enforces Cancel: a worker that does not stop its job in time is killed, and another one started."""

from __future__ import annotations

import time
from collections.abc import Generator

from TotalSegmentatorWire.messages.segment import CancelledEvent, CancelRequest, FailedEvent, FinishedEvent, NeedCtEvent

from TotalSegmentatorModuleLib.segment.job_attempt import Attempt
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess

CANCEL_SECONDS = 1.5
"""A cancelled job that still runs after so long is killed with its worker. The panel must be ready within 2 s of the
click: the rest is for the timer's ticks and the kill."""

_POLL_MS = 20
_ENDS = (CancelledEvent, FailedEvent, FinishedEvent, NeedCtEvent)


def cancel_attempt(attempt: Attempt, worker: WorkerProcess, manager: WorkerManager) -> Generator[int, None, None]:
    """Ask the worker to stop the job; after ``CANCEL_SECONDS`` kill it and start another one for the next job."""
    deadline = time.monotonic() + CANCEL_SECONDS
    worker.send(CancelRequest(attempt.id))
    attempt.leave_cancel_file()
    while worker.is_running and not any(isinstance(event, _ENDS) for event in attempt.new_events()):
        if time.monotonic() >= deadline:
            manager.replace_worker()
            return
        yield _POLL_MS
