"""Takes requests from the worker's standard input while its main thread is busy."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.job_folder import CANCEL_FILE
from TotalSegmentatorWire.messages.segment import (
    REQUESTS,
    CancelledEvent,
    CancelRequest,
    FailedEvent,
    PlanRequest,
    ProgressEvent,
    QuitRequest,
    ReviewRequest,
    SegmentRequest,
    Stage,
    StartedEvent,
    decode,
)
from TotalSegmentatorWire.messages.wishes import PriorityRequest, WarmUpRequest
from TotalSegmentatorWire.process_identity import ProcessIdentity, is_alive

from TotalSegmentatorEngine.worker.event_log import EventLog

_log = logging.getLogger(__name__)
_OWNER_CHECK_SECONDS = 5.0 if sys.platform.startswith("linux") or os.name == "nt" else 30.0  # elsewhere it starts `ps`

_MOST_ASKED_FIRST = 50
"""Structures that are remembered of one job."""


class AcceptedJob:
    """A request with the event log of its folder."""

    def __init__(self, request: SegmentRequest | ReviewRequest | PlanRequest) -> None:
        self.request = request
        self.folder = Path(request.job_folder)
        self.events = EventLog(self.folder)
        self.cancel_requested = threading.Event()
        self._asked_first: tuple[str, ...] = ()

    def is_cancelled(self) -> bool:
        """Whether Slicer cancelled the job, by a request or by the file. Quick: called between any two tiles."""
        return self.cancel_requested.is_set() or (self.folder / CANCEL_FILE).exists()

    def asked_first(self) -> tuple[str, ...]:
        """Structures that Slicer wants before others, what was asked for last first."""
        return self._asked_first

    def ask_first(self, structure: str) -> None:
        others = tuple(other for other in self._asked_first if other != structure)
        self._asked_first = (structure, *others)[:_MOST_ASKED_FIRST]


class RequestQueue:
    """Jobs that wait for the main thread, fed by a thread that reads the standard input.

    ``on_abandoned`` is called in that thread when Slicer is gone: the standard input has ended, or ``owner`` has.
    """

    def __init__(
        self,
        worker_events: EventLog,
        on_abandoned: Callable[[], None],
        owner: ProcessIdentity | None = None,
        descriptor: int = 0,
    ) -> None:
        self._worker_events = worker_events
        self._on_abandoned = on_abandoned
        self._owner = owner
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._waiting: deque[AcceptedJob] = deque()
        self._warm_up: WarmUpRequest | None = None
        self._running: AcceptedJob | None = None
        self._ready = False
        self._quit = False
        self._closed = False

    def start(self) -> None:
        """Start to read. The threads are daemons: they never keep the process alive."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        if self._owner is not None:
            threading.Thread(target=self._watch_owner, name="owner", daemon=True).start()

    def take(self, seconds: float) -> AcceptedJob | WarmUpRequest | QuitRequest | None:
        """The last WarmUpRequest, else the next job, QuitRequest when asked to end, or None after ``seconds`` without
        any of them.

        After QuitRequest or None no job is accepted any more.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            self._ready = True
            self._running = None
            while not self._waiting and self._warm_up is None and not self._quit:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            if self._warm_up is not None and not self._quit:  # first, as plans count with what is loaded
                warm_up, self._warm_up = self._warm_up, None
                return warm_up
            if self._quit or not self._waiting:
                self._closed = True
                return QuitRequest() if self._quit else None
            self._running = self._waiting.popleft()
            return self._running

    def folders(self) -> list[Path]:
        """Folders of the jobs that were accepted and have not ended."""
        with self._changed:
            jobs = [*self._waiting, *([self._running] if self._running else [])]
        return [job.folder for job in jobs]

    def _read(self) -> None:
        """Raw reads, not ``sys.stdin``: its lock would hang the end of the interpreter."""
        rest = b""
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError as error:
                _log.info("the standard input broke: %s", type(error).__name__)
                data = b""
            if not data:
                self._on_abandoned()
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.strip():
                    self._handle(line)

    def _handle(self, line: bytes) -> None:
        try:
            request = decode(line, REQUESTS)
        except SegmentationError as error:
            _log.error("a request was not understood: %s", error.problem.values)
            self._report(self._worker_events, FailedEvent("", error.problem.to_json()))
            return
        if isinstance(request, (SegmentRequest, ReviewRequest, PlanRequest)):
            self._accept(AcceptedJob(request))
        elif isinstance(request, CancelRequest):
            self._cancel(request.job_id)
        elif isinstance(request, PriorityRequest):
            self._ask_first(request)
        elif isinstance(request, WarmUpRequest):
            self._accept_warm_up(request)
        else:
            self._end()

    def _accept(self, job: AcceptedJob) -> None:
        with self._changed:
            if self._closed or self._quit:
                return  # no Started: Slicer sees that this worker ended and starts the next one
            job_id = job.request.job_id
            self._report(job.events, StartedEvent(job_id))
            if not self._ready:
                self._report(job.events, ProgressEvent(job_id, Stage.LOADING_ENGINE, 0.0))
            if isinstance(job.request, SegmentRequest):
                self._warm_up = None  # the job loads what it needs
            self._waiting.append(job)
            self._changed.notify()

    def _accept_warm_up(self, request: WarmUpRequest) -> None:
        with self._changed:
            jobs = [*self._waiting, *([self._running] if self._running else [])]
            if self._closed or any(isinstance(job.request, SegmentRequest) for job in jobs):
                return
            self._warm_up = request
            self._changed.notify()

    def _ask_first(self, request: PriorityRequest) -> None:
        with self._changed:
            for job in (*self._waiting, *([self._running] if self._running else [])):
                if job.request.job_id == request.job_id:
                    job.ask_first(request.structure)

    def _cancel(self, job_id: str) -> None:
        with self._changed:
            for job in list(self._waiting):
                if job.request.job_id == job_id:  # answered here: the main thread may be importing torch for seconds
                    self._waiting.remove(job)
                    self._report(job.events, CancelledEvent(job_id))
            if self._running and self._running.request.job_id == job_id:
                self._running.cancel_requested.set()

    def _end(self) -> None:
        with self._changed:
            self._quit = True
            for job in self._waiting:
                self._report(job.events, CancelledEvent(job.request.job_id))
            self._waiting.clear()
            if self._running:
                self._running.cancel_requested.set()
            self._changed.notify()

    @staticmethod
    def _report(events: EventLog, event: object) -> None:
        try:
            events.emit(event)
        except OSError as error:
            _log.error("an event could not be written: %s", type(error).__name__)

    def _watch_owner(self) -> None:
        """In case another process keeps the other end of the pipe open, so that its end is never seen."""
        while is_alive(self._owner):
            time.sleep(_OWNER_CHECK_SECONDS)
        self._on_abandoned()
