"""What the job controller and its user, the panel, tell each other."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ResultHeader

if TYPE_CHECKING:
    import numpy as np

STAGE_STARTING = "starting"
STAGE_SENDING = "sending"
STAGE_RECEIVING = "receiving"
"""Stages that only this side knows, beside those of TotalSegmentatorWire.messages.segment.Stage."""


class JobState(enum.Enum):
    IDLE = "idle"
    """Ready for apply()."""
    SENDING = "sending"
    """The CT is being written; the worker may be starting meanwhile."""
    STARTING = "starting"
    """The CT is written; the worker has not greeted yet."""
    RUNNING = "running"
    """The worker has the request."""
    CANCELLING = "cancelling"
    """Cancelled; the worker is given a moment to stop by itself. At most CANCEL_SECONDS."""
    RECEIVING = "receiving"
    """The labels are being read."""


class JobBusyError(RuntimeError):
    """A second job was asked for while one runs."""


@dataclass(frozen=True)
class JobSettings:
    """What to run. ``model``: an id of the catalogue or a model folder; ``structures``: names, None for all."""

    model: str
    models_folder: Path
    structures: list[str] | None = None
    device: str = "auto"
    options: JobOptions = field(default_factory=JobOptions)


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


class JobListener(Protocol):
    """Told by ``JobController.tick`` (and by apply and cancel) what happens. Exceptions reach the caller of tick."""

    def on_state(self, state: JobState) -> None: ...

    def on_progress(self, fraction: float, stage: str, seconds_left: float | None, tile: int, tiles: int) -> None:
        """``fraction`` 0..1 of the whole job, never falling; ``stage`` one of Stage.ALL or of the STAGE_ names here."""

    def on_plan(self, plan: Plan) -> None:
        """What the job is going to do; said again when it changes, for instance when memory runs short."""

    def on_warning(self, problem: Problem) -> None: ...

    def on_failed(self, problem: Problem) -> None:
        """The job ended; the state is IDLE already."""

    def on_cancelled(self) -> None:
        """The job ended by cancel(); the state is IDLE already."""

    def on_log(self, text: str) -> None:
        """Whole lines that the worker has written to its log."""

    def allocate_labels(self, shape: tuple[int, int, int]) -> np.ndarray:
        """A uint8 array of this shape (k, j, i), C-contiguous, for the labels to be read into."""

    def on_result(self, header: ResultHeader, labels: np.ndarray) -> None:
        """Import the result. When this returns, the result's files are removed; when it raises, they are kept and
        ``JobController.unimported_results`` offers them. The state is still RECEIVING."""
