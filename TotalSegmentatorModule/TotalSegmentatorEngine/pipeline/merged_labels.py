"""The parts' labels as they come together, and the way from the network's grid to the finished labels of the CT."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage

from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only, merge_part
from TotalSegmentatorEngine.labels.postprocessing import keep_largest_pieces, remove_small_islands
from TotalSegmentatorEngine.labels.restoring import found_on_grid, restore_labels
from TotalSegmentatorEngine.pipeline.model_run import PartLabels
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import around


class MergedLabels:
    """Labels of the whole label set on the network's grid; with ``is_smooth`` at the CT's spacing instead."""

    def __init__(self, grid: NetworkGrid, is_smooth: bool) -> None:
        self.is_smooth = is_smooth
        self._grid = grid
        self._labels = np.zeros(grid.full_shape if is_smooth else grid.shape, dtype=np.uint8)
        self._touched: Region | None = None

    def add(self, part: PartLabels, numbers: Mapping[int, int]) -> None:
        """Writes a part over what earlier parts said; ``numbers`` lead from its labels to the whole set's."""
        labels, box = (part.labels, part.region) if part.smooth is None else (part.smooth.labels, part.smooth.box)
        merge_part(self._labels[box], labels, numbers)
        self._touched = box if self._touched is None else around([self._touched, box])

    def finish(self, prepared: PreparedTask, reporter: Reporter) -> tuple[np.ndarray, list[FoundStructure]]:
        """uint8 labels (k, j, i) of the CT and what was found: only structures that were asked for, post-processed as
        the options say."""
        reporter.progress(Stage.RESTORING, 0.0)
        reporter.check_cancelled()
        box = self._touched or tuple(slice(0, 1) for _ in range(3))
        labels = self._labels[box]
        wanted = [structure.label for structure in prepared.structures]
        if len(wanted) < len(prepared.model.structures):
            keep_only(labels, wanted)
        self._postprocess(labels, prepared.task.options)
        reporter.check_cancelled()
        reporter.progress(Stage.RESTORING, 0.4)
        if self.is_smooth:
            restored = self._labels if self._grid.reorientation is None else self._grid.reorientation.undo(self._labels)
            return restored, found_structures(restored, prepared.structures)
        found = found_on_grid(labels, self._grid, box, prepared.structures)
        return restore_labels(labels, self._grid, box), found

    def _postprocess(self, labels: np.ndarray, options: JobOptions) -> None:
        shape = self._grid.full_shape if self.is_smooth else self._grid.shape
        extent = [size * length for size, length in zip(self._grid.full_shape, self._grid.full_spacing, strict=True)]
        voxel_mm3 = float(np.prod(extent) / np.prod(shape))
        if options.largest_piece:
            keep_largest_pieces(labels)
        if options.smallest_island_mm3 > 0:
            remove_small_islands(labels, options.smallest_island_mm3, voxel_mm3)
