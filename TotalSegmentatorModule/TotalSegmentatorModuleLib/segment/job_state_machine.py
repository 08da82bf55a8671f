"""One job from its CT to its result, a step at a time: the states of a job and what leads from one to the next."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import results_folder
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import (
    CancelledEvent,
    CancelRequest,
    FailedEvent,
    FinishedEvent,
    NeedCtEvent,
    PlanEvent,
    ProgressEvent,
    StartedEvent,
    WarningEvent,
)

from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event, problem_of_os_error
from TotalSegmentatorModuleLib.segment.ct_transfer import key_of
from TotalSegmentatorModuleLib.segment.job import Job
from TotalSegmentatorModuleLib.segment.job_types import (
    STAGE_RECEIVING,
    STAGE_SENDING,
    STAGE_STARTING,
    CtSource,
    JobListener,
    JobSettings,
    JobState,
)
from TotalSegmentatorModuleLib.segment.result_reader import DamagedResultError, ResultReader
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess

CANCEL_SECONDS = 1.5
"""A cancelled job that still runs after so long is killed with its worker. The panel must be ready within 2 s of the
click: the rest is for the timer's ticks and the kill."""

_WORK_SECONDS = 0.010  # copying a step may do; with the rest of a tick it stays below 20 ms
_SENDING_SHARE = 0.03  # of the progress bar
_RECEIVING_SHARE = 0.02


class JobFlow:
    """At most one job, or the reader of a result that waited. ``step`` does a little and never waits.

    The listener is told of every change; it may begin the next job in any of its calls but ``on_result``.
    """

    def __init__(
        self,
        work_folder: Path,
        manager: WorkerManager,
        removal: FolderRemoval,
        listener: JobListener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = JobState.IDLE
        self._work_folder = work_folder
        self._manager = manager
        self._removal = removal
        self._listener = listener
        self._clock = clock
        self._job: Job | None = None
        self._reader: ResultReader | None = None
        self._cancel_deadline = 0.0

    def begin(self, ct: CtSource, settings: JobSettings) -> None:
        """Begin a job; only in the state IDLE."""
        self._job = Job(ct, settings, self._work_folder)
        self._attempt()

    def receive(self, job_id: str) -> None:
        """Receive the result ``job_id`` of a job that is over; only in the state IDLE."""
        self._begin_reading(job_id)

    def is_receiving(self, folder: Path) -> bool:
        """Whether this is the folder of the result that is being received."""
        return self._reader is not None and self._reader.folder == folder

    def cancel(self) -> None:
        """End the job at once, or, if the worker has it, within CANCEL_SECONDS."""
        if self.state is JobState.RUNNING:
            self._cancel_deadline = self._clock() + CANCEL_SECONDS
            self._manager.send(CancelRequest(self._job.id))
            with contextlib.suppress(OSError):  # no room for the file: the request alone must do
                self._job.leave_cancel_file()
            self._set_state(JobState.CANCELLING)
        elif self.state not in (JobState.IDLE, JobState.CANCELLING):
            self._end_cancelled()

    def step(self) -> None:
        """Do what is to be done now."""
        self._follow_worker()
        if self.state in (JobState.SENDING, JobState.STARTING):
            self._send()
        elif self.state is JobState.RUNNING:
            self._read_events()
        elif self.state is JobState.CANCELLING:
            self._read_events()
            self._enforce_cancel()
        elif self.state is JobState.RECEIVING:
            self._receive()

    def close(self) -> None:
        """Let go of everything and tell nobody; the job's folder is left to the removal, a result is kept."""
        self.state = JobState.IDLE
        job, self._job = self._job, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if job is not None:
            job.close()
            if job.id:
                self._removal.add(job.folder)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _attempt(self) -> None:
        """Begin the job, or begin it again, with the worker that runs or a new one."""
        job = self._job
        try:
            worker = self._manager.ensure_worker()
            key = key_of(job.ct)
            job.begin_attempt(key, self._manager.held_ct(key) if worker.hello else None, self._clock)
        except SegmentationError as error:
            self._fail(error.problem)
        except OSError as error:
            self._fail_by(error)
        else:
            if job.transfer is None:
                self._send_request()
            else:
                self._manager.forget_ct()
                self._set_state(JobState.SENDING)

    def _send(self) -> None:
        """Write a part of the CT; when it is complete and the worker has greeted, send the request."""
        job = self._job
        try:
            is_complete = job.transfer.step(_WORK_SECONDS)
        except SegmentationError as error:
            self._fail(error.problem)
            return
        except OSError as error:
            self._fail_by(error)
            return
        self._set_state(JobState.STARTING if is_complete else JobState.SENDING)
        self._report_progress(_SENDING_SHARE * job.transfer.fraction, STAGE_STARTING if is_complete else STAGE_SENDING)
        if self._job is job and is_complete and self._manager.worker.hello:
            self._manager.remember_ct(job.transfer.key, job.ct_id)
            self._send_request()

    def _send_request(self) -> None:
        self._manager.send(self._job.request())
        self._job.is_requested = True
        self._set_state(JobState.RUNNING)

    # -- following ---------------------------------------------------------------------------------------------------

    def _follow_worker(self) -> None:
        worker = self._manager.worker
        if worker is None:
            return
        grown = worker.poll()
        if grown:
            self._listener.on_log(grown)
        if not worker.is_running:
            self._read_events()  # what it said last, perhaps that it has finished
            self._manager.kill()
            if self._job is not None and self.state is not JobState.RECEIVING:
                self._worker_ended(worker)

    def _worker_ended(self, worker: WorkerProcess) -> None:
        """The worker has gone, or cannot serve: end the job, or give it to a new worker."""
        job = self._job
        ended_idle = worker.bye is not None and worker.bye.reason == "idle"
        is_innocent = worker.hello is not None and not job.is_accepted and (ended_idle or not job.is_requested)
        if self.state is JobState.CANCELLING:
            self._end_cancelled()
        elif job.result_folder.is_dir():  # finished, but killed before it could say so
            self._begin_reading(job.id)
        elif is_innocent and job.may_begin_again:
            self._begin_again()
        else:
            self._fail(worker.problem or Problem("ENGINE_DIED", {"status": worker.exit_status}))

    def _begin_again(self) -> None:
        self._removal.add(self._job.folder)
        self._job.close()
        self._attempt()

    def _read_events(self) -> None:
        job = self._job
        if self.state not in (JobState.RUNNING, JobState.CANCELLING):
            return
        for event in job.new_events():
            self._handle(event)
            if self._job is not job or event.job_id != job.id or self.state is JobState.RECEIVING:
                return

    def _handle(self, event: Any) -> None:
        job = self._job
        if isinstance(event, StartedEvent):
            job.is_accepted = True
        elif isinstance(event, ProgressEvent):
            own_share = _SENDING_SHARE if job.transfer else 0.0
            fraction = own_share + (1.0 - own_share - _RECEIVING_SHARE) * event.fraction
            self._report_progress(fraction, event.stage, event.seconds_left, event.tile, event.tiles)
        elif isinstance(event, PlanEvent):
            self._report_plan(event)
        elif isinstance(event, WarningEvent):
            self._listener.on_warning(problem_of_event(event))
        elif isinstance(event, CancelledEvent) or self.state is JobState.CANCELLING:
            self._end_cancelled()
        elif isinstance(event, FinishedEvent):
            self._begin_reading(job.id)
        elif isinstance(event, FailedEvent):
            self._fail(problem_of_event(event))
        elif isinstance(event, NeedCtEvent):
            self._manager.forget_ct()
            self._begin_again()

    def _enforce_cancel(self) -> None:
        """Kill the worker that does not stop by itself, and start another one for the next job."""
        if self.state is not JobState.CANCELLING or self._clock() < self._cancel_deadline:
            return
        self._manager.kill()
        self._end_cancelled()
        try:
            self._manager.ensure_worker()
        except OSError as error:
            self._listener.on_log("The engine could not be started again: {}\n".format(type(error).__name__))

    def _report_plan(self, event: PlanEvent) -> None:
        try:
            plan = plan_from_json(event.plan)
        except SegmentationError:  # a damaged plan is no reason to end the job
            return
        self._listener.on_plan(plan)

    def _report_progress(
        self, fraction: float, stage: str, seconds_left: float | None = None, tile: int = 0, tiles: int = 0
    ) -> None:
        if self._job is not None:
            fraction = self._job.fraction = max(self._job.fraction, fraction)
        self._listener.on_progress(fraction, stage, seconds_left, tile, tiles)

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _begin_reading(self, job_id: str) -> None:
        try:
            self._reader = ResultReader(
                results_folder(self._work_folder) / job_id, self._listener.allocate_labels, self._clock
            )
        except DamagedResultError as error:
            self._removal.add(results_folder(self._work_folder) / job_id)
            self._fail(Problem("INTERNAL_ERROR", {"kind": type(error).__name__}))
        else:
            self._set_state(JobState.RECEIVING)

    def _receive(self) -> None:
        reader = self._reader
        try:
            is_complete = reader.step(_WORK_SECONDS)
        except (OSError, DamagedResultError) as error:
            self._fail(Problem("INTERNAL_ERROR", {"kind": type(error).__name__}))
            return
        except BaseException:
            self._end_job()  # the listener has no room for the labels; the result waits
            raise
        self._report_progress(1.0 - _RECEIVING_SHARE * (1.0 - reader.fraction), STAGE_RECEIVING)
        if not is_complete or self._reader is not reader:
            return
        try:
            self._listener.on_result(reader.header, reader.labels)
            self._removal.add(reader.folder)
        finally:
            self._end_job()

    # -- ends --------------------------------------------------------------------------------------------------------

    def _fail(self, problem: Problem) -> None:
        self._end_job()
        self._listener.on_failed(problem)

    def _fail_by(self, error: OSError) -> None:
        self._listener.on_log("{}: {}\n".format(type(error).__name__, error.strerror))
        self._fail(problem_of_os_error(error, self._work_folder))

    def _end_cancelled(self) -> None:
        """A result that the job finished nevertheless is not wanted any more; one that waited goes on waiting."""
        if self._job is not None:
            self._removal.add(self._job.result_folder)
        self._end_job()
        self._listener.on_cancelled()

    def _end_job(self) -> None:
        was_busy = self.state is not JobState.IDLE
        self.close()
        if was_busy:
            self._listener.on_state(JobState.IDLE)

    def _set_state(self, state: JobState) -> None:
        if state is not self.state:
            self.state = state
            self._listener.on_state(state)
