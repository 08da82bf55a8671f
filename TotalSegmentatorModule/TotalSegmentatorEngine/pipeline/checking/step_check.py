"""Checks the approximate labels of one step: tiles are drawn, computed exactly, and compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from TotalSegmentatorWire.messages.agreement import CROP, REDUCED, REGIONS

from TotalSegmentatorEngine.agreement.estimate import CUT_TILE_SPREAD, TILE_SPREAD, Population, SampledCell
from TotalSegmentatorEngine.agreement.tile_choice import Candidate, Drawn, draw, sizes_of, tile_count
from TotalSegmentatorEngine.agreement.tile_counts import boundary_voxels, compared
from TotalSegmentatorEngine.inference.sliding_window import middle_tile, read_padded
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.labels.argmax import largest
from TotalSegmentatorEngine.pipeline.checking.checked_job import CheckedCt, CheckedJob
from TotalSegmentatorEngine.pipeline.checking.checked_part import (
    CheckedTile,
    PartRun,
    can_be_checked,
    names_of,
    tiles_of_part,
    window_of,
)
from TotalSegmentatorEngine.pipeline.checking.tissue import Tissue
from TotalSegmentatorEngine.plan.job_steps import Step

_ROWS_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class StepCheck:
    """What was found of one step."""

    approximations: tuple[str, ...]
    cells: list[SampledCell]
    population: Population
    of_tiles: int
    seconds: float


def check_step(step: Step, ct: CheckedCt, runs: Sequence[PartRun], job: CheckedJob) -> StepCheck | None:
    """None where the step's labels are exact, or where they cannot be checked. Raises SegmentationError: CANCELLED,
    MODEL_DAMAGED, MODEL_UNSAFE."""
    approximations = approximations_of(step, ct, runs)
    if not approximations or not all(can_be_checked(run, ct) for run in runs):
        return None
    return StepChecking(step, ct, runs, job, approximations).made()


def approximations_of(step: Step, ct: CheckedCt, runs: Sequence[PartRun]) -> tuple[str, ...]:
    """By what the step's labels may differ from the exact ones; empty where nothing does."""
    found = []
    if any(run.precision == REDUCED for run in runs):
        found.append(REDUCED)
    if not all(run.is_whole(ct) for run in runs):
        found.append(REGIONS if step.prepared.is_named else CROP)
    return tuple(found)


class StepChecking:
    """The check of one step, in its parts: which tiles there are, what they weigh when tiles are drawn, and how the
    labels of some of them agree."""

    def __init__(
        self,
        step: Step,
        ct: CheckedCt,
        runs: Sequence[PartRun],
        job: CheckedJob,
        approximations: tuple[str, ...],
    ) -> None:
        self._step = step
        self._ct = ct
        self._runs = runs
        self._job = job
        self._approximations = approximations
        self._exact_runs = []
        if approximations == (REDUCED,):
            self._exact_runs = [run for run in runs if run.precision != REDUCED]
            self._runs = [run for run in runs if run.precision == REDUCED]
        self._wanted = {structure.label: structure.name for structure in step.prepared.structures}

    def made(self) -> StepCheck:
        started = time.monotonic()
        tiles = self.tiles()
        candidates, foreground = self.candidates(tiles)
        count = tile_count(len(tiles), is_in_regions=self._approximations != (REDUCED,))
        drawn = draw(candidates, count, f"{self._job.seed} {self._step.model.id}")
        return StepCheck(
            self._approximations,
            self.compared(tiles, drawn),
            Population(
                int(np.prod(self._ct.grid.shape)),
                foreground + self._exact_foreground(),
                TILE_SPREAD if self._approximations == (REDUCED,) else CUT_TILE_SPREAD,
            ),
            len(tiles) + sum(1 for run in self._exact_runs for _tile in tiles_of_part(run, self._ct)),
            time.monotonic() - started,
        )

    # -- which tiles ---------------------------------------------------------------------------------------------------

    def tiles(self) -> list[CheckedTile]:
        """Those of the exact run. Raises SegmentationError("CANCELLED")."""
        return [tile for run in self._runs for tile in tiles_of_part(run, self._ct)]

    def candidates(self, tiles: Sequence[CheckedTile]) -> tuple[list[Candidate], int]:
        """And the voxels, of all tiles, to which the approximate labels give a structure."""
        tissue = Tissue(self._ct.volume, self._ct.grid)
        boundaries, tissues, foreground = [], [], 0.0
        for tile in tiles:
            self._job.check_cancelled()
            labels = self._only_wanted(tile.run, tile.approximate_labels())
            scale = tile.cell.voxels / max(labels.size, 1)
            foreground += scale * np.count_nonzero(labels)
            boundaries.append(scale * np.count_nonzero(boundary_voxels(labels)))
            tissues.append(tissue.voxels(tile.region))
        sizes = sizes_of(boundaries, tissues)
        return [Candidate(tile.stratum, size) for tile, size in zip(tiles, sizes, strict=True)], round(foreground)

    def _exact_foreground(self) -> int:
        """Voxels to which networks give a structure that ran exactly."""
        labels = (self._only_wanted(run, run.labels.labels) for run in self._exact_runs)
        return sum(int(np.count_nonzero(each)) for each in labels)

    def _only_wanted(self, run: PartRun, labels: np.ndarray) -> np.ndarray:
        known = np.zeros(256, dtype=np.uint8)
        numbers = list(names_of(run.part, self._wanted))
        known[numbers] = numbers
        return known[labels]

    # -- how they agree ------------------------------------------------------------------------------------------------

    def compared(self, tiles: Sequence[CheckedTile], drawn: Sequence[Drawn]) -> list[SampledCell]:
        """One for each of the drawn, network by network. Raises SegmentationError: CANCELLED, MODEL_DAMAGED,
        MODEL_UNSAFE."""
        cells = []
        for run in self._runs:
            own = [each for each in drawn if tiles[each.number].run is run]
            if own:
                cells += self._compared_of(run, [tiles[each.number] for each in own], own)
        return cells

    def _compared_of(self, run: PartRun, tiles: Sequence[CheckedTile], drawn: Sequence[Drawn]) -> list[SampledCell]:
        """Where the precision alone differs, the same tile in both, neither blended with its neighbours; else the
        job's own labels beside the exact tile."""
        if self._approximations == (REDUCED,):
            approximate = self._predicted(tiles, is_exact=False)
        else:
            approximate = [tile.approximate_labels() for tile in tiles]
        exact = self._predicted(tiles, is_exact=True)
        names = names_of(run.part, self._wanted)
        return [
            SampledCell(compared(ours, theirs, names), each.probability, f"{self._step.model.id} {tile.stratum}")
            for tile, each, ours, theirs in zip(tiles, drawn, exact, approximate, strict=True)
        ]

    def _predicted(self, tiles: Sequence[CheckedTile], is_exact: bool) -> list[np.ndarray]:
        """uint8 labels of the tiles' cells, in the network's axes."""
        folder, job = tiles[0].folder, self._job
        window = window_of(self._ct, folder)

        def sample() -> np.ndarray:
            return middle_tile(tiles[0].source, window)

        is_other = is_exact and REDUCED in self._approximations
        runner = job.exact_runner(folder, sample) if is_other else job.runner(folder, sample)
        report = job.reports(folder) if is_exact else None
        labels = []
        for number, tile in enumerate(tiles):
            self._job.check_cancelled()
            labels.append(cell_labels(runner, tile))
            if report is not None:
                report(number + 1)
        if is_exact:
            job.finish(folder, len(tiles))
        return labels


@torch.inference_mode()
def cell_labels(runner: TileRunner, tile: CheckedTile) -> np.ndarray:
    """uint8 labels of a tile's cell, a few rows at a time: all labels' predictions of a whole tile would be hundreds of
    megabytes."""
    voxels = read_padded(tile.source, tile.cell.tile, (0, 0, 0))
    (prediction,) = runner.run(torch.from_numpy(np.ascontiguousarray(voxels))[None, None])
    rows, *others = tile.cell.in_tile
    found = []
    for start in range(rows.start, rows.stop, _ROWS_AT_ONCE):
        own = prediction[(slice(None), slice(start, min(start + _ROWS_AT_ONCE, rows.stop)), *others)]
        logits = own if runner.head is None else runner.head.logits(own, None)
        found.append(largest(logits).cpu().numpy())
    return np.concatenate(found)
