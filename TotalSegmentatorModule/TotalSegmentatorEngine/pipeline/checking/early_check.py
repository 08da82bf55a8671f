"""Decides, before a network runs over the CT, whether it may do so in reduced precision: by a few tiles in both."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.messages.agreement import REDUCED

from TotalSegmentatorEngine.agreement.estimate import FEWEST_VOXELS, Population, SampledCell, estimated
from TotalSegmentatorEngine.agreement.tile_choice import INSIDE, Candidate, draw, sizes_of, tile_count
from TotalSegmentatorEngine.agreement.tile_counts import compared
from TotalSegmentatorEngine.inference.sliding_window import middle_tile
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.labels.grid_labels import GridLabels
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.pipeline.checking.checked_job import CheckedCt, CheckedJob, GetRunner
from TotalSegmentatorEngine.pipeline.checking.checked_part import (
    CheckedTile,
    PartRun,
    names_of,
    tiles_of_part,
    window_of,
)
from TotalSegmentatorEngine.pipeline.checking.step_check import cell_labels
from TotalSegmentatorEngine.pipeline.checking.tissue import Tissue
from TotalSegmentatorEngine.plan.automatic_precision import LEAST_EQUAL, LEAST_SPEED_UP
from TotalSegmentatorEngine.plan.job_steps import Step

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Predicted:
    runner: TileRunner
    labels: list[np.ndarray]
    """uint8, of the drawn tiles' cells."""
    seconds: float
    """Of the fastest tile: what else the machine does only makes one slower."""


Remember = Callable[[TileRunner, float, int], None]
"""Takes a runner, the seconds of a tile, and of how many."""


def is_reduced_enough(
    step: Step, part: Part, ct: CheckedCt, job: CheckedJob, reduced_runner: GetRunner, remember: Remember
) -> bool:
    """Whether the part's network is clearly faster in reduced precision and, on this CT, its labels are the exact ones
    for LEAST_EQUAL of the voxels of structures. Raises SegmentationError: CANCELLED, MODEL_DAMAGED, MODEL_UNSAFE."""
    run = PartRun(part, GridLabels(ct.grid.whole), REDUCED)
    tiles = list(tiles_of_part(run, ct))
    tissue = Tissue(ct.volume, ct.grid)
    sizes = sizes_of([0.0] * len(tiles), [tissue.voxels(tile.region) for tile in tiles])
    candidates = [Candidate(tile.stratum, size) for tile, size in zip(tiles, sizes, strict=True)]
    drawn = draw(candidates, tile_count(len(tiles)), f"{job.seed} {part.name} early")
    chosen = [tiles[each.number] for each in drawn]
    exact = _predicted(chosen, ct, job, job.exact_runner)
    reduced = _predicted(chosen, ct, job, reduced_runner)
    for each in (exact, reduced):
        remember(each.runner, each.seconds, len(chosen))
    names = names_of(part, {structure.label: structure.name for structure in step.prepared.structures})
    cells = [
        SampledCell(compared(ours, theirs, names), each.probability, INSIDE)
        for each, ours, theirs in zip(drawn, exact.labels, reduced.labels, strict=True)
    ]
    equal = _lowest_equal(cells, tiles)
    speed_up = exact.seconds / max(reduced.seconds, 1e-9)
    logger.info("reduced precision: %.2f times as fast, at least %.4f of the foreground equal", speed_up, equal)
    return reduced.runner.precision == REDUCED and speed_up >= LEAST_SPEED_UP and equal >= LEAST_EQUAL


def _lowest_equal(cells: Sequence[SampledCell], tiles: Sequence[CheckedTile]) -> float:
    """Lower end of the interval for the foreground; 0 where there is too little of it to tell."""
    if sum(int(cell.counts.foreground.sum()) for cell in cells) < FEWEST_VOXELS:
        return 0.0
    foreground = sum(cell.weight * cell.counts.approximate_foreground for cell in cells)
    population = Population(sum(tile.cell.voxels for tile in tiles), round(foreground))
    return estimated(cells, population).foreground.low


def _predicted(tiles: Sequence[CheckedTile], ct: CheckedCt, job: CheckedJob, get: GetRunner) -> _Predicted:
    folder = tiles[0].folder
    window = window_of(ct, folder)
    runner = get(folder, lambda: middle_tile(tiles[0].source, window))
    labels, times = [], []
    for tile in tiles:
        job.check_cancelled()
        started = time.monotonic()
        labels.append(cell_labels(runner, tile))
        times.append(time.monotonic() - started)
    return _Predicted(runner, labels, min(times))
