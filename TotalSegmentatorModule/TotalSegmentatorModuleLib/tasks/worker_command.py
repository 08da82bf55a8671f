"""A command that the resident worker runs in place of a process of its own, with the CT that it holds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import CANCEL_FILE, EVENTS_FILE, remove_folder
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, NeedCtEvent, ReviewRequest, decode

from TotalSegmentatorModuleLib.background.command_process import ProcessProtocol, ProcessResult, failure_of
from TotalSegmentatorModuleLib.background.line_reader import LineReader
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event
from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError, ignore
from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease


class WorkerCommand:
    """As a OneShotProcess: ``follow`` is the task that goes along with it, and must be run. The worker itself is never
    killed for it: a job may follow."""

    def __init__(self, lease: WorkerLease, command: list[str], folder: Path, protocol: ProcessProtocol) -> None:
        """``command``: ``review`` and its arguments; ``folder`` is the run's own and goes when that task has ended."""
        self._worker = lease.worker
        self._folder = folder
        self._protocol = protocol
        self._events = LineReader(folder / EVENTS_FILE)
        self._given_up_at: float | None = None
        request = ReviewRequest(folder.name, str(folder), lease.ct_id, command[1:])
        self._worker.send(request)  # where it is gone, the next look at it tells

    @property
    def is_cancelling(self) -> bool:
        return self._given_up_at is not None

    def follow(
        self,
        interval_ms: int,
        cancel_seconds: float,
        _quit_seconds: float,
        on_event: Callable[[Any], None] = ignore,
    ) -> Generator[int, None, ProcessResult]:
        """A task (see task_runner) that ends with the command; ``on_event`` gets its events. Cancelled, it asks the
        worker to stop, and waits for ``cancel_seconds`` at most."""
        end: ProcessResult | None = None
        try:
            while True:
                end = self._end(on_event)
                if end is not None:
                    return end
                try:
                    yield interval_ms
                except TaskCancelledError:
                    self._ask_to_stop(cancel_seconds)
        finally:
            if end is None:  # the application quits
                self._ask_to_stop(0.0)
            remove_folder(self._folder)

    def _end(self, on_event: Callable[[Any], None]) -> ProcessResult | None:
        """How the command ended; None where it has not."""
        is_running = self._worker.is_running  # before reading: nothing that was written last is missed
        end = self._read_events(on_event)
        if end is None and self.is_cancelling and time.monotonic() >= self._given_up_at:
            return ProcessResult(is_cancelled=True)
        if end is None and not is_running:
            problem = Problem(self._protocol.died, {"status": self._worker.exit_status or 0})
            return ProcessResult(failure=failure_of(problem))
        return end

    def _read_events(self, on_event: Callable[[Any], None]) -> ProcessResult | None:
        """How the command ended; None where it has not."""
        for line in self._events.poll():
            try:
                event = decode(line, self._protocol.events)
            except SegmentationError:  # of a newer program: what counts is how it ends
                continue
            if isinstance(event, self._protocol.finished):
                return ProcessResult(finished=event)
            if isinstance(event, CancelledEvent):
                return ProcessResult(is_cancelled=True)
            if isinstance(event, FailedEvent):
                return ProcessResult(failure=failure_of(problem_of_event(event)))
            if isinstance(event, NeedCtEvent):
                return ProcessResult(failure=failure_of(Problem("BAD_REQUEST", {"detail": "ct"})))
            on_event(event)
        return None

    def _ask_to_stop(self, seconds: float) -> None:
        if self._given_up_at is None:
            self._given_up_at = time.monotonic() + seconds
            with contextlib.suppress(OSError):
                (self._folder / CANCEL_FILE).touch()
