"""What crosses between this computer and the department server: the order, the voxels beside it, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import options_from_json
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.user_folders import default_models_folder

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask


@dataclass(frozen=True)
class ServerOrder:
    """What is to be done with the voxels. Nothing in it tells whose CT it is, or where anything lies on a disk."""

    requests: tuple[ModelRequest, ...]
    """Models are ids of the catalogue."""
    options: dict[str, Any]
    """JobOptions.to_json()"""
    is_reviewed: bool
    shape: tuple[int, int, int]
    """k, j, i."""
    ijk_to_ras: tuple[float, ...]
    """16 numbers, row by row: column, row, slice index to RAS in mm."""

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.shape, self.ijk_to_ras)

    def task(self) -> SegmentationTask:
        """For the side that computes: with its own models, on the device that it finds best.

        Raises SegmentationError("BAD_REQUEST").
        """
        return SegmentationTask(
            requests=self.requests,
            models_folder=default_models_folder(),
            options=options_from_json(self.options),
            is_reviewed=self.is_reviewed,
        )


@dataclass(frozen=True, eq=False)
class ServerAnswer:
    """How a job on the server has ended: with a result, or with a problem."""

    result: SegmentationResult | None = None
    problem: Problem | None = None
    warnings: list[Problem] = field(default_factory=list)


def check_models(task: SegmentationTask) -> None:
    """Raises SegmentationError("SERVER_LACKS_MODEL") for a model folder: it lies on this computer, and its path is
    nobody else's business."""
    for model in task.model_ids:
        if model not in read_catalogue():
            raise SegmentationError("SERVER_LACKS_MODEL", model=Path(model).parent.name or "?")


def order_of(task: SegmentationTask, geometry: Geometry) -> ServerOrder:
    """The order for ``task`` on a CT with ``geometry``. Raises SegmentationError("SERVER_LACKS_MODEL")."""
    check_models(task)
    return ServerOrder(
        requests=task.requests,
        options=task.options.to_json(),
        is_reviewed=task.is_reviewed,
        shape=geometry.shape,
        ijk_to_ras=tuple(float(number) for number in geometry.ijk_to_ras.ravel()),
    )
