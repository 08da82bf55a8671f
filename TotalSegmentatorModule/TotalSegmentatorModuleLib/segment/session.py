"""One panel's jobs from the click to the segmentation: prepares the CT, drives the controller, imports the result.

It knows the scene and Qt's timer, but no widgets; what happens is told to a view.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.model_choices import check_installed
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scene.ct_source import VolumeCtSource, check_ct
from TotalSegmentatorModuleLib.scene.dicom_files import DicomFileSearch
from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice
from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, find_ct, import_result
from TotalSegmentatorModuleLib.segment.job_controller import JobController
from TotalSegmentatorModuleLib.segment.job_types import JobBusyError, JobListener, JobSettings, JobState
from TotalSegmentatorModuleLib.segment.progress_text import STAGE_PREPARING, absent_text

_PREPARING_TICK_MS = 0


@dataclass(frozen=True)
class JobOrder:
    """What to segment and where to put it."""

    ct: object
    """vtkMRMLScalarVolumeNode"""
    model: str
    """Id of the catalogue, or the path of a model folder."""
    models_folder: Path
    structures: list[str] | None = None
    """Names as the model has them; None for all."""
    device: str = "auto"
    output: object = None
    """vtkMRMLSegmentationNode whose segments are replaced; None makes a new one."""
    options: JobOptions = field(default_factory=JobOptions)


class SessionView(Protocol):
    """Whoever shows a session; the panel. All calls come from the event loop of the application."""

    def on_busy(self, is_busy: bool, is_cancelling: bool) -> None: ...

    def on_progress(self, fraction: float, stage: str, seconds_left: float | None, tile: int, tiles: int) -> None: ...

    def on_plan(self, plan: Plan) -> None:
        """What the job is going to do; said again when it changes."""

    def on_warning(self, problem: Problem) -> None: ...

    def on_failed(self, problem: Problem) -> None: ...

    def on_cancelled(self) -> None: ...

    def on_note(self, text: str) -> None:
        """Something that the user should read, neither error nor warning."""

    def on_log(self, text: str) -> None: ...

    def on_result(self, node, header: ResultHeader) -> None:
        """``node``: the vtkMRMLSegmentationNode that holds the result."""

    def on_waiting_results(self, headers: list[ResultHeader]) -> None:
        """Finished results that nobody imported."""


class SegmentationSession:
    """Runs one job at a time; ``shutdown`` ends everything at once. Fulfils job_types.JobListener."""

    def __init__(self, make_controller: Callable[[JobListener], JobController], view: SessionView) -> None:
        self._make_controller = make_controller
        self._view = view
        self._controller: JobController | None = None
        self._ticker = Ticker(self._tick)
        self._search: DicomFileSearch | None = None
        self._order: JobOrder | None = None
        self._ct: VolumeCtSource | None = None
        self._output = OutputChoice(None)
        self._labels: LabelImage | None = None
        self._end: Problem | None = None  # what to tell instead of "cancelled"
        self._is_shown_busy = (False, False)

    # -- what the panel asks for ---------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._search is not None or self._state is not JobState.IDLE

    @property
    def is_cancelling(self) -> bool:
        return self._state is JobState.CANCELLING

    def apply(self, order: JobOrder) -> None:
        """Start a job. Raises JobBusyError while one runs, SegmentationError for what can be told at once."""
        if self.is_busy:
            raise JobBusyError(_("A segmentation is running already; wait for it or cancel it first."))
        check_ct(order.ct)
        check_installed(order.model, order.models_folder)
        self._order = order
        self._ct = VolumeCtSource(order.ct)
        self._output = OutputChoice(order.output)
        self._end = None
        self._search = DicomFileSearch(order.ct)
        self._view.on_progress(0.0, STAGE_PREPARING, None, 0, 0)
        self._show_busy()
        self._ticker.start()

    def cancel(self) -> None:
        """Stop the job, if there is one; the view hears of it."""
        if self._search is not None:
            self._forget_job()
            self._show_busy()
            self._report_cancelled()
        elif self._state not in (JobState.IDLE, JobState.CANCELLING):
            self._controller.cancel()
            self._show_busy()
            self._ticker.start()

    def input_removed(self, node_id: str) -> None:
        """A node has left the scene; cancels the job if it was the job's CT."""
        # a result that is just arriving stands alone; a job that is being cancelled has its reason already
        is_running = self.is_busy and self._state not in (JobState.RECEIVING, JobState.CANCELLING)
        if is_running and self._ct is not None and self._ct.node_id == node_id:
            self._end = Problem("INPUT_REMOVED")
            self.cancel()

    def scene_closed(self) -> None:
        """The scene is being closed: the job ends, a result that is just arriving waits for its import."""
        if self._state is JobState.RECEIVING:
            self.shutdown()
        else:
            self.cancel()

    def shutdown(self) -> None:
        """End the job and the engine at once, without waiting. The session may be used again afterwards."""
        self._ticker.stop()
        self._forget_job()
        if self._controller is not None:
            self._controller.shutdown()
            self._controller = None
        self._show_busy()

    def restart_engine(self) -> None:
        """The engine's folder has changed: the next job starts it anew."""
        if not self.is_busy:
            self.shutdown()

    def dispose(self) -> None:
        """Shut down for good."""
        self.shutdown()
        self._ticker.dispose()

    # -- results that wait ---------------------------------------------------------------------------------------------

    def look_for_waiting_results(self) -> None:
        """Tell the view which finished results were never imported."""
        self._view.on_waiting_results(self._active_controller().unimported_results() if not self.is_busy else [])

    def import_waiting(self, job_id: str, ct=None) -> None:
        """Import a result that waits; it goes to ``ct`` if it lies on its grid, else to the volume that it fits."""
        if self.is_busy:
            raise JobBusyError(_("A segmentation is running already; wait for it or cancel it first."))
        self._order, self._output, self._end = None, OutputChoice(None), None
        self._ct = VolumeCtSource(ct) if ct is not None else None
        self._active_controller().receive_result(job_id)
        self._show_busy()
        self._ticker.start()

    def discard_waiting(self, job_id: str) -> None:
        self._active_controller().discard_result(job_id)
        self._ticker.start()

    # -- JobListener ---------------------------------------------------------------------------------------------------

    def on_state(self, state: JobState) -> None:
        self._show_busy()

    def on_progress(self, fraction: float, stage: str, seconds_left: float | None, tile: int, tiles: int) -> None:
        self._view.on_progress(fraction, stage, seconds_left, tile, tiles)

    def on_plan(self, plan: Plan) -> None:
        self._view.on_plan(plan)

    def on_warning(self, problem: Problem) -> None:
        self._view.on_warning(problem)

    def on_failed(self, problem: Problem) -> None:
        self._labels = None
        self._show_busy()
        self._view.on_failed(problem)

    def on_cancelled(self) -> None:
        self._labels = None
        self._show_busy()
        self._report_cancelled()

    def on_log(self, text: str) -> None:
        self._view.on_log(text)

    def allocate_labels(self, shape: tuple[int, int, int]) -> np.ndarray:
        self._labels = LabelImage(shape)
        return self._labels.array

    def on_result(self, header: ResultHeader, labels: np.ndarray) -> None:
        image, self._labels = self._labels, None
        ct = find_ct(header, self._ct.node if self._ct is not None else None)
        output = self._output.resolve()
        node = import_result(image, header, ImportTarget(ct, output))
        if ct is None:
            self._view.on_note(
                _("The CT of this result is not in the scene or was moved; the segmentation is where the CT was.")
            )
        if self._output.was_chosen and output is None:
            self._view.on_note(
                _("The chosen segmentation was edited or removed meanwhile; the result is in a new segmentation.")
            )
        if absent_text(header):
            self._view.on_log(absent_text(header) + "\n")
        self._view.on_result(node, header)

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> JobState:
        return self._controller.state if self._controller is not None else JobState.IDLE

    def _active_controller(self) -> JobController:
        if self._controller is None:
            self._controller = self._make_controller(self)
        return self._controller

    def _tick(self) -> int | None:
        try:
            if self._search is not None:
                return self._prepare()
            if self._controller is None:
                return None
            self._controller.tick()
        except SegmentationError as error:
            self._forget_job()
            self._fail(error.problem)
        except Exception as error:
            logging.exception("The segmentation's progress could not be followed")
            self._forget_job()
            self._fail(Problem("INTERNAL_ERROR", {"kind": type(error).__name__}))
            self.look_for_waiting_results()  # the result, if there was one, is kept
        self._show_busy()
        return self._controller.wait_interval_ms() if self._controller is not None else None

    def _prepare(self) -> int:
        self._search.step()
        if self._search.finished:
            self._ct.dicom_files = self._search.files
            self._search = None
            order = self._order
            settings = JobSettings(order.model, order.models_folder, order.structures, order.device, order.options)
            self._active_controller().apply(self._ct, settings)
        return _PREPARING_TICK_MS

    def _fail(self, problem: Problem) -> None:
        self._show_busy()
        self._view.on_failed(problem)

    def _report_cancelled(self) -> None:
        problem, self._end = self._end, None
        if problem is not None:
            self._view.on_failed(problem)
        else:
            self._view.on_cancelled()

    def _forget_job(self) -> None:
        self._search = None
        self._order = None
        self._labels = None

    def _show_busy(self) -> None:
        shown = (self.is_busy, self.is_cancelling)
        if shown != self._is_shown_busy:
            self._is_shown_busy = shown
            self._view.on_busy(*shown)


def make_controller(listener: JobListener) -> JobController:
    return JobController(installed_engine.engine_environment(), settings.work_folder(), listener)
