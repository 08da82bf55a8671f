"""What a job would do on a CT of which only the grid is known: for the user who is still choosing."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import PlanEvent, PlanRequest

from TotalSegmentatorEngine.imaging.geometry import Geometry, check_geometry
from TotalSegmentatorEngine.imaging.validation import check_size
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.pipeline.cache import EngineCache


def expected_plan(request: PlanRequest, task: SegmentationTask, cache: EngineCache) -> PlanEvent:
    """Plans ``task`` with what ``cache`` holds. Raises SegmentationError: BAD_REQUEST, an INPUT_ code of the grid, and
    what ``prepare`` and ``plan`` raise."""
    if len(request.shape) != 3 or len(request.ijk_to_ras) != 16:
        raise SegmentationError("BAD_REQUEST", detail="geometry")
    shape = tuple(int(size) for size in request.shape)
    check_size(shape)
    geometry = Geometry(shape, np.reshape(request.ijk_to_ras, (4, 4)))
    check_geometry(geometry)
    planned = run_job.plan_ahead(geometry, request.ct_id, run_job.prepare(task), cache)
    return PlanEvent(request.job_id, planned.to_json())
