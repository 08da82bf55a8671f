"""One run of the export program: looks the CT's files up, hands the segmentation over, follows the program.

It knows the scene, but no widgets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.messages.export import EXPORT_EVENTS, ExportFinishedEvent, ExportProgressEvent
from TotalSegmentatorWire.messages.segment import WarningEvent

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.background.command_process import (
    OneShotProcess,
    ProcessProtocol,
    ProcessResult,
    failure_of,
)
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event
from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError
from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease
from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity, SegmentationTransfer
from TotalSegmentatorModuleLib.tasks.worker_command import WorkerCommand

CANCEL_SECONDS = 3.0
QUIT_SECONDS = 1.0
_PROTOCOL = ProcessProtocol(EXPORT_EVENTS, ExportFinishedEvent, "EXPORT_DIED")
_HANDING_OVER_MS, _RUNNING_MS = 5, 50
_WORK_SECONDS = 0.012
_HANDING_OVER_SHARE = 0.1
"""Of the whole run's progress."""

OTHER_FOLDER = "other"
"""In the folder of a ProgramTask."""

STEP_PREPARING, STEP_HANDING_OVER, STEP_STARTING = "preparing", "handing over", "starting"
"""Steps that only this side knows, beside ExportStep.ALL."""


class ProgramTask(Protocol):
    """What is handed over to the program, and what is made of its answer. Its methods are called in this order."""

    segmentation: Any
    """vtkMRMLSegmentationNode"""
    segment_ids: tuple[str, ...]
    ct: Any
    """vtkMRMLScalarVolumeNode"""
    other: Any
    """Another vtkMRMLSegmentationNode that is handed over whole, in the folder OTHER_FOLDER; may be None."""
    needs_dicom: bool
    """Whether the CT's DICOM files are looked up."""
    outlives_scene: bool
    """Whether it goes on when the scene is closed after the handing over."""
    log_file: str
    """Name of the file to which the program writes its log."""

    def identity(self, search: InstanceSearch | None) -> CtIdentity:
        """``search`` has finished; None unless ``needs_dicom``. Raises SegmentationError for a CT that will not do."""

    def arguments(self, folder: Path, segment_ids: list[str]) -> list[str]:
        """The program's command; ``segment_ids`` were handed over in ``folder``, removed when the run ends."""

    def finish(self, finished: ExportFinishedEvent) -> Generator[int, None, Any]:
        """A task (see task_runner): the program has done its part; returns the result."""

    def discard(self) -> None:
        """Always called last, whatever became of it: nothing unfinished may stay."""


class ProgramRun:
    """``task`` is what a TaskRunner runs; ``on_progress`` gets fraction (0..1, never falling), step (one of
    ExportStep.ALL or of the STEP_ names here) and item.

    ``on_warning`` gets the warnings at the end: of a run that was cancelled, or whose result could not be put into its
    place, they would speak of what is not there.
    """

    def __init__(
        self,
        order: ProgramTask,
        removal: FolderRemoval,
        on_progress: Callable[[float, str, str], None],
        on_warning: Callable[[Problem], None],
        lease: WorkerLease | None = None,
    ) -> None:
        """``lease``: the worker that takes the place of the program."""
        self._order = order
        self._lease = lease
        self._removal = removal
        self._on_progress = on_progress
        self._on_warning = on_warning
        self._warnings: list[Problem] = []
        self._process: OneShotProcess | WorkerCommand | None = None
        self._fraction = 0.0

    @property
    def needs_scene(self) -> bool:
        """Whether what is still to be handed over, or what comes back, belongs to the scene."""
        return self._process is None or not self._order.outlives_scene

    def task(self) -> Generator[int, None, ProcessResult]:
        """Everything in its order. ``finished`` of what it returns is what the order's ``finish`` has returned."""
        order = self._order
        self._report_progress(0.0, STEP_PREPARING)
        search = InstanceSearch(order.ct) if order.needs_dicom else None
        while search is not None and not search.finished:
            search.step(_WORK_SECONDS)
            yield 0
        identity = order.identity(search)
        if self._lease is not None:
            identity = dataclasses.replace(identity, sends_voxels=False)
        folder = create_owned_folder(jobs_folder(settings.work_folder()), new_id())
        try:
            transfer = SegmentationTransfer(order.segmentation, order.segment_ids, order.ct, identity, folder)
            share = _HANDING_OVER_SHARE if order.other is None else _HANDING_OVER_SHARE / 2
            yield from self._hand_over(transfer, 0.0, share)
            if order.other is not None:
                (folder / OTHER_FOLDER).mkdir()
                whole = all_segments(order.other)
                other = SegmentationTransfer(order.other, whole, order.ct, identity, folder / OTHER_FOLDER)
                yield from self._hand_over(other, share, share)
            end = yield from self._run_program(order.arguments(folder, transfer.segment_ids))
            if end.is_success:
                end = dataclasses.replace(end, finished=(yield from order.finish(end.finished)))
            for warning in self._warnings:
                self._on_warning(warning)
            return end
        finally:
            self._removal.add(folder)
            order.discard()

    def _hand_over(self, transfer: SegmentationTransfer, done: float, share: float) -> Generator[int, None, None]:
        """``done`` of the whole is behind us, and this is its ``share``."""
        try:
            while not transfer.step(_WORK_SECONDS):
                self._report_progress(done + share * transfer.fraction, STEP_HANDING_OVER)
                yield _HANDING_OVER_MS
        finally:
            transfer.close()

    def _run_program(self, arguments: list[str]) -> Generator[int, None, ProcessResult]:
        self._report_progress(_HANDING_OVER_SHARE, STEP_STARTING)
        self._process = self._started(arguments)
        end = yield from self._process.follow(_RUNNING_MS, CANCEL_SECONDS, QUIT_SECONDS, self._on_event)
        if self._process.is_cancelling:  # also where the program was quicker
            raise TaskCancelledError
        if end.is_success and end.finished is None:  # a program that says nothing at all has died as well
            return dataclasses.replace(end, failure=failure_of(Problem(_PROTOCOL.died, {"status": 0})))
        return end

    def _started(self, arguments: list[str]) -> OneShotProcess | WorkerCommand:
        engine = installed_engine.engine_environment() if self._lease is None else None
        folder = create_owned_folder(jobs_folder(settings.work_folder()), new_id())
        if engine is None:
            return WorkerCommand(self._lease, arguments, folder, _PROTOCOL)
        return OneShotProcess(
            [engine.python, str(engine.program), *arguments],
            engine.process_environment(),
            folder,
            _PROTOCOL,
            settings.work_folder() / self._order.log_file,
        )

    def _on_event(self, event: Any) -> None:
        if isinstance(event, ExportProgressEvent):
            own = _HANDING_OVER_SHARE
            self._report_progress(own + (1.0 - own) * event.fraction, event.step, event.item)
        elif isinstance(event, WarningEvent):
            self._warnings.append(problem_of_event(event))

    def _report_progress(self, fraction: float, step: str, item: str = "") -> None:
        self._fraction = max(self._fraction, fraction)
        self._on_progress(self._fraction, step, item)
