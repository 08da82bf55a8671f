"""Runs a network over an image tile by tile, with nnU-Net's tile positions and Gaussian weights.

Tiles run in z order, and sums of weighted predictions are kept only for the rows (planes along the first axis) that
later tiles still touch: a ring of one patch's height. Rows that are finished go to a sink, which makes labels of them.
So memory does not grow with the length of the scan.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window

from .network import LoadedModel

GAUSSIAN_MAXIMUM = 10
"""As in nnU-Net's predictor; the Gaussian is float16 there, and values that underflow take the smallest one."""

_RESERVED_GPU_SHARE = 0.5  # of the free GPU memory stays for the network when sums are kept there


@dataclass(frozen=True)
class Window:
    """How the tiles lie and what they add up."""

    patch_size: tuple[int, int, int]
    step: float
    """Distance of tiles as a fraction of the patch, at most."""
    average: str
    """"logits" or "softmax"."""

    def padded_shape(self, shape: Sequence[int]) -> tuple[int, int, int]:
        return tuple(max(size, patch) for size, patch in zip(shape, self.patch_size, strict=True))

    def tile_starts(self, shape: Sequence[int]) -> list[list[int]]:
        """Positions along each axis for an image of ``shape``, padded if need be."""
        return compute_steps_for_sliding_window(self.padded_shape(shape), self.patch_size, self.step)

    def tile_count(self, shape: Sequence[int]) -> int:
        return math.prod(len(starts) for starts in self.tile_starts(shape))


class RowSink(Protocol):
    """Takes the finished rows of an image from the first to the last."""

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        """``sums`` (labels, n, y, x) float32 of the next n rows and their ``weights`` (n, y, x).

        Both are reused after the call. sums / weights is the averaged prediction.
        """


class TileCallback(Protocol):
    """Called before each tile with the number of finished tiles; may raise to stop."""

    def __call__(self, finished_tiles: int) -> None: ...


@torch.inference_mode()
def predict(image: np.ndarray, model: LoadedModel, window: Window, sink: RowSink, on_tile: TileCallback) -> None:
    """Runs the model's networks over ``image`` (z, y, x) float32, prepared for it, and feeds ``sink``.

    An image smaller than the patch is padded with 0 on both sides, as nnU-Net does; the sink never sees the padding.
    """
    padded = window.padded_shape(image.shape)
    before = [(large - small) // 2 for large, small in zip(padded, image.shape, strict=True)]
    data = _padded(image, padded, before)
    ring = _Ring(model, window, padded, _cropping(sink, image.shape, before))
    starts = window.tile_starts(image.shape)
    with _autocast(model.device):
        for tile, position in enumerate(itertools.product(*starts)):
            on_tile(tile)
            ring.move_to(position[0])
            slices = tuple(slice(start, start + size) for start, size in zip(position, window.patch_size, strict=True))
            ring.add(_predict_tile(data[slices], model, window), slices)
    ring.finish()


def _padded(image: np.ndarray, shape: Sequence[int], before: Sequence[int]) -> torch.Tensor:
    if tuple(shape) == image.shape:
        return torch.from_numpy(image)
    data = torch.zeros(tuple(shape), dtype=torch.float32)
    inside = tuple(slice(start, start + size) for start, size in zip(before, image.shape, strict=True))
    data[inside] = torch.from_numpy(image)
    return data


def _predict_tile(tile: torch.Tensor, model: LoadedModel, window: Window) -> torch.Tensor:
    """float32 (labels, z, y, x): the mean over folds and mirror images of one tile's logits, or their softmax."""
    inputs = tile[None, None].to(model.device, memory_format=torch.contiguous_format)
    mirrored = [
        [axis + 2 for axis in axes]
        for count in range(len(model.mirroring_axes) + 1)
        for axes in itertools.combinations(model.mirroring_axes, count)
    ]
    total = None
    for network, axes in itertools.product(model.networks, mirrored):
        prediction = torch.flip(network(torch.flip(inputs, axes)), axes) if axes else network(inputs)
        prediction = prediction.float()
        total = prediction if total is None else total.add_(prediction)
    if len(model.networks) * len(mirrored) > 1:
        total /= len(model.networks) * len(mirrored)
    if window.average == "softmax":
        total = torch.softmax(total, dim=1)
    return total[0]


def _zeros(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """float32 zeros; on the CPU by NumPy, which takes pages that are zero already: then the first tile starts at once,
    even if the sums are a gigabyte."""
    if device.type == "cpu":
        return torch.from_numpy(np.zeros(shape, dtype=np.float32))
    return torch.zeros(shape, device=device)


def _autocast(device: torch.device) -> AbstractContextManager:
    """Half precision on CUDA as nnU-Net has it; MPS (not run by the authors) and the CPU stay in float32."""
    return torch.autocast("cuda") if device.type == "cuda" else nullcontext()


def _cropping(sink: RowSink, shape: Sequence[int], before: Sequence[int]) -> Callable:
    """A function like ``sink.add`` that takes padded rows and leaves the padding away."""
    z_first, z_last = before[0], before[0] + shape[0]
    y, x = (slice(start, start + size) for start, size in zip(before[1:], shape[1:], strict=True))

    def add(first_row: int, sums: torch.Tensor, weights: torch.Tensor) -> None:
        start = max(z_first - first_row, 0)
        stop = min(z_last - first_row, weights.shape[0])
        if start < stop:
            sink.add(sums[:, start:stop, y, x], weights[start:stop, y, x])

    return add


class _Ring:
    """Sums of one patch's height; row r of the image lies at r modulo that height."""

    def __init__(self, model: LoadedModel, window: Window, shape: Sequence[int], emit: Callable) -> None:
        self._height = window.patch_size[0]
        self._rows = shape[0]
        self._emit = emit
        self._first_row = 0
        device = self._choose_device(model, shape)
        self._sums = _zeros((model.outputs, self._height, *shape[1:]), device)
        self._weights = _zeros((self._height, *shape[1:]), device)
        self._gaussian = compute_gaussian(
            tuple(window.patch_size), sigma_scale=1.0 / 8, value_scaling_factor=GAUSSIAN_MAXIMUM, device=device
        ).float()

    def _choose_device(self, model: LoadedModel, shape: Sequence[int]) -> torch.device:
        if model.device.type != "cuda":
            return torch.device("cpu")
        free, _total = torch.cuda.mem_get_info(model.device)
        needed = 4 * (model.outputs + 1) * self._height * shape[1] * shape[2]
        return model.device if needed < free * _RESERVED_GPU_SHARE else torch.device("cpu")

    def move_to(self, row: int) -> None:
        """Emits and forgets the rows before ``row``, which no later tile touches."""
        while self._first_row < row:
            start = self._first_row % self._height
            count = min(row - self._first_row, self._height - start)
            rows = slice(start, start + count)
            self._emit(self._first_row, self._sums[:, rows], self._weights[rows])
            self._sums[:, rows] = 0
            self._weights[rows] = 0
            self._first_row += count

    def finish(self) -> None:
        self.move_to(self._rows)

    def add(self, prediction: torch.Tensor, slices: Sequence[slice]) -> None:
        """Adds a tile that begins at the ring's first row, in two pieces where the ring closes."""
        prediction = prediction.to(self._sums.device)
        start = slices[0].start % self._height
        above = self._height - start
        for ring_rows, tile_rows in ((slice(start, None), slice(0, above)), (slice(0, start), slice(above, None))):
            if ring_rows.stop == 0:
                continue
            gaussian = self._gaussian[tile_rows]
            self._sums[:, ring_rows, slices[1], slices[2]].addcmul_(prediction[:, tile_rows], gaussian)
            self._weights[ring_rows, slices[1], slices[2]] += gaussian
