"""The labels of all parts of a model, merged on one grid and restored to the grid of what the model got of the CT."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import Structure

from TotalSegmentatorEngine.labels.grid_labels import GridLabels
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only, merge_part
from TotalSegmentatorEngine.labels.postprocessing import keep_largest_pieces, remove_small_islands
from TotalSegmentatorEngine.labels.restoring import found_on_grid, restore_labels
from TotalSegmentatorEngine.labels.smooth_labels import SmoothLabels
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import enclosing

ShareCallback = Callable[[float], None]
"""Gets the done share 0..1 again and again; may raise to stop."""


class MergedLabels:
    """Labels of the whole label set on the network's grid; with ``is_smooth`` in its axes at the CT's spacing."""

    def __init__(self, grid: NetworkGrid, is_smooth: bool = False) -> None:
        self.is_smooth = is_smooth
        self.grid = grid
        self.labels = np.zeros(grid.full_shape if is_smooth else grid.shape, dtype=np.uint8)
        """(z, y, x) of the grid."""
        self.is_post_processed = False
        """Whether the published steps on this grid are done."""
        self._box: Region | None = None

    def copy(self) -> MergedLabels:
        """With labels of its own."""
        copied = MergedLabels(self.grid, self.is_smooth)
        copied.labels, copied.is_post_processed, copied._box = self.labels.copy(), self.is_post_processed, self._box
        return copied

    def add(
        self,
        part: GridLabels | SmoothLabels,
        numbers: Mapping[int, int],
        check_cancelled: Callable[[], None],
        overwritten: Collection[int] | None = None,
    ) -> None:
        """Overwrites the parts that were added before, or only the labels ``overwritten``; ``numbers`` map the part's
        labels to those of the whole set. Raises what ``check_cancelled`` does."""
        merge_part(self.labels[part.box], part.labels, numbers, check_cancelled, overwritten)
        self._box = part.box if self._box is None else enclosing([self._box, part.box])

    @property
    def voxels(self) -> int:
        """Of the box that holds all labels."""
        return self.labels[self.filled].size

    @property
    def filled(self) -> Region:
        """The box that holds all labels."""
        return self._box or tuple(slice(0, 1) for _ in range(3))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm along the axes of ``labels``."""
        return self.grid.full_spacing if self.is_smooth else self.grid.spacing

    @property
    def voxel_mm3(self) -> float:
        extent = np.multiply(self.grid.full_shape, self.grid.full_spacing)
        return float(np.prod(extent) / np.prod(self.labels.shape))

    def keep_only(self, structures: Iterable[Structure], check_cancelled: Callable[[], None]) -> None:
        """Other labels become background."""
        keep_only(self.labels[self.filled], [structure.label for structure in structures], check_cancelled)

    def remove_pieces(self, options: JobOptions, on_share: ShareCallback) -> None:
        """What the options say."""
        labels = self.labels[self.filled]
        if options.largest_piece:
            keep_largest_pieces(labels, lambda share: on_share(0.5 * share))
        if options.smallest_island_mm3 > 0:
            smallest = options.smallest_island_mm3
            remove_small_islands(labels, smallest, self.voxel_mm3, lambda share: on_share(0.5 + 0.5 * share))

    def found(self, structures: Sequence[Structure], check_cancelled: Callable[[], None]) -> list[FoundStructure]:
        """Which of the structures have a voxel on the CT's grid, and where, without restoring them. Not smooth."""
        return found_on_grid(self.labels[self.filled], self.grid, self.filled, structures, check_cancelled)

    def restore(
        self, structures: Sequence[Structure], check_cancelled: Callable[[], None], on_share: ShareCallback
    ) -> tuple[np.ndarray, list[FoundStructure]]:
        """uint8 labels (k, j, i) of the CT, or of the box that the model got of it, and the structures found there."""
        if self.is_smooth:
            restored = self._in_own_order(check_cancelled)
            return restored, found_structures(restored, structures, on_share)
        found = self.found(structures, check_cancelled)
        return restore_labels(self.labels[self.filled], self.grid, self.filled, on_share), found

    def _in_own_order(self, check_cancelled: Callable[[], None]) -> np.ndarray:
        """The labels, which are at the CT's spacing, as the CT is stored; C-contiguous."""
        if self.grid.reorientation is None:
            return self.labels
        check_cancelled()
        return self.grid.reorientation.undo(self.labels)
