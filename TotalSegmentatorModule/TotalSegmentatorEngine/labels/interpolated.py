"""Labels of linearly resampled predictions, computed only where they are not decided already.

A linear sample between grid voxels is a mean of the predictions at the corners of its cell, weighted by numbers that
are not negative and add up to 1. So where one label has the largest prediction at all corners, it has it at every
sample in the cell, and nothing has to be resampled. Of the other samples every label's prediction is computed: one that
is second at each corner may win between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from TotalSegmentatorEngine.inference.tile_runner import Head
from TotalSegmentatorEngine.preprocessing.resampling import FINISHED_ROWS_AT_ONCE, Matrices

_OPEN = 255
"""Stands for a label that the corners do not decide."""

_TIE = 1e-4
"""Predictions that differ by less, of the larger one or of 1, may change places by rounding: float32 keeps seven
digits, of which the sums of eight products and of a head's features lose two."""
_WEIGHT_ERROR = 1e-5
_SAMPLES_AT_ONCE = 1 << 13
"""Open samples whose predictions are computed at once."""
_CORNERS_AT_ONCE = 1 << 13


@dataclass(frozen=True, eq=False)
class LinearAxis:
    """For each sample along an axis its two neighbours among the grid's voxels, and their weights."""

    low: np.ndarray
    high: np.ndarray
    """The same as ``low`` where a sample lies on a voxel, or takes the nearest one."""
    low_weight: np.ndarray
    high_weight: np.ndarray
    """float32; 0 where ``high`` is ``low``."""

    def of(self, samples: slice, first_voxel: int = 0) -> LinearAxis:
        """Some of the samples, on voxels counted from ``first_voxel``."""
        return LinearAxis(
            self.low[samples] - first_voxel,
            self.high[samples] - first_voxel,
            self.low_weight[samples],
            self.high_weight[samples],
        )


Axes = tuple[LinearAxis, LinearAxis, LinearAxis]


def linear_axes(matrices: Matrices) -> Axes | None:
    """The axes that ``matrices`` (samples, voxels) resample; None where a sample is not a mean of at most two
    neighbouring voxels, as with cubic splines."""
    axes = tuple(_linear_axis(matrix) for matrix in matrices)
    return None if any(axis is None for axis in axes) else axes


def _linear_axis(matrix: np.ndarray) -> LinearAxis | None:
    is_used = matrix != 0
    counts = is_used.sum(axis=1)
    low = is_used.argmax(axis=1)
    high = low + counts - 1
    last = matrix.shape[1] - 1 - is_used[:, ::-1].argmax(axis=1)
    if not len(matrix) or counts.min() < 1 or counts.max() > 2 or (high != last).any() or matrix.min() < 0:
        return None
    if np.abs(matrix.sum(axis=1) - 1).max() > _WEIGHT_ERROR:
        return None
    samples = np.arange(len(matrix))
    weights = matrix[samples, low], np.where(counts == 2, matrix[samples, high], 0)
    return LinearAxis(low, high, *(weight.astype(np.float32) for weight in weights))


def _corner_labels(predictions: np.ndarray, head: Head | None, listen: Callable[[], None]) -> np.ndarray:
    """uint8 of the shape (n, y, x): the label of the largest of ``predictions`` (n, y, x, channels); _OPEN where the
    next one is about as large. ``head`` makes logits of them. ``listen`` may raise to stop."""
    flat = torch.from_numpy(predictions.reshape(-1, predictions.shape[-1]))
    labels = np.empty(len(flat), dtype=np.uint8)
    for start in range(0, len(flat), _CORNERS_AT_ONCE):
        listen()
        voxels = slice(start, start + _CORNERS_AT_ONCE)
        found, is_tie = _largest(flat[voxels].clone() if head is None else flat[voxels], head)
        found[is_tie] = _OPEN
        labels[voxels] = found.numpy()
    return labels.reshape(predictions.shape[:-1])


def _largest(predictions: torch.Tensor, head: Head | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each row of ``predictions`` (n, channels) the uint8 label, and whether another one is about as large. Without
    a head the predictions are spoilt."""
    logits = predictions
    if head is not None:
        logits = torch.addmm(head.bias, predictions.to(head.weight.device), head.weight.T)
    best = logits.max(dim=1)
    logits.scatter_(1, best.indices[:, None], -torch.inf)
    limit = _TIE * best.values.abs().clamp_(min=1.0)
    is_tie = best.values - logits.amax(dim=1) <= limit
    return best.indices.to(torch.uint8).cpu(), is_tie.cpu()


class InterpolatedLabelSink:
    """The label with the largest prediction after linear interpolation to another grid, slab by slab.

    ``axes`` go from the network's grid to the wanted one. Rows wait here only until every row of the wanted grid that
    needs them is done. ``head`` makes logits of the sums where these are of features: the interpolated features give
    the interpolated logits, because both steps are linear.
    """

    is_resampled = True

    def __init__(self, axes: Axes, head: Head | None, on_slab: Callable[[float], None]) -> None:
        self._axes = axes
        self._head = head
        self._on_slab = on_slab
        self.labels = np.zeros(tuple(len(axis.low) for axis in axes), dtype=np.uint8)
        self._row_size = self.labels[:1].size
        self._made = 0
        self._first_row = 0
        self._predictions: np.ndarray | None = None
        """float32 (n, y, x, channels) of the rows that wait, and what the corners in their planes decide."""
        self._decided: np.ndarray | None = None

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        """As RowSink.add says."""
        made = self._made * self._row_size
        averages = (sums.float() / weights).permute(1, 2, 3, 0).cpu().contiguous().numpy()
        corners = _corner_labels(averages, self._head, lambda: self._on_slab(made))
        _z, y, x = self._axes
        decided = _agreed(_agreed(corners, x, 2), y, 1)
        if self._predictions is not None:
            averages = np.concatenate((self._predictions, averages))
            decided = np.concatenate((self._decided, decided))
        self._predictions, self._decided = averages, decided
        self._label_known_rows()

    def _label_known_rows(self) -> None:
        z = self._axes[0]
        known = int(np.searchsorted(z.high, self._first_row + len(self._predictions)))
        for start in range(self._made, known, FINISHED_ROWS_AT_ONCE):
            self._label(slice(start, min(start + FINISHED_ROWS_AT_ONCE, known)))
        self._made = max(self._made, known)
        if self._made < len(z.low):
            # a grid that skips rows may need none of those that are here, nor the next ones
            unneeded = min(int(z.low[self._made]) - self._first_row, len(self._predictions))
            if unneeded > 0:
                self._predictions, self._decided = self._predictions[unneeded:].copy(), self._decided[unneeded:].copy()
                self._first_row += unneeded
        else:
            self._predictions, self._decided = self._predictions[:0], self._decided[:0]

    def _label(self, rows: slice) -> None:
        """Samples along z of which all voxels are here."""
        z, labels = self._axes[0].of(rows, self._first_row), self.labels[rows]
        for row, (low, high) in enumerate(zip(z.low, z.high, strict=True)):
            labels[row] = self._decided[low]
            labels[row][self._decided[low] != self._decided[high]] = _OPEN
        places = np.nonzero(labels == _OPEN)
        table = torch.from_numpy(self._predictions.reshape(-1, self._predictions.shape[-1]))
        for start in range(0, len(places[0]), _SAMPLES_AT_ONCE):
            self._on_slab((rows.start + start / len(places[0]) * (rows.stop - rows.start)) * self._row_size)
            some = tuple(place[start : start + _SAMPLES_AT_ONCE] for place in places)
            labels[some] = self._evaluated(table, (z, *self._axes[1:]), some)
        self._on_slab(rows.stop * self._row_size)

    def _evaluated(self, table: torch.Tensor, axes: Axes, places: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 labels of some samples: ``places`` along z, y and x. ``table`` holds the predictions, a voxel a row."""
        indices, weights = _corners(self._predictions.shape, axes, places)
        values = torch.nn.functional.embedding_bag(
            torch.from_numpy(indices), table, per_sample_weights=torch.from_numpy(weights), mode="sum"
        )
        labels, is_tie = _largest(values, self._head)
        ties = np.flatnonzero(is_tie.numpy())
        if ties.size:
            values = _one_axis_after_the_other(table.numpy()[indices[ties]], axes, [place[ties] for place in places])
            labels[ties], _ = _largest(torch.from_numpy(values), self._head)
        return labels.numpy()


def _agreed(labels: np.ndarray, axis: LinearAxis, along: int) -> np.ndarray:
    """The samples' labels along one axis of ``labels``: _OPEN where the two neighbours have different ones."""
    agreed = labels.take(axis.low, axis=along)
    agreed[agreed != labels.take(axis.high, axis=along)] = _OPEN
    return agreed


def _corners(
    shape: Sequence[int], axes: Sequence[LinearAxis], places: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """int32 (n, 8): the corners' places among the voxels of ``shape``, that of x fastest; and their float32 weights."""
    indices, weights = np.zeros((len(places[0]), 1), dtype=np.int32), np.ones((len(places[0]), 1), dtype=np.float32)
    for axis, place, size in zip(axes, places, shape[:3], strict=True):
        pair = np.stack((axis.low[place], axis.high[place]), axis=1).astype(np.int32)
        share = np.stack((axis.low_weight[place], axis.high_weight[place]), axis=1)
        indices = (indices[:, :, None] * np.int32(size) + pair[:, None]).reshape(len(pair), -1)
        weights = (weights[:, :, None] * share[:, None]).reshape(len(pair), -1)
    return indices, weights


def _one_axis_after_the_other(
    corners: np.ndarray, axes: Sequence[LinearAxis], places: Sequence[np.ndarray]
) -> np.ndarray:
    """float32 (n, channels) of ``corners`` (n, 8, channels): rounded as products of matrices along y, x and then z are,
    so that a tie ends as it does where all samples are computed."""
    values = corners.reshape(len(corners), 2, 2, 2, -1)
    for axis in (1, 2, 0):
        part, place = axes[axis], places[axis]
        low, high = values.take(0, axis=axis + 1), values.take(1, axis=axis + 1)
        shape = (-1, *[1] * (low.ndim - 1))
        product = part.low_weight[place].reshape(shape) * low
        rest = part.high_weight[place].astype(np.float64).reshape(shape) * high
        values = np.expand_dims((rest + product).astype(np.float32), axis + 1)  # fused: rounded once
    return values.reshape(len(corners), -1)
