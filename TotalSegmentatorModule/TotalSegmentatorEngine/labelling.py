"""Makes labels of the averaged predictions, a few rows at a time: the sinks of the sliding window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .resampling import Band, Matrices, along_first, bands, in_plane


class LabelSink:
    """The label with the largest sum in each voxel of the network's own grid."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.labels = np.zeros(shape, dtype=np.uint8)
        self._row = 0

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        """All labels of a voxel have the same weight, so the sums need no division."""
        rows = weights.shape[0]
        self.labels[self._row : self._row + rows] = largest(sums).cpu().numpy()
        self._row += rows


def largest(sums: torch.Tensor) -> torch.Tensor:
    """uint8 (n, y, x): index of the largest of ``sums`` (labels, n, y, x), the first one of equals."""
    # max over the first axis is twice as fast as argmax on a CPU, and gives the same index
    return sums.max(dim=0).indices.to(torch.uint8)


class ResampledLabelSink:
    """The label with the largest logit after the logits were resampled to another grid, slab by slab.

    ``matrices`` (wanted, size) along each axis lead from the network's grid to the wanted one. Rows wait here only
    until every row of the wanted grid that needs them is done. ``on_slab`` is called now and then; it may raise.
    """

    def __init__(self, matrices: Matrices, on_slab: Callable[[], None] = lambda: None) -> None:
        self.labels = np.zeros(tuple(len(matrix) for matrix in matrices), dtype=np.uint8)
        self._waiting = bands(matrices[0], samples_at_once=4)
        self._rows, self._columns = bands(matrices[1]), bands(matrices[2])
        self._on_slab = on_slab
        self._logits: np.ndarray | None = None
        self._first_row = 0

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        logits = (sums / weights).cpu().numpy()
        self._logits = logits if self._logits is None else np.concatenate((self._logits, logits), axis=1)
        known = self._first_row + self._logits.shape[1]
        while self._waiting and self._waiting[0].voxels.stop <= known:
            self._on_slab()
            self._label(self._waiting.pop(0))
        if self._waiting:
            # a grid that skips rows may need none of those that are here, nor the next ones
            unneeded = min(self._waiting[0].voxels.start - self._first_row, self._logits.shape[1])
            if unneeded > 0:
                self._logits = self._logits[:, unneeded:].copy()
                self._first_row += unneeded

    def _label(self, band: Band) -> None:
        voxels = slice(band.voxels.start - self._first_row, band.voxels.stop - self._first_row)
        best, labels = None, self.labels[band.samples]
        for label, logits in enumerate(self._logits):
            resampled = along_first(in_plane(logits[voxels], self._rows, self._columns), band.weights)
            if best is None:
                best = resampled
                continue
            is_larger = resampled > best
            labels[is_larger] = label
            np.maximum(best, resampled, out=best)
