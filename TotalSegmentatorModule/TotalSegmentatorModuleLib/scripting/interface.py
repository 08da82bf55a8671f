"""The functions of the module's logic for scripts: one job or export at a time, which a script waits for or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
import vtk
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import process_result
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner, ignore
from TotalSegmentatorModuleLib.export.order import ExportOrder
from TotalSegmentatorModuleLib.export.task import ExportTask
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scripting.event_loop import wait_until
from TotalSegmentatorModuleLib.scripting.logged_job import log_callbacks, log_warning
from TotalSegmentatorModuleLib.segment.job_types import JobBusyError, JobCallbacks
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession
from TotalSegmentatorModuleLib.tasks.program_run import ProgramRun


class ScriptInterface:
    """``session`` is the panel's where a panel was made, which then shows a script's job as well; else one is made that
    reports to Slicer's log."""

    def __init__(self) -> None:
        self._session: SegmentationSession | None = None
        self._own_session: OwnSession | None = None
        self._end: TaskEnd | None = None
        self._is_waited_for = False

    def make_session(self, callbacks: JobCallbacks) -> SegmentationSession:
        """The session that the panel and scripts use from now on."""
        self.close()
        self._session = SegmentationSession(callbacks)
        return self._session

    # -- segmentation --------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a segmentation runs, whoever started it."""
        return self._session is not None and self._session.is_busy

    def start(self, order: JobOrder) -> None:
        """Raises SegmentationError, JOB_RUNNING among others."""
        session = self._active_session()
        try:
            session.apply(order, self._on_end)
        except JobBusyError as error:
            raise SegmentationError("JOB_RUNNING") from error
        self._end = None
        self._is_waited_for = True

    def wait(self):
        """The vtkMRMLSegmentationNode of the job that was started last. Raises SegmentationError; RuntimeError where no
        job was started."""
        if not self._is_waited_for:
            raise RuntimeError("process has not started a segmentation")
        if not wait_until(lambda: self._end is not None):
            self.close()  # Slicer quits
        if self._session is not None:
            self._session.finish_import()
        return _result_of(self._end)[0]

    def cancel(self) -> None:
        """Stop the segmentation that runs, if one does."""
        if self._session is not None:
            self._session.cancel()

    def close(self) -> None:
        """End the segmentation and the background process. The next job starts a new one."""
        if self._session is not None:
            self._session.shutdown()
        if self._own_session is not None:
            self._own_session.dispose()
            self._own_session = self._session = None

    def _active_session(self) -> SegmentationSession:
        if self._session is None:
            self._own_session = OwnSession(self.close)
            self._session = self._own_session.session
        return self._session

    def _on_end(self, end: TaskEnd) -> None:
        self._end = end

    # -- export --------------------------------------------------------------------------------------------------------

    def export(self, order: ExportOrder) -> list[Path]:
        """Export and wait; returns the paths of what was written. Raises SegmentationError."""
        ends: list[TaskEnd] = []
        removal = FolderRemoval()
        runner = TaskRunner(Ticker, settings.work_folder(), tidy_up=removal.step)
        run = ProgramRun(ExportTask(order), removal, ignore, log_warning)
        runner.start(run.task(), ends.append)
        try:
            wait_until(lambda: bool(ends))
        finally:
            runner.dispose()
            removal.finish()
        end = process_result(ends[0] if ends else TaskEnd(is_cancelled=True))
        if end.failure is not None:
            raise _error(end.failure.problem or Problem("INTERNAL_ERROR", {"kind": end.failure.code}))
        if end.is_cancelled:
            raise SegmentationError("CANCELLED")
        return list(end.finished.paths)


class OwnSession:
    """A session without a panel: it reports to Slicer's log, and follows the scene and the application's end."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.session = SegmentationSession(log_callbacks())
        self._close = close
        self._scene = slicer.mrmlScene
        events = {self._scene.StartCloseEvent: self._on_closing, self._scene.NodeRemovedEvent: self._on_node_removed}
        self._tags = [self._scene.AddObserver(event, function) for event, function in events.items()]
        slicer.app.connect("aboutToQuit()", self._close)

    def dispose(self) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        slicer.app.disconnect("aboutToQuit()", self._close)
        self.session.dispose()

    def _on_closing(self, _scene, _event) -> None:
        self.session.scene_closed()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_removed(self, _scene, _event, node) -> None:
        self.session.input_removed(node.GetID())


def _result_of(end: TaskEnd | None) -> tuple:
    """Raises SegmentationError for an end without a result."""
    if end is None or end.is_cancelled:
        raise SegmentationError("CANCELLED")
    if end.problem is not None:
        raise _error(end.problem)
    return end.result


def _error(problem: Problem) -> SegmentationError:
    return SegmentationError(problem.code, **problem.values)
