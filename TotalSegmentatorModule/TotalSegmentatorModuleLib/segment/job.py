"""One job from its CT to its labels, as a background task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import new_id
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import (
    CancelledEvent,
    FailedEvent,
    FinishedEvent,
    NeedCtEvent,
    PlanEvent,
    PreviewEvent,
    ProgressEvent,
    ResultHeader,
    StartedEvent,
    WarningEvent,
)
from TotalSegmentatorWire.messages.wishes import PriorityRequest

from TotalSegmentatorModuleLib.background.process_failures import problem_of_event
from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError, ignore
from TotalSegmentatorModuleLib.preview.arriving import ArrivingPreview, TakePreview
from TotalSegmentatorModuleLib.segment.cancellation import cancel_attempt
from TotalSegmentatorModuleLib.segment.ct_transfer import CtTransfer, key_of, write_header
from TotalSegmentatorModuleLib.segment.job_attempt import Attempt
from TotalSegmentatorModuleLib.segment.job_types import (
    STAGE_RECEIVING,
    STAGE_SENDING,
    STAGE_STARTING,
    CtSource,
    JobCallbacks,
    JobSettings,
)
from TotalSegmentatorModuleLib.segment.result_reader import DamagedResultError, read_labels, read_result_header
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess

_WORK_SECONDS = 0.010  # copying a step may do; with the rest of a tick it stays below 20 ms
_SENDING_SHARE = 0.03  # of the progress bar
_RECEIVING_SHARE = 0.02
_SENDING_MS, _STARTING_MS, _RUNNING_MS, _RECEIVING_MS = 10, 20, 30, 5


class _LostAttemptError(SegmentationError):
    """The worker did not begin the job, through no fault of the job: another attempt may succeed."""


class SegmentationJob:
    """``run`` and ``receive`` are tasks (see task_runner); an object is for one of them.

    ``make_image`` gets a shape (k, j, i) and returns an object whose ``array`` (uint8, C-contiguous) takes the labels
    of a layer.
    The worker is polled by the manager's ``step``, which is called before every step of a task.
    """

    def __init__(
        self,
        manager: WorkerManager,
        callbacks: JobCallbacks,
        make_image: Callable[[tuple[int, int, int]], Any],
        take_preview: TakePreview | None = None,
    ) -> None:
        """``take_preview``: imports the preview of the job, which is left out without it."""
        self._manager = manager
        self._callbacks = callbacks
        self._make_image = make_image
        self._fraction = 0.0
        self._is_requested = False
        failed = Problem("PREVIEW_FAILED")
        self._preview = ArrivingPreview(
            take_preview, lambda: self._report(callbacks.on_warning, failed), manager.discard_result
        )
        self._takes_preview = take_preview is not None
        self.id = ""
        """Of the attempt that runs; empty before there is one, and where a result is only read."""
        self._asked_first: list[str] = []
        self.is_receiving = False
        """Whether the result is complete and only has to be read and imported."""

    def run(self, ct: CtSource, settings: JobSettings) -> Generator[int, None, tuple[ResultHeader, list[Any]]]:
        """Segment ``ct``; returns the result's header and the image of each layer. The result's files stay until they
        are discarded, unless the job is cancelled. Raises SegmentationError, OSError, DamagedResultError."""
        for is_last in (False, True):
            attempt = Attempt(self._manager.work_folder)
            self.id, self._is_requested = attempt.id, False
            try:
                yield from self._segment(attempt, ct, settings)
                return (yield from self.receive(attempt.id))
            except _LostAttemptError:
                if is_last:
                    raise
            except TaskCancelledError:
                self._manager.discard_result(attempt.id)  # it may have been finished nevertheless
                self._manager.discard_previews(attempt.id)  # that came while nobody listened
                raise
            finally:
                self._manager.removal.add(attempt.folder)

    def receive(self, job_id: str) -> Generator[int, None, tuple[ResultHeader, list[Any]]]:
        """Read the result of a job; returns what ``run`` does. Its files stay, also if cancelled. Raises
        DamagedResultError."""
        self.is_receiving = True

        def on_share(share: float) -> None:
            self._report_progress(1.0 - _RECEIVING_SHARE * (1.0 - share), STAGE_RECEIVING)

        return (yield from self.read(job_id, on_share))

    def read(
        self, job_id: str, on_share: Callable[[float], None] = ignore
    ) -> Generator[int, None, tuple[ResultHeader, list[Any]]]:
        """As ``receive``, of a result that is not the job's end. ``on_share`` gets the share that is read."""
        folder = self._manager.result_folder(job_id)
        try:
            header = read_result_header(folder)
        except DamagedResultError:
            self._manager.discard_result(job_id)
            raise
        images = [self._make_image(tuple(header.shape)) for _layer in range(header.layers)]
        for share in read_labels(folder, header, [image.array for image in images], _WORK_SECONDS):
            on_share(share)
            yield _RECEIVING_MS
        on_share(1.0)
        yield 0  # the import gets a step of its own
        return header, images

    def ask_first(self, structure: str) -> None:
        """The user wants this structure before others: what was asked for last, first. The labels are the same."""
        self._asked_first = [*(other for other in self._asked_first if other != structure), structure]
        worker = self._manager.worker
        if self._is_requested and worker is not None:
            worker.send(PriorityRequest(self.id, structure))

    # -- handing over --------------------------------------------------------------------------------------------------

    def _segment(self, attempt: Attempt, ct: CtSource, settings: JobSettings) -> Generator[int, None, None]:
        worker = self._manager.ensure_worker()
        key = key_of(ct)
        ct_id = self._manager.held_ct(key) if worker.hello else None
        is_cached = ct_id is not None
        if is_cached:
            write_header(attempt.folder, ct_id, key)
        else:
            ct_id = yield from self._send_ct(attempt, worker, ct)
        worker.send(attempt.request(settings, ct_id, is_cached))
        attempt.is_requested = self._is_requested = True
        for structure in self._asked_first:
            worker.send(PriorityRequest(attempt.id, structure))
        yield from self._follow(attempt, worker, 0.0 if is_cached else _SENDING_SHARE)

    def _send_ct(self, attempt: Attempt, worker: WorkerProcess, ct: CtSource) -> Generator[int, None, str]:
        """Write the CT a part at a time, until it is complete and the worker has greeted; returns its id."""
        self._manager.forget_ct()
        transfer = CtTransfer(ct, attempt.folder, new_id())
        wait_ms = 0
        try:
            while True:
                yield wait_ms
                self._require_worker(worker, attempt)
                is_complete = transfer.step(_WORK_SECONDS)
                stage = STAGE_STARTING if is_complete else STAGE_SENDING
                self._report_progress(_SENDING_SHARE * transfer.fraction, stage)
                if is_complete and worker.hello:
                    self._manager.remember_ct(transfer.key, transfer.ct_id)
                    return transfer.ct_id
                wait_ms = _STARTING_MS if is_complete else _SENDING_MS
        finally:
            transfer.close()

    def _require_worker(self, worker: WorkerProcess, attempt: Attempt) -> None:
        """Raises SegmentationError where the worker has gone or cannot serve."""
        if worker.is_running:
            return
        problem = worker.problem or Problem("ENGINE_DIED", {"status": worker.exit_status})
        ended_idle = worker.bye is not None and worker.bye.reason == "idle"
        is_lost = worker.hello is not None and not attempt.is_accepted and (ended_idle or not attempt.is_requested)
        error = _LostAttemptError if is_lost else SegmentationError
        raise error(problem.code, **problem.values)

    # -- following -----------------------------------------------------------------------------------------------------

    def _follow(self, attempt: Attempt, worker: WorkerProcess, sent_share: float) -> Generator[int, None, None]:
        """Until the result is complete. ``sent_share``: how much of the progress the handing over was."""
        try:
            while True:
                try:
                    yield self._preview.step(_RUNNING_MS)
                except TaskCancelledError:
                    yield from cancel_attempt(attempt, worker, self._manager)
                    raise
                for event in attempt.new_events():
                    if isinstance(event, FinishedEvent):
                        return
                    if isinstance(event, PreviewEvent) and self._takes_preview:
                        self._preview.begin(event.result_folder)
                    self._handle(event, attempt, sent_share)
                if not worker.is_running and attempt.result_folder.is_dir():  # killed before it could say so
                    return
                self._require_worker(worker, attempt)
        except (SegmentationError, TaskCancelledError):
            raise
        except BaseException:  # a fault of this side, or the task is ended: nobody waits for the rest
            self._manager.kill()
            raise
        finally:
            self._preview.end()

    def _handle(self, event: Any, attempt: Attempt, sent_share: float) -> None:
        """Raises the end that the event tells."""
        if isinstance(event, StartedEvent):
            attempt.is_accepted = True
        elif isinstance(event, ProgressEvent):
            fraction = sent_share + (1.0 - sent_share - _RECEIVING_SHARE) * event.fraction
            self._report_progress(fraction, event.stage, event.seconds_left, event.tile, event.tiles)
            self._report(self._callbacks.on_network, event)
        elif isinstance(event, PlanEvent):
            self._report_plan(event)
        elif isinstance(event, WarningEvent):
            self._report(self._callbacks.on_warning, problem_of_event(event))
        elif isinstance(event, CancelledEvent):
            raise TaskCancelledError
        elif isinstance(event, FailedEvent):
            problem = problem_of_event(event)
            raise SegmentationError(problem.code, **problem.values)
        elif isinstance(event, NeedCtEvent):
            self._manager.forget_ct()
            raise _LostAttemptError("INTERNAL_ERROR", kind=type(event).__name__)

    # -- reporting -----------------------------------------------------------------------------------------------------

    def _report_plan(self, event: PlanEvent) -> None:
        try:
            plan = plan_from_json(event.plan)
        except SegmentationError:  # a damaged plan is no reason to end the job
            return
        self._report(self._callbacks.on_plan, plan)

    def _report_progress(
        self, fraction: float, stage: str, seconds_left: float | None = None, tile: int = 0, tiles: int = 0
    ) -> None:
        self._fraction = max(self._fraction, fraction)
        self._report(self._callbacks.on_progress, self._fraction, stage, seconds_left, tile, tiles)

    def _report(self, callback: Callable[..., None], *arguments: Any) -> None:
        """A fault in showing something must not end the job."""
        try:
            callback(*arguments)
        except Exception:
            logging.exception("What a job reported could not be shown")
