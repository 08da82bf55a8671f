"""Where a step will run whose crop is not known yet, as far as the usual size of what it is cropped by tells."""

from __future__ import annotations

import math

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.plan.job_steps import JobState, Scope, Step
from TotalSegmentatorEngine.plan.usual_extents import usual_extent


def has_expected_crop(step: Step, state: JobState) -> bool:
    """Whether a plan counts with a usual size of the crop."""
    return _extent(step, state) is not None


def expected_scope(step: Step, geometry: Geometry, state: JobState) -> Scope:
    """The scope, or before it is known a box of the usual size in the middle of a CT of ``geometry``; all of the CT
    where no size is known."""
    extent = _extent(step, state)
    if extent is None:
        return state.scope(step)
    margin, box = step.prepared.crop.margin_mm, []
    for axis, (spacing, size) in enumerate(zip(geometry.spacing, geometry.shape[::-1], strict=True)):
        towards = int(np.argmax(np.abs(geometry.ijk_to_ras[:3, axis])))
        voxels = min(math.ceil((extent[towards] + 2 * margin) / spacing), size)
        begin = (size - voxels) // 2
        box.append(slice(begin, begin + voxels))
    return Scope(box=tuple(reversed(box)))


def _extent(step: Step, state: JobState) -> tuple[float, float, float] | None:
    if step.cropped_by is None or state.is_known(step):
        return None
    return usual_extent(step.prepared.crop.classes)
