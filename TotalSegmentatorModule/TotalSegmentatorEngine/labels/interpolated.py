"""Labels of linearly resampled predictions, computed only where they are not decided already.

A linear sample between grid voxels is a mean of the predictions at the corners of its cell, weighted by numbers that
are not negative and add up to 1. So where one label has the largest prediction at all corners, it has it at every
sample in the cell, and nothing has to be resampled. Of the other samples every label's prediction is computed: one that
is second at each corner may win between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from TotalSegmentatorEngine.inference.tile_runner import Head
from TotalSegmentatorEngine.labels.cell_candidates import CellCandidates, cell_candidates
from TotalSegmentatorEngine.machine.torch_threads import one_torch_thread_each
from TotalSegmentatorEngine.preprocessing.parallel_slabs import in_slabs
from TotalSegmentatorEngine.preprocessing.resampling import Matrices

_OPEN = 255
"""Stands for a label that the corners do not decide."""

_TIE = 1e-4
"""Predictions that differ by less, of the larger one or of 1, may change places by rounding: float32 keeps seven
digits, of which the sums of eight products and of a head's features lose two."""
_WEIGHT_ERROR = 1e-5
_SAMPLES_AT_ONCE = 1 << 13
"""Open samples whose predictions are computed at once."""
_CORNERS_AT_ONCE = 1 << 13
_SAMPLES_OF_A_CELL = 3
"""From so many on it takes less time to find out first which labels can win in a cell."""
_MOST_ROWS = 8
"""That wait for the predictions of their cells."""


@dataclass(frozen=True, eq=False)
class LinearAxis:
    """For each sample along an axis its two neighbours among the grid's voxels, and their weights."""

    low: np.ndarray
    high: np.ndarray
    """The same as ``low`` where a sample lies on a voxel, or takes the nearest one."""
    low_weight: np.ndarray
    high_weight: np.ndarray
    """float32; 0 where ``high`` is ``low``."""
    voxels: int
    """Of the grid; the samples need not reach all of them."""

    def of(self, samples: slice, first_voxel: int = 0) -> LinearAxis:
        """Some of the samples, on voxels counted from ``first_voxel``."""
        return LinearAxis(
            self.low[samples] - first_voxel,
            self.high[samples] - first_voxel,
            self.low_weight[samples],
            self.high_weight[samples],
            self.voxels - first_voxel,
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
    return LinearAxis(low, high, *(weight.astype(np.float32) for weight in weights), matrix.shape[1])


def _largest(predictions: torch.Tensor, head: Head | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each row of ``predictions`` (n, channels) the uint8 label, and whether another one is about as large. Without
    a head the predictions are spoilt."""
    logits = predictions if head is None else head.logits_of_rows(predictions)
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
        self._plane = _Plane.of(axes)
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
        averages = (sums.float() / weights).permute(1, 2, 3, 0).cpu().contiguous().numpy()
        corners = self._corner_labels(averages)
        _z, y, x = self._axes
        decided = _agreed(_agreed(corners, x, 2), y, 1)
        if self._predictions is not None:
            averages = np.concatenate((self._predictions, averages))
            decided = np.concatenate((self._decided, decided))
        self._predictions, self._decided = averages, decided
        self._label_known_rows()

    def _corner_labels(self, predictions: np.ndarray) -> np.ndarray:
        """uint8 of the shape (n, y, x): the label of the largest of ``predictions`` (n, y, x, channels); _OPEN where
        the next one is about as large."""
        flat = torch.from_numpy(predictions.reshape(-1, predictions.shape[-1]))
        labels = np.empty(len(flat), dtype=np.uint8)

        def make(voxels: slice) -> Iterator[None]:
            found, is_tie = _largest(flat[voxels].clone() if self._head is None else flat[voxels], self._head)
            found[is_tie] = _OPEN
            labels[voxels] = found.numpy()
            yield

        made = self._made * self._row_size
        with one_torch_thread_each() as alone:
            in_slabs(alone(make), len(flat), _CORNERS_AT_ONCE, lambda _share: self._on_slab(made))
        return labels.reshape(predictions.shape[:-1])

    def _label_known_rows(self) -> None:
        z = self._axes[0]
        known = int(np.searchsorted(z.high, self._first_row + len(self._predictions)))
        if known > self._made:
            parts = _parts_between_planes(z.low[:known], self._made)
            first, rows = self._made, known - self._made
            with one_torch_thread_each() as alone:
                in_slabs(
                    alone(lambda some: self._label(parts[some.start])),
                    len(parts),
                    1,
                    lambda share: self._on_slab((first + share * rows) * self._row_size),
                )
            self._made = known
            self._on_slab(known * self._row_size)
        if self._made < len(z.low):
            # a grid that skips rows may need none of those that are here, nor the next ones
            unneeded = min(int(z.low[self._made]) - self._first_row, len(self._predictions))
            if unneeded > 0:
                self._predictions, self._decided = self._predictions[unneeded:].copy(), self._decided[unneeded:].copy()
                self._first_row += unneeded
        else:
            self._predictions, self._decided = self._predictions[:0], self._decided[:0]

    def _label(self, rows: slice) -> Iterator[None]:
        """Samples along z of which all voxels are here, and between the same planes. Yields after each small step."""
        z, labels = self._axes[0].of(rows, self._first_row), self.labels[rows]
        for row, (low, high) in enumerate(zip(z.low, z.high, strict=True)):
            labels[row] = self._decided[low]
            labels[row][self._decided[low] != self._decided[high]] = _OPEN
        table = torch.from_numpy(self._predictions.reshape(-1, self._predictions.shape[-1]))
        open_places = [np.flatnonzero(plane == _OPEN) for plane in labels]
        cells = self._cells(z, table, open_places) if self._plane.samples_of_a_cell >= _SAMPLES_OF_A_CELL else None
        for row, places in enumerate(open_places):
            finished = labels[row].reshape(-1)
            candidates = None if cells is None else cells.at_row(z, row)
            for start in range(0, len(places), _SAMPLES_AT_ONCE):
                yield
                some = places[start : start + _SAMPLES_AT_ONCE]
                if candidates is not None:
                    finished[some], is_left = candidates.best(self._plane, some)
                    some = some[is_left]
                if len(some):
                    finished[some] = self._evaluated(table, (z, *self._axes[1:]), self._plane.places(row, some))

    def _cells(self, z: LinearAxis, table: torch.Tensor, open_places: Sequence[np.ndarray]) -> _OpenCells | None:
        """The cells of the samples at ``open_places`` of each row; None where there are too few labels for it."""
        is_open = np.zeros(self._predictions[0, ..., 0].size, dtype=bool)
        for places in open_places:
            is_open[self._plane.cell[places]] = True
        cells = np.flatnonzero(is_open)
        corners = torch.from_numpy(_cell_corners(self._predictions.shape, int(z.low[0]), cells))
        found = cell_candidates(table, corners, self._head, _TIE)
        if found is None:
            return None
        slots = np.empty(is_open.size, dtype=np.int32)
        slots[cells] = np.arange(len(cells), dtype=np.int32)
        return _OpenCells(found, slots)

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


@dataclass(frozen=True, eq=False)
class _Plane:
    """The samples of one row along z, y slower than x."""

    width: int
    cell: np.ndarray
    """int32: the place of the voxel at the low corner, in its plane."""
    weights: np.ndarray
    """float32 (samples, 4) of the corners in that plane, that of x fastest."""
    samples_of_a_cell: float

    @classmethod
    def of(cls, axes: Axes) -> _Plane:
        _z, y, x = axes
        pairs = [np.stack((axis.low_weight, axis.high_weight), axis=1) for axis in (y, x)]
        return cls(
            len(x.low),
            (y.low[:, None] * x.voxels + x.low).astype(np.int32).reshape(-1),
            (pairs[0][:, None, :, None] * pairs[1][None, :, None, :]).reshape(-1, 4),
            math.prod(len(axis.low) / len(np.unique(axis.low)) for axis in axes),
        )

    def places(self, row: int, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Along z, y and x."""
        return np.full(len(samples), row), *np.divmod(samples, self.width)


@dataclass(frozen=True, eq=False)
class _OpenCells:
    """Between two planes of voxels."""

    candidates: CellCandidates
    slots: np.ndarray
    """int32: place of a cell among the candidates, by that of its low corner in the plane."""

    def at_row(self, z: LinearAxis, row: int) -> _RowCells:
        low, high = self.candidates.predictions.unbind(1)
        table = low * float(z.low_weight[row]) + high * float(z.high_weight[row])
        return _RowCells(self, table.reshape(-1, table.shape[-1]))


@dataclass(frozen=True, eq=False)
class _RowCells:
    """The same where a row of samples cuts the cells."""

    cells: _OpenCells
    table: torch.Tensor
    """float32 (cells * 4, candidates): predictions at the corners of the cut, that of x fastest."""

    def best(self, plane: _Plane, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 labels of ``samples`` of the row, and of which of them they are not sure."""
        slots = self.cells.slots[plane.cell[samples]]
        indices = slots[:, None] * np.int32(4) + np.arange(4, dtype=np.int32)
        values = torch.nn.functional.embedding_bag(
            torch.from_numpy(indices),
            self.table,
            per_sample_weights=torch.from_numpy(plane.weights[samples]),
            mode="sum",
        )
        best, is_tie = _largest(values, None)
        slot, candidates = torch.from_numpy(slots), self.cells.candidates
        return candidates.labels[slot, best.long()].numpy(), (is_tie | ~candidates.are_all[slot]).numpy()


def _parts_between_planes(lows: np.ndarray, first: int) -> list[slice]:
    """The rows from ``first`` on, those between the same two planes of voxels together: they share their cells."""
    ends = [*(np.flatnonzero(np.diff(lows[first:])) + first + 1).tolist(), len(lows)]
    parts = []
    for end in ends:
        parts += [slice(start, min(start + _MOST_ROWS, end)) for start in range(first, end, _MOST_ROWS)]
        first = end
    return parts


def _cell_corners(shape: Sequence[int], plane: int, cells: np.ndarray) -> np.ndarray:
    """int64 (cells, 8): voxels at the corners of the cells whose low corners are at ``cells`` of a plane. Beyond the
    last voxel along an axis stands that voxel; its weight is 0."""
    corners = np.zeros((len(cells), 1), dtype=np.int64)
    lows = (np.full_like(cells, plane), *np.divmod(cells, shape[2]))
    for low, size in zip(lows, shape[:3], strict=True):
        pair = np.stack((low, np.minimum(low + 1, size - 1)), axis=1)
        corners = (corners[:, :, None] * size + pair[:, None]).reshape(len(cells), -1)
    return corners


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
