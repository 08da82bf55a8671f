"""One export from the click to the file: looks the CT's files up, hands the segmentation over, follows the program.

It knows the scene and Qt's timer, but no widgets; what happens is told to a view.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from TotalSegmentatorWire.errors import Problem, SegmentationError
from TotalSegmentatorWire.export_messages import EXPORT_EVENTS, ExportFinishedEvent, ExportProgressEvent
from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.messages import WarningEvent

from . import engine_choice, settings
from .dicom_database import add_to_database
from .dicom_instances import InstanceSearch
from .engine_failures import problem_of_event, problem_of_os_error
from .export_destination import ExportDestination, file_name
from .export_order import ExportOrder, export_arguments
from .export_transfer import CtIdentity, SegmentationTransfer
from .folder_removal import FolderRemoval
from .one_shot_process import Conversation, Failure, OneShotProcess, ProcessEnd, failure_of
from .review_tags import digests_of, mark_edited
from .ticker import Ticker

CANCEL_SECONDS = 3.0
QUIT_SECONDS = 1.0
LOG_FILE = "export.log"
_CONVERSATION = Conversation(EXPORT_EVENTS, ExportFinishedEvent, "EXPORT_DIED")
_HANDING_OVER, _RUNNING_MS, _CLEARING_MS = 5, 50, 30
_WORK_SECONDS = 0.012
_HANDING_OVER_SHARE = 0.1
"""Of the whole export's progress."""

STEP_PREPARING, STEP_HANDING_OVER, STEP_STARTING = "preparing", "handing over", "starting"
"""Steps that only this side knows, beside ExportStep.ALL."""


@dataclass(frozen=True)
class ExportResult:
    """What was written: ``paths`` in ``folder``."""

    paths: tuple[Path, ...]
    folder: Path
    structures: int
    seconds: float
    in_database: bool | None
    """Whether it was added to Slicer's DICOM database; None where that was not asked for."""


class ExportView(Protocol):
    """Whoever shows an export. All calls come from the event loop of the application."""

    def on_export_busy(self, is_busy: bool, is_cancelling: bool) -> None: ...

    def on_export_progress(self, fraction: float, step: str, item: str) -> None:
        """``step``: one of ExportStep.ALL or of the STEP_ names here."""

    def on_export_warning(self, problem: Problem) -> None: ...

    def on_export_log(self, text: str) -> None:
        """What the program wrote to its log, where the export failed."""

    def on_export_failed(self, failure: Failure) -> None: ...

    def on_export_cancelled(self) -> None: ...

    def on_export_finished(self, result: ExportResult) -> None: ...


class ExportSession:
    """One export at a time. After the segmentation was handed over, the scene may be closed: the export goes on."""

    def __init__(self, view: ExportView) -> None:
        self._view = view
        self._ticker = Ticker(self._tick)
        self._removal = FolderRemoval()
        self._course: Generator[int, None, ExportResult | ProcessEnd] | None = None
        self._process: OneShotProcess | None = None
        self._is_cancelling = False
        self._fraction = 0.0

    @property
    def is_busy(self) -> bool:
        return self._course is not None

    def start(self, order: ExportOrder) -> None:
        """Only while not busy; everything that goes wrong is told to the view."""
        if self.is_busy:
            raise RuntimeError("an export is running already")
        self._is_cancelling, self._fraction = False, 0.0
        self._course = self._export(order)
        self._view.on_export_busy(True, False)
        self._tell_progress(0.0, STEP_PREPARING)
        self._ticker.start()

    def cancel(self) -> None:
        """Stop the export; nothing of it stays."""
        if self._process is not None:
            if not self._is_cancelling:
                self._is_cancelling = True
                self._process.cancel(CANCEL_SECONDS)
                self._view.on_export_busy(True, True)
        elif self._course is not None:
            self._end()
            self._view.on_export_cancelled()

    def scene_closing(self) -> None:
        """What was not handed over yet is gone with the scene."""
        if self._process is None:
            self.cancel()

    def dispose(self) -> None:
        """The application quits or the module is reloaded: the export ends and leaves nothing."""
        self._ticker.dispose()
        if self._process is not None:
            self._process.stop(QUIT_SECONDS)
        if self._course is not None:
            self._course.close()
            self._course = None
        self._removal.finish()

    # -- the course of an export ---------------------------------------------------------------------------------------

    def _tick(self) -> int | None:
        self._removal.step()
        if self._course is not None:
            try:
                return next(self._course)
            except StopIteration as stop:
                self._end()
                self._tell(stop.value)
            except SegmentationError as error:
                self._fail(failure_of(error.problem))
            except OSError as error:
                self._fail(failure_of(problem_of_os_error(error, settings.work_folder())))
            except Exception as error:
                logging.exception("The export could not be followed")
                self._fail(failure_of(Problem("INTERNAL_ERROR", {"kind": type(error).__name__})))
        return _CLEARING_MS if self._removal.is_busy else None

    def _export(self, order: ExportOrder) -> Generator[int, None, ExportResult | ProcessEnd]:
        """Everything in its order; each value is how many milliseconds may pass before it goes on."""
        identity = CtIdentity(sends_voxels=_needs_voxels(order))  # what is no DICOM goes out on the grid of the volume
        if order.needs_dicom:
            search = InstanceSearch(order.ct)
            while not search.finished:
                search.step(_WORK_SECONDS)
                yield 0
            identity = _identity(search, order)
        folder = create_owned_folder(jobs_folder(settings.work_folder()), new_id())
        destination = None
        try:
            transfer = SegmentationTransfer(order.segmentation, order.segment_ids, order.ct, identity, folder)
            yield from self._hand_over(transfer)
            digests = digests_of(order.segmentation, transfer.segment_ids)
            destination = ExportDestination(order.folder, file_name(order.segmentation.GetName() or ""))
            is_folder = order.needs_dicom and not identity.instance_uids
            output = destination.output("" if is_folder else order.options.format.suffix)
            end = yield from self._run(export_arguments(order, folder, output))
            if end.finished is None:
                return end
            paths = destination.publish()
            mark_edited(order.segmentation, end.finished.edited, digests)
            return _result(order, end.finished, paths)
        finally:
            self._process = None
            self._removal.add(folder)
            if destination is not None:
                destination.discard()

    def _hand_over(self, transfer: SegmentationTransfer) -> Generator[int, None, None]:
        try:
            while not transfer.step(_WORK_SECONDS):
                self._tell_progress(_HANDING_OVER_SHARE * transfer.fraction, STEP_HANDING_OVER)
                yield _HANDING_OVER
        finally:
            transfer.close()

    def _run(self, arguments: list[str]) -> Generator[int, None, ProcessEnd]:
        engine = engine_choice.engine_environment()
        process = OneShotProcess(
            [engine.python, str(engine.program), *arguments],
            engine.process_environment(),
            create_owned_folder(jobs_folder(settings.work_folder()), new_id()),
            _CONVERSATION,
            log_path(),
        )
        self._process = process
        self._tell_progress(_HANDING_OVER_SHARE, STEP_STARTING)
        while process.end is None:
            for event in process.poll():
                self._on_event(event)
            yield _RUNNING_MS
        return process.end

    def _on_event(self, event) -> None:
        if isinstance(event, ExportProgressEvent):
            own = _HANDING_OVER_SHARE
            self._tell_progress(own + (1.0 - own) * event.fraction, event.step, event.item)
        elif isinstance(event, WarningEvent):
            self._view.on_export_warning(problem_of_event(event))

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _tell(self, outcome: ExportResult | ProcessEnd) -> None:
        if isinstance(outcome, ExportResult):
            self._view.on_export_finished(outcome)
        elif outcome.is_cancelled:
            self._view.on_export_cancelled()
        else:  # a program that says nothing at all has died as well
            died = failure_of(Problem(_CONVERSATION.died, {"status": 0}))
            if outcome.messages:
                self._view.on_export_log(outcome.messages)
            self._view.on_export_failed(outcome.failure or died)

    def _fail(self, failure: Failure) -> None:
        self._end()
        self._view.on_export_failed(failure)

    def _end(self) -> None:
        course, self._course = self._course, None
        if course is not None:
            course.close()
        self._ticker.start()  # to remove what is left
        self._view.on_export_busy(False, False)

    def _tell_progress(self, fraction: float, step: str, item: str = "") -> None:
        self._fraction = max(self._fraction, fraction)
        self._view.on_export_progress(self._fraction, step, item)


def _result(order: ExportOrder, finished: ExportFinishedEvent, paths: list[Path]) -> ExportResult:
    in_database = add_to_database(paths) if order.adds_to_database and order.needs_dicom else None
    return ExportResult(tuple(paths), order.folder, finished.structures, finished.seconds, in_database)


def log_path() -> Path:
    """The log of all exports."""
    return settings.work_folder() / LOG_FILE


def _identity(search: InstanceSearch, order: ExportOrder) -> CtIdentity:
    """Raises SegmentationError("EXPORT_FILES_MISSING")."""
    if search.missing:
        raise SegmentationError("EXPORT_FILES_MISSING", count=search.missing)
    return CtIdentity(search.uids, tuple(search.files), sends_voxels=order.needs_dicom and not search.uids)


def _needs_voxels(order: ExportOrder) -> bool:
    """For the body's outline and the mean values of structures."""
    return order.options.has_outline or order.options.format.kind == "volumes"
