"""What a job is given, and what it calls as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ProgressEvent, ResultHeader

from TotalSegmentatorModuleLib.background.task_runner import ignore

if TYPE_CHECKING:
    import numpy as np

STAGE_STARTING = "starting"
STAGE_SENDING = "sending"
STAGE_RECEIVING = "receiving"
"""Stages that only this side knows, beside those of TotalSegmentatorWire.messages.segment.Stage."""


class JobBusyError(RuntimeError):
    """A second job was asked for while one runs."""


@dataclass(frozen=True)
class JobSettings:
    """What to run, model by model. ``server``: where to run it, None for this computer."""

    requests: tuple[ModelRequest, ...]
    models_folder: Path
    device: str = "auto"
    options: JobOptions = field(default_factory=JobOptions)
    server: DepartmentServer | None = None


class CtSource(Protocol):
    """The CT in the scene. Any member may raise SegmentationError("INPUT_REMOVED") when it is gone."""

    @property
    def array(self) -> np.ndarray:
        """Voxels in HU, axes (k, j, i); a view is enough, it is not kept between two ticks."""

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """4x4, column, row, slice index to RAS in mm."""

    @property
    def series_instance_uid(self) -> str | None: ...

    @property
    def dicom_files(self) -> list[str]:
        """Files of the series in the DICOM database; empty where it has none."""

    def change_stamp(self) -> Hashable:
        """Differs between any two CTs and between any two states of one CT's voxels and geometry. Asked every tick."""


def at_once(_node: Any, action: Callable[[], None]) -> None:
    """For a caller that does not save what it gets."""
    action()


@dataclass(frozen=True)
class JobCallbacks:
    """What is called, from the event loop of the application, as jobs go on; whoever shows them connects what it needs.

    A call may begin the next job once ``on_busy`` has said that none is running.
    """

    on_busy: Callable[[bool, bool], None] = ignore
    """Whether a job is running, and whether it is being cancelled."""
    on_progress: Callable[[float, str, float | None, int, int], None] = ignore
    """Fraction 0..1 of the whole job, never falling; stage, one of Stage.ALL or of the STAGE_ names; seconds left;
    finished tiles and all tiles."""
    on_network: Callable[[ProgressEvent], None] = ignore
    """The event of the worker behind each ``on_progress`` of its own: which network runs, and what it occupies."""
    on_plan: Callable[[Plan], None] = ignore
    """What the job is going to do; called again when it changes, for instance when memory runs short."""
    on_warning: Callable[[Problem], None] = ignore
    on_log: Callable[[str], None] = ignore
    """Whole lines that the worker has written to its log."""
    on_note: Callable[[str], None] = ignore
    """Something that the user should read, neither error nor warning."""
    on_failed: Callable[[Problem], None] = ignore
    on_cancelled: Callable[[], None] = ignore
    on_result: Callable[[Any, ResultHeader], None] = ignore
    """The vtkMRMLSegmentationNode that holds the result, and its header."""
    on_preview: Callable[[Any, ResultHeader, bool], None] = ignore
    """Likewise of the preview of a job that goes on, and whether its result goes into a chosen segmentation."""
    on_preview_kept: Callable[[Any, Any], None] = ignore
    """The user has edited the preview: it was kept, beside the vtkMRMLSegmentationNode of the fine result."""
    on_surfaces_gone: Callable[[Any], None] = ignore
    """The 3-D views showed the preview; the vtkMRMLSegmentationNode of the fine result has no surfaces yet."""
    call_when_safe: Callable[[Any, Callable[[], None]], None] = at_once
    """Gets a vtkMRMLSegmentationNode that holds a new result, and what to call when it need not be kept elsewhere."""
    on_unimported_results: Callable[[list[ResultHeader]], None] = ignore
    """Finished results that nobody imported."""
