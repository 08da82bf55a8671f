"""The steps of a job of one model, as the planner has them; it imports torch."""

from __future__ import annotations

from collections.abc import Mapping

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.plan.job_steps import JobState, Scope, Step
from TotalSegmentatorEngine.plan.planner import Planner
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, network_grid


def localized_state(planner: Planner, regions: Mapping[str, Region | None]) -> JobState:
    """Of a job of one model whose coarse localization has found these regions of its parts."""
    step = requested_step(planner)
    return JobState({step: Scope(regions=regions)}, {step.localized_by})


def requested_step(planner: Planner) -> Step:
    """The one that gives the result of a job of one model."""
    (step,) = (step for step in planner.steps if step.number is not None)
    return step


def requested_grid(planner: Planner, geometry: Geometry) -> NetworkGrid:
    """At which the networks of that step get a CT of ``geometry``."""
    step = requested_step(planner)
    return network_grid(geometry, step.model.profile, step.folders[0])
