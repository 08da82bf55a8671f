"""The resident worker: serves one request after another until Slicer is gone, asks it to end, or leaves it idle.

The main thread runs the jobs (pipeline/run_job.py); a thread reads the standard input (request_queue.py). Everything
that a job leaves is in its folder, which goes with Slicer.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.command.log_text import log_to_standard_error
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import CT_VOXELS, RESULT_DRAFT, read_owner, remove_folder, sweep
from TotalSegmentatorWire.messages.department_server import server_from_json
from TotalSegmentatorWire.messages.model_request import requests_from_json
from TotalSegmentatorWire.messages.options import options_from_json
from TotalSegmentatorWire.messages.segment import (
    PROTOCOL_VERSION,
    ByeEvent,
    CancelledEvent,
    FailedEvent,
    FinishedEvent,
    HelloEvent,
    NeedCtEvent,
    PlanRequest,
    PreviewEvent,
    ReviewRequest,
    SegmentRequest,
)
from TotalSegmentatorWire.messages.wishes import WarmUpRequest
from TotalSegmentatorWire.process_identity import is_alive

from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.machine.memory import resident_memory
from TotalSegmentatorEngine.worker.event_log import EventLog
from TotalSegmentatorEngine.worker.request_queue import AcceptedJob, RequestQueue
from TotalSegmentatorEngine.worker.start_up import missing_package, warm_up

if TYPE_CHECKING:
    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.job.task import SegmentationResult
    from TotalSegmentatorEngine.pipeline.cache import EngineCache

DEFAULT_IDLE_SECONDS = 1200.0
"""A worker without work ends after 20 minutes: its networks occupy gigabytes, and a new one starts in seconds."""

_OWNER_END_SECONDS = 3.0  # how long to wait for Slicer's end after the pipe has closed, to sweep what else it left

_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> NoReturn:
    """``serve --protocol N --worker-folder DIR [--idle-seconds S]``: what Slicer's side starts."""
    parser = argparse.ArgumentParser(prog="TotalSegmentatorEngine serve", description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", type=int, required=True, help="number of the caller's protocol")
    parser.add_argument("--worker-folder", type=Path, required=True, help="the worker's own folder, made by the caller")
    parser.add_argument(
        "--idle-seconds", type=float, default=DEFAULT_IDLE_SECONDS, help="end after so long without work"
    )
    options, _ = parser.parse_known_args(arguments)  # a later caller may pass more; it differs in the protocol's number
    serve(options.worker_folder, options.protocol, options.idle_seconds)


def serve(worker_folder: Path, protocol: int, idle_seconds: float = DEFAULT_IDLE_SECONDS) -> NoReturn:
    """Run the worker whose own folder is ``worker_folder`` (``<work folder>/jobs/worker-<id>``); never returns.

    ``protocol`` is the number of Slicer's side. Exit status: 0 after Bye "quit" or "idle" and when Slicer is gone,
    otherwise the exit code of the problem in the worker's events.
    """
    log_to_standard_error()
    faulthandler.enable()
    worker = Worker(worker_folder, idle_seconds)
    try:
        status = worker.run(protocol)
    except Exception:  # noqa: BLE001 - the last boundary; the reason goes to the log, and Slicer sees the exit status
        _log.exception("the worker cannot continue")
        status = 1
    with worker.guard:  # not before another thread has removed the folders, if Slicer is gone
        _leave(status)


def _leave(status: int) -> NoReturn:
    """End at once: at the end of the interpreter, libraries with threads of their own have been seen to hang."""
    logging.shutdown()
    os._exit(status)


class Worker:
    """State of one worker: its folder, the queue of requests, and the cache that jobs share."""

    def __init__(self, folder: Path, idle_seconds: float) -> None:
        self._folder = folder
        self._idle_seconds = idle_seconds
        self._cache: EngineCache | None = None
        self._events = EventLog(folder)
        self._owner = read_owner(folder)
        self._queue = RequestQueue(self._events, self._abandon, self._owner)
        self.guard = threading.Lock()
        """Held while a result is renamed, and for ever once the folders are being removed."""

    def run(self, protocol: int) -> int:
        """Greet, warm up, serve; returns the exit status."""
        self._events.emit(HelloEvent(PROTOCOL_VERSION, ENGINE_VERSION, os.getpid(), platform.python_version()))
        if protocol != PROTOCOL_VERSION:
            return self._give_up(Problem("PROTOCOL_MISMATCH", {"expected": protocol, "found": PROTOCOL_VERSION}))
        package = missing_package()
        if package:
            return self._give_up(Problem("ENGINE_MISSING", {"package": package}))
        self._queue.start()
        sweep(self._folder.parent.parent)
        try:
            warm_up()
        except SegmentationError as error:
            _log.exception("the engine's packages are incomplete")
            return self._give_up(error.problem)
        except ModuleNotFoundError as error:
            _log.exception("the engine's packages are incomplete")
            return self._give_up(Problem("ENGINE_MISSING", {"package": error.name or "?"}))
        except Exception:  # noqa: BLE001 - a broken library may raise anything; the reason goes to the log
            _log.exception("the engine's packages cannot be loaded")
            return self._give_up(Problem("ENGINE_START_FAILED"))
        return self._serve()

    def _serve(self) -> int:
        while True:
            job = self._queue.take(self._idle_seconds)
            if isinstance(job, WarmUpRequest):
                self._load_ahead(job)
                continue
            if not isinstance(job, AcceptedJob):
                self._events.emit(ByeEvent("quit" if job else "idle"))
                return 0
            self._run_job(job)
            gc.collect()

    def _give_up(self, problem: Problem) -> int:
        _log.error("%s %s", problem.code, problem.values)
        self._events.emit(FailedEvent("", problem.to_json()))
        self._events.emit(ByeEvent("error"))
        return problem.exit_code

    def _load_ahead(self, request: WarmUpRequest) -> None:
        """Whatever happens, the worker is ready for a job."""
        from TotalSegmentatorEngine.pipeline.cache import EngineCache
        from TotalSegmentatorEngine.worker.loading_ahead import load_ahead

        self._cache = self._cache or EngineCache()
        try:
            load_ahead(_task_of(request), self._cache)
        except SegmentationError as error:  # the job will say so
            _log.info("nothing is loaded ahead: %s", error.code)
        except Exception:  # noqa: BLE001 - nobody has asked for a result; the reason goes to the log
            _log.exception("nothing is loaded ahead")

    # -- one job ---------------------------------------------------------------------------------------------------

    def _run_job(self, job: AcceptedJob) -> None:
        """Runs one job and reports how it ended. Whatever happens, the worker is ready for the next one."""
        job_id = job.request.job_id
        started = time.monotonic()
        ended: object
        try:
            ended = self._ended(job, started)
        except SegmentationError as error:
            ended = (
                CancelledEvent(job_id) if error.code == "CANCELLED" else FailedEvent(job_id, error.problem.to_json())
            )
            if error.code != "CANCELLED":
                _log.info("the job ended with %s", error.code, exc_info=error.__cause__ is not None)
        except Exception as error:  # noqa: BLE001 - the worker must survive whatever a job meets; it goes to the log
            ended = FailedEvent(job_id, problem_of(error, job.folder).to_json())
        for leftover in (job.folder / CT_VOXELS, job.folder / RESULT_DRAFT):
            _remove(leftover)
        _log.info("job ended: %s after %.1f s", type(ended).__name__, time.monotonic() - started)
        try:
            job.events.emit(ended)
        except FileNotFoundError:
            _log.info("the job's folder is gone: Slicer has given the job up")

    def _ended(self, job: AcceptedJob, started: float) -> object:
        """Does what is asked; returns the last event. Raises SegmentationError."""
        if isinstance(job.request, ReviewRequest):
            return self._check_again(job)
        return self._plan(job) if isinstance(job.request, PlanRequest) else self._segment(job, started)

    def _segment(self, job: AcceptedJob, started: float) -> object:
        """The job itself; returns its last event. Raises SegmentationError."""
        # imported here, so that a worker without numpy can report what is missing
        from TotalSegmentatorEngine.pipeline.cache import EngineCache
        from TotalSegmentatorEngine.pipeline.run_job import run_job
        from TotalSegmentatorEngine.worker.job_files import CtNeededError, WorkerJobFiles

        request = job.request
        self._cache = self._cache or EngineCache()
        files = WorkerJobFiles(request, self._cache, self.guard)
        memory = _memory_of(request)
        reporter = JobReporter(
            request.job_id, job.events.emit, job.is_cancelled, memory=memory, asked_first=job.asked_first
        )

        def show(preview: SegmentationResult, ct: ReadInput) -> None:
            folder = files.write_preview(preview, ct, reporter)
            job.events.emit(PreviewEvent(request.job_id, str(folder), round(time.monotonic() - started, 3)))

        try:
            if request.server is None:
                result = run_job(_task_of(request), files, self._cache, reporter, show)
            else:
                from TotalSegmentatorEngine.department_server.run_on_server import run_on_server

                result = run_on_server(
                    _task_of(request), files, server_from_json(request.server), self._cache, reporter
                )
        except CtNeededError:
            return NeedCtEvent(request.job_id)
        agreement = None if result.agreement is None else result.agreement.to_json()
        seconds = round(time.monotonic() - started, 3)
        return FinishedEvent(request.job_id, str(files.result_folder), seconds, agreement)

    def _check_again(self, job: AcceptedJob) -> object:
        """As ``_segment``, for a ReviewRequest."""
        from TotalSegmentatorEngine.worker.second_check import check_again

        return NeedCtEvent(job.request.job_id) if self._cache is None else check_again(job, self._cache)

    def _plan(self, job: AcceptedJob) -> object:
        """As ``_segment``, for a PlanRequest."""
        from TotalSegmentatorEngine.pipeline.cache import EngineCache
        from TotalSegmentatorEngine.worker.expected_plan import expected_plan

        self._cache = self._cache or EngineCache()
        return expected_plan(job.request, _task_of(job.request), self._cache)

    # -- the end of Slicer -----------------------------------------------------------------------------------------

    def _abandon(self) -> NoReturn:
        """Slicer is gone: remove what is unfinished and end, whatever the main thread is doing (called in a thread)."""
        self.guard.acquire()  # never released: no result is renamed out of a folder that is being removed
        os.chdir(tempfile.gettempdir())  # Windows does not remove a current folder
        for folder in (*self._queue.folders(), self._folder):
            remove_folder(folder)
        deadline = time.monotonic() + _OWNER_END_SECONDS
        while self._owner is not None and is_alive(self._owner) and time.monotonic() < deadline:
            time.sleep(0.02)
        sweep(self._folder.parent.parent)  # also a folder into which Slicer was just sending a CT
        os._exit(0)


def _task_of(request: SegmentRequest | PlanRequest | WarmUpRequest) -> SegmentationTask:
    """Raises SegmentationError("BAD_REQUEST")."""
    options = options_from_json(request.options)
    models_folder = Path(request.models_folder)
    requests = requests_from_json(request.requests)
    return SegmentationTask(requests, models_folder, request.device, options, is_reviewed=True)


def _memory_of(request: SegmentRequest) -> Callable[[], int | None]:
    """What tells the memory of the job: of one that runs elsewhere, nothing does."""
    return resident_memory if request.server is None else lambda: None


def _remove(leftover: Path) -> None:
    if leftover.is_dir():
        remove_folder(leftover)
    else:
        leftover.unlink(missing_ok=True)
