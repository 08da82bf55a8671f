"""One panel's jobs from the click to the segmentation: looks up the CT's files, runs the job, imports the result.

It knows the scene and Qt's timer, but no widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError, TaskEnd, TaskRunner, ignore
from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease
from TotalSegmentatorModuleLib.model_choices import check_installed
from TotalSegmentatorModuleLib.preview.place import PlaceOfPreview, ShownPreview
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scene.ct_source import VolumeCtSource, check_ct
from TotalSegmentatorModuleLib.scene.dicom.files import DicomFileSearch
from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice
from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage, find_ct
from TotalSegmentatorModuleLib.segment.job import SegmentationJob
from TotalSegmentatorModuleLib.segment.job_types import JobBusyError, JobCallbacks, JobSettings
from TotalSegmentatorModuleLib.segment.progress_text import STAGE_PREPARING
from TotalSegmentatorModuleLib.segment.result_import import ResultImport
from TotalSegmentatorModuleLib.segment.result_name import result_name
from TotalSegmentatorModuleLib.segment.result_reader import read_computed
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess


class Arrival(Protocol):
    """Takes a result that is no segmentation of its own."""

    def task(self, header: ResultHeader, images: Sequence[LabelImage], computed: str) -> Generator[int, None, Any]:
        """A part of a background task: returns the vtkMRMLSegmentationNode that has taken it, None where that has gone:
        then it becomes a segmentation of its own. ``images``: of each layer; ``computed``: as ``computed_to_json``
        packs it, or empty. Ended early, it has not touched the scene."""

    def arrived(self) -> None:
        """It has been taken, and the next job can begin."""


@dataclass(frozen=True)
class JobOrder:
    """What to segment and where to put it."""

    ct: object
    """vtkMRMLScalarVolumeNode"""
    requests: tuple[ModelRequest, ...]
    """At least one; each with the names as its model has them."""
    models_folder: Path
    device: str = "auto"
    output: object = None
    """vtkMRMLSegmentationNode whose segments are replaced; None makes a new one."""
    arrival: Arrival | None = None
    """Takes the result in place of ``output``."""
    options: JobOptions = field(default_factory=JobOptions)
    server: DepartmentServer | None = None
    """Where to run it; None for this computer. Models and devices are the server's own then."""
    is_queued: bool = False
    """The queue starts it, in its turn."""

    @property
    def settings(self) -> JobSettings:
        """What to run. A preview is for somebody who waits for a segmentation of its own."""
        is_watched = self.arrival is None and self.server is None and not self.is_queued
        options = replace(self.options, preview=self.options.preview and is_watched)
        return JobSettings(self.requests, self.models_folder, self.device, options, self.server)


class SegmentationSession:
    """Runs one job at a time, in one worker that stays alive between jobs."""

    def __init__(self, callbacks: JobCallbacks) -> None:
        self._callbacks = callbacks
        self._runner = TaskRunner(Ticker, settings.work_folder(), callbacks.on_busy, self._tidy_up)
        self._manager: WorkerManager | None = None
        self._job: SegmentationJob | None = None
        self._ct: VolumeCtSource | None = None
        self._preview: ShownPreview | None = None
        self._on_order_end: Callable[[TaskEnd], None] = ignore
        self._arrival: Arrival | None = None
        self._clicked = ""
        """The structure that the user has clicked last."""
        self.order: JobOrder | None = None
        """Of the job that was started last; None where that imports a result."""
        self._import = ResultImport(callbacks)

    # -- what the panel asks for ---------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    @property
    def manager(self) -> WorkerManager | None:
        """None before anything was asked of a worker."""
        return self._manager

    @property
    def job_id(self) -> str:
        """Of the job that runs or has just ended; empty before it has one, and where a result is only imported."""
        return self._job.id if self._job is not None else ""

    def apply(self, order: JobOrder, on_end: Callable[[TaskEnd], None] = ignore) -> None:
        """Start a job. ``on_end`` is called after the session's own callbacks, with the node and the header as the
        result; a job that is ended from outside counts as cancelled.

        Raises JobBusyError while a job runs, SegmentationError for problems that are known at once.
        """
        self._require_idle()
        check_ct(order.ct)
        if order.server is None:
            for request in order.requests:
                check_installed(request.model, order.models_folder)
        self._callbacks.on_progress(0.0, STAGE_PREPARING, None, 0, 0)
        self._prepare(VolumeCtSource(order.ct))
        if self._clicked:
            self._job.ask_first(self._clicked)
        self.order, self._arrival = order, order.arrival
        task = self._segment(order, DicomFileSearch(order.ct), OutputChoice(order.output))
        self._on_order_end = on_end
        self._runner.start(task, self._on_end)

    def cancel(self) -> None:
        """Stop the job, if there is one; ``on_cancelled`` follows at once or within 2 s."""
        self._runner.cancel()

    def input_removed(self, node_id: str) -> None:
        """A node has left the scene; cancels the job if it was the job's CT. A result that is arriving stands alone."""
        is_of_job = self.is_busy and self._ct is not None and self._ct.node_id == node_id
        if is_of_job and not self._job.is_receiving:
            self._runner.cancel(Problem("INPUT_REMOVED"))

    def scene_closed(self) -> None:
        """The scene is being closed: the job ends, a result that is arriving waits for its import."""
        if self.is_busy and self._job.is_receiving:
            self._stop()
        else:
            self._runner.cancel()

    def lease(self, ct) -> WorkerLease | None:
        """The resident worker for a command on ``ct`` (vtkMRMLScalarVolumeNode); None while a job runs, and where it
        does not hold that CT."""
        return None if self._manager is None or self.is_busy else self._manager.lease(VolumeCtSource(ct))

    def start_engine(self) -> WorkerProcess | None:
        """The engine that runs, or one that is being started ahead of a job; None while a job runs. Raises OSError
        where it cannot be started."""
        if self.is_busy:
            return None
        worker = self._active_manager().ensure_worker()
        self._runner.wake()  # which follows it from now on
        return worker

    def ask_first(self, structure: str) -> None:
        """The user wants this structure before others, of the job that runs or of the next one."""
        self._clicked = structure
        if self.is_busy and self._job is not None:
            self._job.ask_first(structure)

    def shutdown(self) -> None:
        """End the job and the engine at once, without waiting. The session may be used again afterwards."""
        self._stop()
        self.finish_import()
        if self._manager is not None:
            self._manager.shutdown()
            self._manager = None

    def finish_import(self) -> None:
        """Show the last result in Slicer's trees at once, where that is still going on."""
        self._import.finish()

    def restart_engine(self) -> None:
        """The engine's folder has changed: the next job starts it anew."""
        if not self.is_busy:
            self.shutdown()

    def dispose(self) -> None:
        """Shut down for good."""
        self._runner.dispose()
        self.shutdown()

    # -- unimported results --------------------------------------------------------------------------------------------

    def look_for_unimported_results(self) -> None:
        """Report which finished results were not imported."""
        headers = self._active_manager().unimported_results() if not self.is_busy else []
        self._callbacks.on_unimported_results(headers)

    def has_unimported(self, job_id: str) -> bool:
        """Whether a job's result is finished and was not imported."""
        return any(header.job_id == job_id for header in self._active_manager().unimported_results())

    def import_saved_result(
        self,
        job_id: str,
        ct=None,
        on_end: Callable[[TaskEnd], None] = ignore,
        arrival: Arrival | None = None,
    ) -> None:
        """Import a result that was not imported: on ``ct`` if its grid fits, else on the volume whose grid does; or
        give it to ``arrival``. Raises JobBusyError. The result is kept if this is cancelled or fails. ``on_end`` as in
        ``apply``."""
        self._require_idle()
        self._prepare(VolumeCtSource(ct) if ct is not None else None)
        self.order, self._arrival, self._on_order_end = None, arrival, on_end
        self._runner.start(self._receive(job_id), self._on_end)

    def discard_result(self, job_id: str) -> None:
        self._active_manager().discard_result(job_id)
        self._runner.wake()

    # -- the course of a job -------------------------------------------------------------------------------------------

    def _segment(
        self, order: JobOrder, search: DicomFileSearch, output: OutputChoice
    ) -> Generator[int, None, tuple[Any, ResultHeader]]:
        while not search.finished:
            search.step()
            yield 0
        self._ct.dicom_files = search.files
        header, images = yield from self._job.run(self._ct, order.settings)
        if self._preview is not None:
            callbacks = self._callbacks
            output = PlaceOfPreview(output, self._preview, callbacks.on_preview_kept, callbacks.on_surfaces_gone)
        try:
            return (yield from self._hand_over(header, images, output))
        except TaskCancelledError:
            self._manager.discard_result(header.job_id)
            raise

    def _take_preview(self, job_id: str) -> Generator[int, None, None]:
        """Import the preview of the job that goes on, as a segmentation of its own."""
        try:
            header, images = yield from self._job.read(job_id)
            node, _header = yield from self._import_task(header, images, OutputChoice(None))
        except BaseException:
            self._manager.discard_result(job_id)
            raise
        edited_name = result_name(self._ct.node.GetName(), header, is_edited=True)
        self._preview = ShownPreview(node, edited_name)
        self._callbacks.on_preview(node, header, self.order.output is not None)

    def _receive(self, job_id: str) -> Generator[int, None, tuple[Any, ResultHeader]]:
        header, images = yield from self._job.receive(job_id)
        return (yield from self._hand_over(header, images, OutputChoice(None)))

    def _hand_over(
        self, header: ResultHeader, images: Sequence[LabelImage], output: OutputChoice
    ) -> Generator[int, None, tuple[Any, ResultHeader]]:
        """To what takes the result, or into the scene as a segmentation of its own."""
        if self._arrival is not None:
            computed = read_computed(self._manager.result_folder(header.job_id))
            node = yield from self._arrival.task(header, images, computed)
            if node is not None:
                self._imported(node, header.job_id)
                return node, header
            self._arrival = None
        return (yield from self._import_task(header, images, output))

    def _import_task(
        self, header: ResultHeader, images: Sequence[LabelImage], choice: OutputChoice
    ) -> Generator[int, None, tuple[Any, ResultHeader]]:
        return self._import.task(
            header,
            images,
            lambda: find_ct(header, self._ct.node if self._ct is not None else None),
            choice,
            read_computed(self._manager.result_folder(header.job_id)),
            lambda node: self._imported(node, header.job_id),
        )

    def _imported(self, node, job_id: str) -> None:
        """The result is in the scene; its files go when it is safe there."""
        manager = self._manager
        manager.result_imported(job_id)

        def discard() -> None:
            manager.discard_result(job_id)
            self._runner.wake()

        self._callbacks.call_when_safe(node, discard)

    def _stop(self) -> None:
        """End the job at once."""
        self._runner.stop()
        self._end_order(TaskEnd(is_cancelled=True))

    def _on_end(self, end: TaskEnd) -> None:
        try:
            self._report_end(end)
        finally:
            self._end_order(end)

    def _end_order(self, end: TaskEnd) -> None:
        on_end, self._on_order_end = self._on_order_end, ignore
        on_end(end)

    def _report_end(self, end: TaskEnd) -> None:
        if end.problem is not None:
            self.look_for_unimported_results()  # the result, if there was one, is kept
            self._callbacks.on_failed(end.problem)
        elif end.is_cancelled:
            self._callbacks.on_cancelled()
        elif self._arrival is not None:
            self._arrival.arrived()
        else:
            self._callbacks.on_result(*end.result)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _require_idle(self) -> None:
        if self.is_busy:
            raise JobBusyError(_("A segmentation is already running. Wait until it is finished, or cancel it."))

    def _prepare(self, ct: VolumeCtSource | None) -> None:
        self._ct, self._preview = ct, None
        self._job = SegmentationJob(self._active_manager(), self._callbacks, LabelImage, self._take_preview)

    def _active_manager(self) -> WorkerManager:
        if self._manager is None:
            engine = installed_engine.engine_environment()
            self._manager = WorkerManager(engine, settings.work_folder(), self._callbacks.on_log)
        return self._manager

    def _tidy_up(self) -> int | None:
        waits = [self._import.step(), self._manager.step() if self._manager is not None else None]
        return min((wait for wait in waits if wait is not None), default=None)
