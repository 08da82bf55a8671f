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
    if sums.device.type != "cpu":
        return sums.argmax(dim=0).to(torch.uint8)
    # a running maximum reads each label's plane once; torch's argmax over the first axis is four times slower
    best = sums[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8)
    for label in range(1, sums.shape[0]):
        labels.masked_fill_(sums[label] > best, label)
        torch.maximum(best, sums[label], out=best)
    return labels


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
            done = self._waiting[0].voxels.start - self._first_row
            self._logits = self._logits[:, done:].copy() if done > 0 else self._logits
            self._first_row += max(done, 0)

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
