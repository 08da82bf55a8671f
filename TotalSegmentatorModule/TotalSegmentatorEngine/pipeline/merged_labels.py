"""The labels of all parts, merged on one grid and restored to the CT's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage

from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only, merge_part
from TotalSegmentatorEngine.labels.postprocessing import keep_largest_pieces, remove_small_islands
from TotalSegmentatorEngine.labels.restoring import found_on_grid, restore_labels
from TotalSegmentatorEngine.pipeline.part_prediction import PartLabels
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import enclosing

RESTORED_SHARE = 0.8
"""Of the stage RESTORING, after ``MergedLabels.restore``; the check of the result follows."""
_POSTPROCESSED_SHARE = 0.4


class MergedLabels:
    """Labels of the whole label set on the network's grid; with ``is_smooth`` in its axes at the CT's spacing."""

    def __init__(self, grid: NetworkGrid, is_smooth: bool, reporter: Reporter) -> None:
        self.is_smooth = is_smooth
        self._reporter = reporter
        self._grid = grid
        self._labels = np.zeros(grid.full_shape if is_smooth else grid.shape, dtype=np.uint8)
        self._box: Region | None = None

    def add(self, part: PartLabels, numbers: Mapping[int, int]) -> None:
        """Overwrites earlier parts; ``numbers`` map the part's labels to those of the whole set. Raises
        SegmentationError("CANCELLED")."""
        box = part.merged.box
        merge_part(self._labels[box], part.merged.labels, numbers, self._reporter.check_cancelled)
        self._box = box if self._box is None else enclosing([self._box, box])

    @property
    def voxels(self) -> int:
        """Of the box that holds all labels."""
        return self._labels[self._filled].size

    @property
    def _filled(self) -> Region:
        return self._box or tuple(slice(0, 1) for _ in range(3))

    def postprocess(self, prepared: PreparedTask) -> None:
        """Leaves only the requested structures, and of these what the options say. Raises
        SegmentationError("CANCELLED"), as ``restore`` does."""
        reporter, options, listen = self._reporter, prepared.task.options, self._reporter.check_cancelled
        reporter.progress(Stage.RESTORING, 0.0)
        listen()
        labels, half = self._labels[self._filled], _POSTPROCESSED_SHARE / 2
        wanted = [structure.label for structure in prepared.structures]
        if len(wanted) < len(prepared.model.structures):
            keep_only(labels, wanted, listen)
        if options.largest_piece:
            keep_largest_pieces(labels, self._reported(0.0, half))
        if options.smallest_island_mm3 > 0:
            extent = np.multiply(self._grid.full_shape, self._grid.full_spacing)
            voxel_mm3 = float(np.prod(extent) / np.prod(self._labels.shape))
            remove_small_islands(labels, options.smallest_island_mm3, voxel_mm3, self._reported(half, 2 * half))

    def restore(self, prepared: PreparedTask) -> tuple[np.ndarray, list[FoundStructure]]:
        """uint8 labels (k, j, i) of the CT, and the structures found."""
        box, listen = self._filled, self._reporter.check_cancelled
        labels, on_plane = self._labels[box], self._reported(_POSTPROCESSED_SHARE, RESTORED_SHARE)
        if self.is_smooth:
            restored = self._in_own_order(listen)
            return restored, found_structures(restored, prepared.structures, on_plane)
        found = found_on_grid(labels, self._grid, box, prepared.structures, listen)
        return restore_labels(labels, self._grid, box, on_plane), found

    def _reported(self, begin: float, end: float) -> Callable[[float], None]:
        """A function that takes the done share of a step, which lies from ``begin`` to ``end`` of the whole stage. It
        raises SegmentationError("CANCELLED")."""

        def report(share: float) -> None:
            self._reporter.check_cancelled()
            self._reporter.progress(Stage.RESTORING, begin + (end - begin) * share)

        return report

    def _in_own_order(self, listen: Callable[[], None]) -> np.ndarray:
        """The merged labels, which are at the CT's spacing, as the CT is stored; C-contiguous."""
        if self._grid.reorientation is None:
            return self._labels
        listen()
        return self._grid.reorientation.undo(self._labels)
