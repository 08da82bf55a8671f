"""What the self-check of an approximate step takes: a few tiles of the exact run, by exact networks."""

from __future__ import annotations

import dataclasses
import math

from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SELF_CHECK, PlannedPass
from TotalSegmentatorWire.tables.catalogue import Profile

from TotalSegmentatorEngine.agreement.tile_choice import tile_count
from TotalSegmentatorEngine.plan.automatic_precision import is_left_open
from TotalSegmentatorEngine.plan.job_steps import Scope, Step
from TotalSegmentatorEngine.plan.memory_strategies import Strategy
from TotalSegmentatorEngine.plan.tile_counts import tiles_of
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid


def exact_strategy(strategy: Strategy) -> Strategy:
    """That of the tiles that are computed again."""
    return dataclasses.replace(strategy, precision="exact")


def checked_tiles(step: Step, scope: Scope, grid: NetworkGrid, options: JobOptions, strategy: Strategy) -> int:
    """How many tiles are computed again; 0 where the step's labels are exact or nobody wants to know."""
    if not options.self_check or step.number is None or scope.is_empty:
        return 0
    is_in_regions = runs_in_regions(step, scope, grid)
    if strategy.precision != "reduced" and not is_in_regions:
        return 0
    return tile_count(_exact_tiles(step, grid), is_in_regions)


def runs_in_regions(step: Step, scope: Scope, grid: NetworkGrid) -> bool:
    """Whether a network of the step does not run over the whole image, as far as that is known."""
    if scope.regions is None:
        return step.localized_by is not None
    return any(scope.regions.get(part.name) != grid.whole for part in step.parts)


def may_be_checked(step: Step, options: JobOptions, device: str, is_in_regions: bool) -> bool:
    """Whether the labels of each of the step's networks are kept until all have run. ``is_in_regions``: not all of
    them run over the whole image."""
    if not options.self_check or step.number is None:
        return False
    return is_in_regions or options.precision == "reduced" or is_left_open(options, device)


def _exact_tiles(step: Step, grid: NetworkGrid) -> int:
    profile: Profile = step.model.profile
    return sum(tiles_of(grid, grid.whole, folder, profile, len(step.model.parts)) for folder in step.folders)


def check_pass(
    step: Step, grid: NetworkGrid, tiles: int, seconds: float | None, tile_seconds: float | None, is_estimated: bool
) -> PlannedPass:
    """Which of the step's networks computes how many of the ``tiles`` is known when they are drawn."""
    folder = step.folders[0]
    return PlannedPass(
        part=step.parts[0].name,
        purpose=SELF_CHECK,
        shape=list(grid.shape),
        is_cropped=False,
        tiles=tiles,
        seconds=seconds,
        label_seconds=None if seconds is None else 0.0,
        model=step.model.id,
        tile_voxels=math.prod(folder.patch_size),
        tile_seconds=tile_seconds,
        is_estimated=is_estimated,
    )
