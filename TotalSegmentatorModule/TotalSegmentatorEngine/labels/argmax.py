"""The sinks of the sliding window: they make labels of the averaged predictions, a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from TotalSegmentatorEngine.inference.tile_runner import Head
from TotalSegmentatorEngine.labels.interpolated import InterpolatedLabelSink, linear_axes
from TotalSegmentatorEngine.preprocessing.resampling import (
    FINISHED_ROWS_AT_ONCE,
    Band,
    Matrices,
    along_first,
    bands,
    in_plane,
)

SlabCallback = Callable[[float], None]
"""Gets the number of a sink's labels that are made, several times a second; may raise to stop."""

_VOXELS_AT_ONCE = 1 << 13
"""Voxels whose logits of all labels are computed at once: with 118 labels 4 MB, which stay in the processor's cache.
Eight times as many took longer, and left holes of half a gigabyte in glibc's heap."""
_CHUNKS_A_REPORT = 16
"""So many times those voxels are labelled between two calls of ``on_slab``."""
_RESAMPLING_SHARE = 0.5
"""Of the time of a slab whose features are resampled, before the head makes logits of them; for the progress alone."""


def _nothing(_labels: float) -> None:
    pass


class LabelSink:
    """The label with the largest average in each voxel of the network's own grid.

    ``head`` makes logits of the sums where these are of features; it is None where they are of logits already.
    """

    is_resampled = False

    def __init__(self, shape: tuple[int, int, int], head: Head | None = None, on_slab: SlabCallback = _nothing) -> None:
        self.labels = np.zeros(shape, dtype=np.uint8)
        self._head = head
        self._on_slab = on_slab
        self._row_size = self.labels[:1].size
        self._row = 0

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        """All labels of a voxel have the same weight, so the sums need no division."""
        rows = weights.shape[0]
        finished = self.labels[self._row : self._row + rows]
        if self._head is None:
            finished[:] = largest(sums).cpu().numpy()
        else:
            for row in range(rows):
                self._on_slab((self._row + row) * self._row_size)
                logits = self._head.logits(sums[:, row].float(), weights[row])
                finished[row] = largest(logits).cpu().numpy()
        self._row += rows
        self._on_slab(self._row * self._row_size)


def largest(sums: torch.Tensor) -> torch.Tensor:
    """uint8: index of the largest of ``sums`` (labels, ...), the first one of equals."""
    # max over the first axis is twice as fast as argmax on a CPU, and gives the same index
    return sums.max(dim=0).indices.to(torch.uint8)


class ResampledLabelSink:
    """The label with the largest logit after the logits were resampled to another grid, slab by slab.

    ``matrices`` (wanted, size) along each axis resample from the network's grid to the wanted one. Rows wait here only
    until every row of the wanted grid that needs them is done. ``head`` as for ``LabelSink``: features are resampled
    in place of the logits, which gives the same because both steps are linear.
    """

    is_resampled = True

    def __init__(self, matrices: Matrices, head: Head | None = None, on_slab: SlabCallback = _nothing) -> None:
        self.labels = np.zeros(tuple(len(matrix) for matrix in matrices), dtype=np.uint8)
        self._waiting = bands(matrices[0], FINISHED_ROWS_AT_ONCE)
        self._rows, self._columns = bands(matrices[1]), bands(matrices[2])
        self._head = head
        self._on_slab = on_slab
        self._row_size = self.labels[:1].size
        self._averages: np.ndarray | None = None
        self._first_row = 0

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        averages = (sums.float() / weights).cpu().numpy()
        self._averages = averages if self._averages is None else np.concatenate((self._averages, averages), axis=1)
        known = self._first_row + self._averages.shape[1]
        while self._waiting and self._waiting[0].voxels.stop <= known:
            self._label(self._waiting.pop(0))
        if self._waiting:
            # a grid that skips rows may need none of those that are here, nor the next ones
            unneeded = min(self._waiting[0].voxels.start - self._first_row, self._averages.shape[1])
            if unneeded > 0:
                self._averages = self._averages[:, unneeded:].copy()
                self._first_row += unneeded

    def _label(self, band: Band) -> None:
        voxels = slice(band.voxels.start - self._first_row, band.voxels.stop - self._first_row)
        channels = len(self._averages)
        resampling = 1.0 if self._head is None else _RESAMPLING_SHARE
        resampled = (
            along_first(in_plane(channel[voxels], self._rows, self._columns), band.weights)
            for channel in self._reported(self._averages, band, 0.0, resampling / channels)
        )
        if self._head is None:
            _largest_of_each(resampled, self.labels[band.samples])
        else:
            finished = self.labels[band.samples]
            features = np.empty((channels, *finished.shape), dtype=np.float32)
            for channel, values in zip(features, resampled, strict=True):
                channel[:] = values
            self._label_features(features, finished, band)
        self._on_slab(band.samples.stop * self._row_size)

    def _reported(self, steps: Sequence[Any], band: Band, begin: float, each: float) -> Iterator[Any]:
        """``steps``, each of them reported before it: ``begin`` and ``each`` are shares of the work on the band."""
        for number, step in enumerate(steps):
            rows = (begin + number * each) * (band.samples.stop - band.samples.start)
            self._on_slab((band.samples.start + rows) * self._row_size)
            yield step

    def _label_features(self, features: np.ndarray, labels: np.ndarray, band: Band) -> None:
        """``features`` (channels, n, y, x) at the wanted samples, whose ``labels`` are the band's."""
        flat = torch.from_numpy(features.reshape(len(features), -1))
        finished = labels.reshape(-1)
        at_once = _VOXELS_AT_ONCE * _CHUNKS_A_REPORT
        each = (1.0 - _RESAMPLING_SHARE) * at_once / max(finished.size, 1)
        for first in self._reported(range(0, finished.size, at_once), band, _RESAMPLING_SHARE, each):
            self._label_voxels(flat, finished, range(first, min(first + at_once, finished.size), _VOXELS_AT_ONCE))

    def _label_voxels(self, flat: torch.Tensor, finished: np.ndarray, starts: Sequence[int]) -> None:
        for start in starts:
            voxels = slice(start, start + _VOXELS_AT_ONCE)
            logits = self._head.logits(flat[:, voxels].to(self._head.weight.device), None)
            finished[voxels] = largest(logits).cpu().numpy()


ResampledSink = InterpolatedLabelSink | ResampledLabelSink


def resampled_sink(matrices: Matrices, head: Head | None, on_slab: SlabCallback) -> ResampledSink:
    """A sink for labels on the grid to which ``matrices`` (wanted, size) along each axis resample.

    Both give the same labels; the first one computes only what is not decided, which linear interpolation alone allows.
    """
    axes = linear_axes(matrices)
    if axes is None:
        return ResampledLabelSink(matrices, head, on_slab)
    return InterpolatedLabelSink(axes, head, on_slab)


def _largest_of_each(predictions, labels: np.ndarray) -> None:
    """Writes into ``labels`` the index of the largest of the ``predictions``, which come one label at a time."""
    best = None
    for label, prediction in enumerate(predictions):
        if best is None:
            best = prediction
            continue
        is_larger = prediction > best
        labels[is_larger] = label
        np.maximum(best, prediction, out=best)
