"""Runs a network over an image tile by tile, with nnU-Net's tile positions and Gaussian weights.

Tiles run in z order, and sums of weighted predictions are kept only for the rows (planes along the first axis) that
later tiles still touch: a ring of one patch's height. Rows that are finished go to a sink, which makes labels of them.
So memory does not grow with the length of the scan.

Where a network's last layer is a plain matrix (its head) and logits are averaged, what is summed is that layer's input:
averaging and the matrix are both linear, so applying it once to a finished row gives the same logits. With 118 labels
out of 32 features that is less than a third of the memory and of the additions.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window
from TotalSegmentatorWire.messages.plan import SUMS_IN_HALF, SUMS_IN_MEMORY, SUMS_ON_DISK

from TotalSegmentatorEngine.inference.tile_runner import Head, TileRunner

GAUSSIAN_MAXIMUM = 10
"""As in nnU-Net v2's predictor; the Gaussian is float16 there, and values that underflow take the smallest one. v1's is
float32, and it is v1 that averages softmax: near the image's corners, where every tile's weight is tiny, it counts."""

_ROWS_AT_ONCE = 8
"""Finished rows that a sink gets at once: what it makes of them is as large again."""
_SOFTMAX_ROWS = 8
"""Rows of a tile whose softmax is computed at once: all labels of a whole tile would be hundreds of megabytes."""


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


@dataclass(frozen=True)
class Sums:
    """Where the weighted sums are kept."""

    place: str = SUMS_IN_MEMORY
    """SUMS_IN_MEMORY: float32, on the runner's device. SUMS_IN_HALF: float16, as nnU-Net itself keeps them.
    SUMS_ON_DISK: float32 in a temporary file of the system, which is gone when it is closed."""
    on_host: bool = False
    """In the computer's own memory although the network runs on a GPU."""


class TileSource(Protocol):
    """The prepared image of which tiles are read."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    def read(self, slices: tuple[slice, slice, slice]) -> np.ndarray:
        """float32 voxels as the network wants them; ``slices`` lie within ``shape``."""


class RowSink(Protocol):
    """Takes the finished rows of an image from the first to the last."""

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        """``sums`` (channels, n, y, x) of the next n rows and their ``weights`` (n, y, x) float32.

        Both are reused after the call. sums / weights is the averaged prediction: of logits, of their softmax, or of
        the features of which a head makes logits.
        """


class TileCallback(Protocol):
    """Called with the number of finished tiles before each tile, after the last one, and again where labels were made
    since; may raise to stop."""

    def __call__(self, finished_tiles: int) -> None: ...


def sums_features(head: Head | None, average: str) -> bool:
    """Whether the sums that a sink gets are of a head's features."""
    return head is not None and average == "logits"


@torch.inference_mode()
def predict(
    source: TileSource,
    runner: TileRunner,
    window: Window,
    sink: RowSink,
    on_tile: TileCallback,
    sums: Sums = Sums(),
) -> None:
    """Runs ``runner`` over ``source`` and feeds ``sink``.

    An image smaller than the patch is padded with 0 on both sides, as nnU-Net does; the sink never sees the padding.
    """
    padded = window.padded_shape(source.shape)
    before = tuple((large - small) // 2 for large, small in zip(padded, source.shape, strict=True))
    starts = window.tile_starts(source.shape)
    with TileSums(runner, window, padded, _cropping(sink, source.shape, before), sums) as ring:
        finished = 0
        for positions in _batches(starts, runner.tile_batch):
            on_tile(finished)
            if ring.move_to(positions[0][0]):
                on_tile(finished)
            boxes = [_box(position, window.patch_size) for position in positions]
            tiles = torch.from_numpy(np.stack([read_padded(source, box, before)[None] for box in boxes]))
            for box, prediction in zip(boxes, runner.run(tiles), strict=True):
                ring.add(prediction, box)
            finished += len(positions)
        on_tile(finished)
        ring.finish()


def middle_tile(source: TileSource, window: Window) -> np.ndarray:
    """float32 tile (z, y, x) of the patch's size from the middle of the image, for a trial of the network."""
    tile = np.zeros(window.patch_size, dtype=np.float32)
    starts = [max((size - patch) // 2, 0) for size, patch in zip(source.shape, window.patch_size, strict=True)]
    box = tuple(
        slice(start, min(start + patch, size))
        for start, patch, size in zip(starts, window.patch_size, source.shape, strict=True)
    )
    tile[tuple(slice(0, part.stop - part.start) for part in box)] = source.read(box)
    return tile


def _batches(starts: list[list[int]], size: int) -> Iterator[list[tuple[int, ...]]]:
    """Tile positions in z order, at most ``size`` at once and never of two rows of tiles."""
    for z in starts[0]:
        row = [(z, y, x) for y, x in itertools.product(*starts[1:])]
        for start in range(0, len(row), size):
            yield row[start : start + size]


def _box(position: Sequence[int], size: Sequence[int]) -> tuple[slice, slice, slice]:
    return tuple(slice(start, start + length) for start, length in zip(position, size, strict=True))


def read_padded(source: TileSource, box: Sequence[slice], before: Sequence[int]) -> np.ndarray:
    """The tile at ``box`` of the padded image; ``before`` counts the padding at the start of each axis."""
    wanted = [(part.start - pad, part.stop - pad) for part, pad in zip(box, before, strict=True)]
    inside = tuple(
        slice(max(start, 0), min(stop, size)) for (start, stop), size in zip(wanted, source.shape, strict=True)
    )
    voxels = source.read(inside)
    shape = tuple(stop - start for start, stop in wanted)
    if voxels.shape == shape:
        return voxels
    tile = np.zeros(shape, dtype=np.float32)
    tile[
        tuple(slice(part.start - start, part.stop - start) for part, (start, _) in zip(inside, wanted, strict=True))
    ] = voxels
    return tile


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


class TileSums:
    """Sums of one patch's height; row r of the image lies at r modulo that height."""

    def __init__(self, runner: TileRunner, window: Window, shape: Sequence[int], emit: Callable, sums: Sums) -> None:
        self._height = window.patch_size[0]
        self._rows = shape[0]
        self._emit = emit
        self._first_row = 0
        self._head = runner.head
        self._takes_softmax = window.average == "softmax"
        self._listen = runner.check_cancelled
        channels = runner.channels if sums_features(runner.head, window.average) else runner.outputs
        device = torch.device("cpu") if sums.on_host or sums.place == SUMS_ON_DISK else _device_of_sums(runner)
        self._file = tempfile.TemporaryFile(prefix="sums-") if sums.place == SUMS_ON_DISK else None  # noqa: SIM115
        shape = (self._height, *shape[1:])
        self._sums = _zeros((channels, *shape), device, sums.place, self._file)
        self._weights = _zeros(shape, device)
        self._gaussian = compute_gaussian(
            tuple(window.patch_size),
            sigma_scale=1.0 / 8,
            value_scaling_factor=GAUSSIAN_MAXIMUM,
            dtype=torch.float32 if self._takes_softmax else torch.float16,
            device=device,
        ).float()

    @property
    def nbytes(self) -> int:
        """What it holds in memory."""
        kept = [self._weights, self._gaussian, *([self._sums] if self._file is None else [])]
        return sum(tensor.nbytes for tensor in kept)

    def __enter__(self) -> TileSums:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._sums = self._weights = self._gaussian = None
        if self._file is not None:
            self._file.close()

    def move_to(self, row: int) -> bool:
        """Emits and forgets the rows before ``row``, which no later tile touches. Whether there were any."""
        is_moved = self._first_row < row
        while self._first_row < row:
            start = self._first_row % self._height
            count = min(row - self._first_row, self._height - start, _ROWS_AT_ONCE)
            rows = slice(start, start + count)
            self._emit(self._first_row, self._sums[:, rows], self._weights[rows])
            self._sums[:, rows] = 0
            self._weights[rows] = 0
            self._first_row += count
        return is_moved

    def finish(self) -> None:
        self.move_to(self._rows)

    def add(self, prediction: torch.Tensor, box: Sequence[slice]) -> None:
        """Adds a tile (channels, z, y, x) that begins at the ring's first row, in two pieces where the ring closes."""
        start = box[0].start % self._height
        above = self._height - start
        for ring_rows, tile_rows in ((slice(start, None), slice(0, above)), (slice(0, start), slice(above, None))):
            if ring_rows.stop == 0:
                continue
            gaussian = self._gaussian[tile_rows]
            sums = self._sums[:, ring_rows, box[1], box[2]]
            self._add_rows(prediction[:, tile_rows], gaussian, sums)
            self._weights[ring_rows, box[1], box[2]] += gaussian

    def _add_rows(self, prediction: torch.Tensor, gaussian: torch.Tensor, sums: torch.Tensor) -> None:
        if not self._takes_softmax:
            _add_product(sums, prediction.to(sums.device), gaussian)
            return
        for start in range(0, prediction.shape[1], _SOFTMAX_ROWS):
            self._listen()
            rows = slice(start, start + _SOFTMAX_ROWS)
            logits = prediction[:, rows] if self._head is None else self._head.logits(prediction[:, rows], None)
            _add_product(sums[:, rows], torch.softmax(logits, dim=0).to(sums.device), gaussian[rows])


def _device_of_sums(runner: TileRunner) -> torch.device:
    """Sums stay on a CUDA device; Apple's shares its memory with the processor, which is the safer place."""
    return runner.device if runner.device.type == "cuda" else torch.device("cpu")


def _add_product(sums: torch.Tensor, prediction: torch.Tensor, gaussian: torch.Tensor) -> None:
    if sums.dtype == torch.float32:
        sums.addcmul_(prediction, gaussian)
        return
    for channel, values in zip(sums, prediction, strict=True):  # one at a time: the products are a new tensor
        channel.add_(values * gaussian)


def _zeros(
    shape: tuple[int, ...], device: torch.device, place: str = SUMS_IN_MEMORY, file: object | None = None
) -> torch.Tensor:
    """Zeros; on the CPU by NumPy, which takes pages that are zero already: then the first tile starts at once, even if
    the sums are a gigabyte."""
    if file is not None:
        return torch.from_numpy(np.memmap(file, dtype=np.float32, mode="w+", shape=shape))
    if device.type == "cpu":
        return torch.from_numpy(np.zeros(shape, dtype=np.float16 if place == SUMS_IN_HALF else np.float32))
    return torch.zeros(shape, dtype=torch.float16 if place == SUMS_IN_HALF else torch.float32, device=device)
