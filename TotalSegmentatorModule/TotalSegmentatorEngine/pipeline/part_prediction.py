"""Predicts the labels of one part of a model: its network over a region of the preprocessed CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.inference.sliding_window import Sums, Window, middle_tile, predict, sums_features
from TotalSegmentatorEngine.labels.grid_labels import GridLabels
from TotalSegmentatorEngine.labels.smooth_labels import SmoothLabels
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.job_context import JobContext
from TotalSegmentatorEngine.pipeline.preprocessed_ct import PreprocessedCt
from TotalSegmentatorEngine.plan.memory_estimate import sums_bytes
from TotalSegmentatorEngine.plan.tile_counts import label_work, tiles_of
from TotalSegmentatorEngine.preprocessing.network_input import NetworkInput, Piece, Region, resamples_by_plans


@dataclass(frozen=True, eq=False)
class PartLabels:
    """What one part predicts for a region."""

    on_grid: GridLabels
    """At the network's spacing."""
    merged: GridLabels | SmoothLabels
    """What goes into the merged labels: the same, or at the CT's spacing where smooth boundaries are wanted."""

    @property
    def labels(self) -> np.ndarray:
        """uint8, the part's own numbers, on the network's grid in the image's axes."""
        return self.on_grid.labels


class PartPrediction:
    """Predicts parts of the model whose grid ``ct`` is on; with ``is_smooth`` at the CT's spacing, too."""

    def __init__(self, ct: PreprocessedCt, context: JobContext, is_smooth: bool = False) -> None:
        self._ct = ct
        self._context = context
        self.profile = ct.model.profile
        by_plans = any(resamples_by_plans(self.profile, folder) for folder in ct.model.folders_to_run)
        self.is_smooth = is_smooth and not by_plans
        self.grid = ct.grid

    def expect_more_tiles(self, part: Part, region: Region) -> None:
        """Counts the tiles of a run that the plan does not include."""
        self._context.tiles.expect_more(part.folder, tiles_of(self.grid, region, part.folder, self.profile, 1))
        work = label_work(self.grid, region, part.folder, self.profile, self.is_smooth)
        self._context.labels.total += sum(work.values())

    def predict(self, part: Part, region: Region) -> PartLabels:
        """Runs the part's network over ``region`` of the grid. Raises SegmentationError: CANCELLED, MODEL_DAMAGED,
        MODEL_UNSAFE."""
        outputs: list[GridLabels | SmoothLabels] = [GridLabels(region)]
        if self.is_smooth:
            outputs.append(SmoothLabels(self.grid, region, part.folder))
        for piece in self._ct.pieces(region):
            self._context.reporter.check_cancelled()
            source = self._ct.network_input(part.folder, region, piece)
            self._predict_piece(part.folder, piece, source, outputs)
        return PartLabels(outputs[0], outputs[-1])

    def _predict_piece(
        self, folder: ModelFolder, piece: Piece, source: NetworkInput, outputs: list[GridLabels | SmoothLabels]
    ) -> None:
        context, plan = self._context, self._context.plan
        window = Window(folder.patch_size, self.profile.step, self.profile.average)
        runner = context.networks.runner(folder, lambda: middle_tile(source, window))
        head = runner.head if sums_features(runner.head, self.profile.average) else None
        sinks = [output.sink(piece, source, head, context.labels.for_sink()) for output in outputs]
        tiles = window.tile_count(source.shape)
        known_bytes = sums_bytes(folder, source.shape, self.profile, plan) + sum(sink.labels.nbytes for sink in sinks)
        with context.measurements.network_run(folder, runner, tiles, known_bytes, sinks) as probe:
            on_tile = probe.on_tile(context.tiles.reports(folder))
            predict(source, runner, window, probe.sink, on_tile, Sums(plan.sums, on_host=plan.sums_on_host))
        context.tiles.finish(folder, tiles)
        for output, sink in zip(outputs, sinks, strict=True):
            output.take(sink, piece, source)
