"""One task of the export program from the click to its end: looks the CT's files up, hands the segmentation over,
follows the program.

It knows the scene and Qt's timer, but no widgets; what happens is told to a view.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.messages.export import EXPORT_EVENTS, ExportFinishedEvent, ExportProgressEvent
from TotalSegmentatorWire.messages.segment import WarningEvent

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.background.command_process import (
    Failure,
    OneShotProcess,
    ProcessProtocol,
    ProcessResult,
    failure_of,
)
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event, problem_of_os_error
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scene.dicom_files import InstanceSearch
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity, SegmentationTransfer

CANCEL_SECONDS = 3.0
QUIT_SECONDS = 1.0
_PROTOCOL = ProcessProtocol(EXPORT_EVENTS, ExportFinishedEvent, "EXPORT_DIED")
_HANDING_OVER, _RUNNING_MS, _CLEARING_MS = 5, 50, 30
_WORK_SECONDS = 0.012
_HANDING_OVER_SHARE = 0.1
"""Of the whole background task's progress."""

STEP_PREPARING, STEP_HANDING_OVER, STEP_STARTING = "preparing", "handing over", "starting"
"""Steps that only this side knows, beside ExportStep.ALL."""


class BackgroundTask(Protocol):
    """What is handed over to the program, and what is made of its answer. Its methods are called in this order."""

    segmentation: Any
    """vtkMRMLSegmentationNode"""
    segment_ids: tuple[str, ...]
    ct: Any
    """vtkMRMLScalarVolumeNode"""
    needs_dicom: bool
    """Whether the CT's DICOM files are looked up."""
    outlives_scene: bool
    """Whether it goes on when the scene is closed after the handing over."""
    log_file: str
    """Name of the file to which the program writes its log."""

    def identity(self, search: InstanceSearch | None) -> CtIdentity:
        """``search`` has finished; None unless ``needs_dicom``. Raises SegmentationError for a CT that will not do."""

    def arguments(self, folder: Path, segment_ids: list[str]) -> list[str]:
        """The program's command; ``segment_ids`` were handed over in ``folder``, removed when the task ends."""

    def finish(self, finished: ExportFinishedEvent, is_cancelled: Callable[[], bool]) -> Generator[int, None, Any]:
        """The program has done its part; returns the result. Each value is how many milliseconds may pass before it
        goes on. ``is_cancelled``: somebody wants the rest to be left out."""

    def discard(self) -> None:
        """Always called last, whatever became of it: nothing unfinished may stay."""


class TaskView(Protocol):
    """Whoever shows a background task. All calls come from the event loop of the application."""

    def on_busy(self, is_busy: bool, is_cancelling: bool) -> None: ...

    def on_progress(self, fraction: float, step: str, item: str) -> None:
        """``step``: one of ExportStep.ALL or of the STEP_ names here."""

    def on_warning(self, problem: Problem) -> None: ...

    def on_log(self, text: str) -> None:
        """What the program wrote to its log, where the background task failed."""

    def on_failed(self, failure: Failure) -> None: ...

    def on_cancelled(self) -> None: ...

    def on_finished(self, result: Any) -> None:
        """``result``: what the background task's ``finish`` has returned."""


class TaskSession:
    """One background task at a time."""

    def __init__(self, view: TaskView) -> None:
        self._view = view
        self._ticker = Ticker(self._tick)
        self._removal = FolderRemoval()
        self._task: BackgroundTask | None = None
        self._course: Generator[int, None, tuple[ProcessResult, Any]] | None = None
        self._process: OneShotProcess | None = None
        self._is_cancelling = False
        self._fraction = 0.0

    @property
    def is_busy(self) -> bool:
        return self._course is not None

    def start(self, task: BackgroundTask) -> None:
        """Only while not busy; everything that goes wrong is told to the view."""
        if self.is_busy:
            raise RuntimeError("a background task is under way already")
        self._is_cancelling, self._fraction = False, 0.0
        self._task = task
        self._course = self._run_task(task)
        self._view.on_busy(True, False)
        self._report_progress(0.0, STEP_PREPARING)
        self._ticker.start()

    def cancel(self) -> None:
        """Stop the background task; nothing of it stays."""
        if self._process is not None:
            if not self._is_cancelling:
                self._is_cancelling = True
                self._process.cancel(CANCEL_SECONDS)
                self._view.on_busy(True, True)
        elif self._course is not None:
            self._end()
            self._view.on_cancelled()

    def scene_closing(self) -> None:
        """What was not handed over yet is gone with the scene, and so is what would come into it."""
        if self._task is not None and (self._process is None or not self._task.outlives_scene):
            self.cancel()

    def dispose(self) -> None:
        """The application quits or the module is reloaded: the background task ends and leaves nothing."""
        self._ticker.dispose()
        if self._process is not None:
            self._process.stop(QUIT_SECONDS)
        if self._course is not None:
            self._course.close()
            self._course = None
        self._removal.finish()

    # -- the course of a background task -------------------------------------------------------------------------------

    def _tick(self) -> int | None:
        self._removal.step()
        if self._course is not None:
            try:
                return next(self._course)
            except StopIteration as stop:
                self._end()
                self._report(*stop.value)
            except SegmentationError as error:
                self._fail(failure_of(error.problem))
            except OSError as error:
                self._fail(failure_of(problem_of_os_error(error, settings.work_folder())))
            except Exception as error:
                logging.exception("The export could not be followed")
                self._fail(failure_of(Problem("INTERNAL_ERROR", {"kind": type(error).__name__})))
        return _CLEARING_MS if self._removal.is_busy else None

    def _run_task(self, task: BackgroundTask) -> Generator[int, None, tuple[ProcessResult, Any]]:
        """Everything in its order; each value is how many milliseconds may pass before it goes on.

        Returns how the program ended, and the result unless it failed or was cancelled.
        """
        search = InstanceSearch(task.ct) if task.needs_dicom else None
        while search is not None and not search.finished:
            search.step(_WORK_SECONDS)
            yield 0
        identity = task.identity(search)
        folder = create_owned_folder(jobs_folder(settings.work_folder()), new_id())
        try:
            transfer = SegmentationTransfer(task.segmentation, task.segment_ids, task.ct, identity, folder)
            yield from self._hand_over(transfer)
            end = yield from self._run(task.arguments(folder, transfer.segment_ids), task.log_file)
            if self._is_cancelling and not task.outlives_scene:  # it was quicker, but the scene may be another one
                end = ProcessResult(is_cancelled=True)
            if end.finished is None:
                return end, None
            result = yield from task.finish(end.finished, lambda: self._is_cancelling)
            return end, result
        finally:
            self._process = None
            self._removal.add(folder)
            task.discard()

    def _hand_over(self, transfer: SegmentationTransfer) -> Generator[int, None, None]:
        try:
            while not transfer.step(_WORK_SECONDS):
                self._report_progress(_HANDING_OVER_SHARE * transfer.fraction, STEP_HANDING_OVER)
                yield _HANDING_OVER
        finally:
            transfer.close()

    def _run(self, arguments: list[str], log_file: str) -> Generator[int, None, ProcessResult]:
        engine = installed_engine.engine_environment()
        process = OneShotProcess(
            [engine.python, str(engine.program), *arguments],
            engine.process_environment(),
            create_owned_folder(jobs_folder(settings.work_folder()), new_id()),
            _PROTOCOL,
            settings.work_folder() / log_file,
        )
        self._process = process
        self._report_progress(_HANDING_OVER_SHARE, STEP_STARTING)
        while process.end is None:
            for event in process.poll():
                self._on_event(event)
            yield _RUNNING_MS
        return process.end

    def _on_event(self, event) -> None:
        if isinstance(event, ExportProgressEvent):
            own = _HANDING_OVER_SHARE
            self._report_progress(own + (1.0 - own) * event.fraction, event.step, event.item)
        elif isinstance(event, WarningEvent):
            self._view.on_warning(problem_of_event(event))

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _report(self, end: ProcessResult, result: Any) -> None:
        if end.finished is not None:
            self._view.on_finished(result)
        elif end.is_cancelled:
            self._view.on_cancelled()
        else:  # a program that says nothing at all has died as well
            died = failure_of(Problem(_PROTOCOL.died, {"status": 0}))
            if end.messages:
                self._view.on_log(end.messages)
            self._view.on_failed(end.failure or died)

    def _fail(self, failure: Failure) -> None:
        self._end()
        self._view.on_failed(failure)

    def _end(self) -> None:
        course, self._course = self._course, None
        if course is not None:
            course.close()
        self._task = None
        self._ticker.start()  # to remove what is left
        self._view.on_busy(False, False)

    def _report_progress(self, fraction: float, step: str, item: str = "") -> None:
        self._fraction = max(self._fraction, fraction)
        self._view.on_progress(self._fraction, step, item)
