"""Tiles, their weights, and the ring of rows that keeps memory from growing with the scan."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window
from torch import nn
from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.sliding_window import Sums, Window, predict
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner, Head
from TotalSegmentatorEngine.labels.argmax import LabelSink, ResampledLabelSink, largest
from TotalSegmentatorEngine.preprocessing.resampling import apply_matrices, zoom_matrix
from TotalSegmentatorWire.messages.plan import SUMS_IN_HALF, SUMS_IN_MEMORY, SUMS_ON_DISK

pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = 5
FEATURES = 3
"""Fewer than labels: a head is split off where there is one fold."""
PATCH = (8, 8, 8)
MOST_ROWS = 8
"""That a sink gets at once."""


class PositionAwareNetwork(nn.Module):
    """Answers that depend on where in the tile a voxel lies, so that wrong places or weights show."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.pattern = torch.randn((1, FEATURES, *PATCH))
        self.decoder = nn.Module()
        self.decoder.deep_supervision = False
        self.decoder.seg_layers = nn.ModuleList([nn.Conv3d(FEATURES, LABELS, 1)])

    def forward(self, tile: torch.Tensor) -> torch.Tensor:
        features = tile * torch.arange(1, FEATURES + 1).reshape(1, FEATURES, 1, 1, 1) + self.pattern
        return self.decoder.seg_layers[-1](features)


class Image:
    """A source of tiles that lie within it."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._array.shape

    def read(self, slices: tuple[slice, slice, slice]) -> np.ndarray:
        assert all(0 <= part.start < part.stop <= size for part, size in zip(slices, self.shape, strict=True))
        return self._array[slices]


class CollectingSink:
    """Keeps all averaged predictions; with a head, the logits that it makes of averaged features."""

    def __init__(self, head: Head | None = None) -> None:
        self._head = head
        self._rows: list[torch.Tensor] = []

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        assert sums.shape[1:] == weights.shape and len(weights) <= MOST_ROWS
        averages = sums.float() / weights
        self._rows.append(averages if self._head is None else self._head.logits(averages, None))

    @property
    def all(self) -> np.ndarray:
        return torch.cat(self._rows, dim=1).numpy()


def an_image(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


def model_of(has_head: bool) -> LoadedModel:
    """One fold, whose head is split off; or two, each with a head of its own."""
    networks = [PositionAwareNetwork(seed).requires_grad_(False) for seed in range(1 if has_head else 2)]
    return LoadedModel(networks, (), torch.device("cpu"), LABELS)


def runner_of(has_head: bool, tile_batch: int = 1) -> EagerRunner:
    runner = EagerRunner(model_of(has_head), "exact", tile_batch)
    assert (runner.head is not None) == has_head
    return runner


def averages_of(
    image: np.ndarray,
    runner: EagerRunner,
    window: Window,
    place: str = SUMS_IN_MEMORY,
    on_tile: Callable[[int], None] = lambda _finished: None,
) -> np.ndarray:
    """What a sink gets, (labels, z, y, x): averaged logits or averaged softmax."""
    sink = CollectingSink(runner.head if window.average == "logits" else None)
    predict(Image(image), runner, window, sink, on_tile, Sums(place))
    return sink.all


def expected_average(image: np.ndarray, model: LoadedModel, window: Window) -> np.ndarray:
    """The same computed plainly: whole networks, and everything kept for the whole volume."""
    shape = window.padded_shape(image.shape)
    before = [(large - small) // 2 for large, small in zip(shape, image.shape, strict=True)]
    inside = tuple(slice(start, start + size) for start, size in zip(before, image.shape, strict=True))
    data = torch.zeros(shape)
    data[inside] = torch.from_numpy(image)
    sums, weights = torch.zeros((LABELS, *shape)), torch.zeros(shape)
    precision = torch.float32 if window.average == "softmax" else torch.float16  # of nnU-Net v1 and of v2
    gaussian = compute_gaussian(PATCH, value_scaling_factor=10, dtype=precision, device=torch.device("cpu")).float()
    for position in itertools.product(*compute_steps_for_sliding_window(shape, PATCH, window.step)):
        tile = tuple(slice(start, start + size) for start, size in zip(position, PATCH, strict=True))
        prediction = sum(network(data[tile][None, None])[0] for network in model.networks) / len(model.networks)
        if window.average == "softmax":
            prediction = torch.softmax(prediction, dim=0)
        sums[(slice(None), *tile)] += prediction * gaussian
        weights[tile] += gaussian
    return (sums / weights)[(slice(None), *inside)].numpy()


@pytest.mark.parametrize("has_head", [True, False], ids=["head", "no head"])
@pytest.mark.parametrize("shape", [(40, 17, 20), (8, 8, 8), (9, 30, 12), (5, 6, 30), (23, 8, 8), (64, 9, 9)])
@pytest.mark.parametrize(("step", "average"), [(0.5, "logits"), (0.8, "logits"), (0.5, "softmax")])
def test_the_ring_gives_what_whole_volume_sums_give(shape, step, average, has_head) -> None:
    image, window, ticks = an_image(shape), Window(PATCH, step, average), []
    averages = averages_of(image, runner_of(has_head), window, on_tile=ticks.append)
    assert averages.shape == (LABELS, *shape)
    assert np.allclose(averages, expected_average(image, model_of(has_head), window), atol=1e-4)
    assert ticks == sorted(ticks) and set(ticks) == set(range(window.tile_count(shape) + 1))


def stop_at_third(finished: int) -> None:
    if finished == 2:
        raise StopError


class StopError(Exception):
    """Somebody has cancelled."""


def test_tiles_can_be_stopped() -> None:
    image = np.zeros((30, 30, 30), dtype=np.float32)
    with pytest.raises(StopError):
        averages_of(image, runner_of(True), Window(PATCH, 0.5, "logits"), on_tile=stop_at_third)


# -- where sums are kept -----------------------------------------------------------------------------------------------


def open_files(folder: Path) -> int:
    """Files in the folder that this process holds open or maps into its memory, with a name or without. Linux only."""
    tables = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    tables += Path("/proc/self/maps").read_text().splitlines()
    return sum(f"{folder}/" in line for line in tables)


needs_proc = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system makes temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


CASES = pytest.mark.parametrize(
    ("average", "has_head"), [("logits", True), ("logits", False), ("softmax", True)], ids=["head", "logits", "softmax"]
)


@CASES
def test_sums_in_half_precision_are_close(average: str, has_head: bool) -> None:
    image, window = an_image((40, 17, 20)), Window(PATCH, 0.5, average)
    exact = averages_of(image, runner_of(has_head), window)
    half = averages_of(image, runner_of(has_head), window, SUMS_IN_HALF)
    difference = np.quantile(np.abs(half - exact), 0.99) / np.abs(exact).max()
    # the last hundredth are voxels at the image's edges, where the Gaussian has a bit or two; equal would be float32
    assert 0 < difference < 0.005
    assert (half.argmax(axis=0) == exact.argmax(axis=0)).mean() > 0.995


@CASES
@needs_proc
def test_sums_on_disk_are_those_in_memory_and_leave_no_file(average: str, has_head: bool, temporary_folder) -> None:
    image, window, open_meanwhile = an_image((21, 9, 12)), Window(PATCH, 0.5, average), []
    in_memory = averages_of(image, runner_of(has_head), window, SUMS_IN_MEMORY)
    on_disk = averages_of(
        *(image, runner_of(has_head), window, SUMS_ON_DISK),
        on_tile=lambda _finished: open_meanwhile.append(open_files(temporary_folder)),
    )
    assert np.array_equal(on_disk, in_memory)
    assert min(open_meanwhile) > 0
    assert list(temporary_folder.iterdir()) == [] and open_files(temporary_folder) == 0


@needs_proc
def test_sums_on_disk_go_with_a_stopped_run(temporary_folder: Path) -> None:
    with pytest.raises(StopError) as stopped:
        averages_of(
            *(an_image((30, 30, 30)), runner_of(True), Window(PATCH, 0.5, "logits"), SUMS_ON_DISK, stop_at_third)
        )
    # the traceback still holds the frames of the run
    assert stopped.tb is not None
    assert list(temporary_folder.iterdir()) == [] and open_files(temporary_folder) == 0


# -- several tiles at once ---------------------------------------------------------------------------------------------


class WatchedRunner(EagerRunner):
    """Notes how many tiles it gets at once."""

    sizes: tuple[int, ...] = ()

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        self.sizes += (len(tiles),)
        return super().run(tiles)


@pytest.mark.parametrize("has_head", [True, False], ids=["head", "no head"])
@pytest.mark.parametrize("tile_batch", [2, 4, 5, 100])
def test_tiles_in_batches_give_the_same_labels(tile_batch: int, has_head: bool) -> None:
    image, window = an_image((20, 17, 20)), Window(PATCH, 0.5, "logits")
    in_a_row = window.tile_count((8, 17, 20))

    def labels_of(runner: EagerRunner) -> np.ndarray:
        sink = LabelSink(image.shape, runner.head)
        predict(Image(image), runner, window, sink, ticks.append)
        return sink.labels

    ticks: list[int] = []
    one_by_one = labels_of(runner_of(has_head))
    ticks.clear()
    runner = WatchedRunner(model_of(has_head), "exact", tile_batch)
    assert np.array_equal(labels_of(runner), one_by_one)
    assert sum(runner.sizes) == window.tile_count(image.shape)
    assert max(runner.sizes) == min(tile_batch, in_a_row), "tiles of two rows are never run together"
    assert list(dict.fromkeys(ticks)) == [sum(runner.sizes[:number]) for number in range(len(runner.sizes) + 1)]
    assert ticks == sorted(ticks)


# -- labels of finished rows -------------------------------------------------------------------------------------------


def test_the_first_of_equal_labels_wins() -> None:
    sums = torch.randint(0, 3, (6, 5, 7, 9)).float()
    expected = sums.numpy().argmax(axis=0)
    assert np.array_equal(largest(sums).numpy(), expected)
    sink = ResampledLabelSink(tuple(np.eye(size, dtype=np.float32) for size in sums.shape[1:]))
    feed(sink, sums.numpy(), 2)
    assert np.array_equal(sink.labels, expected)


def a_head() -> Head:
    torch.manual_seed(5)
    return Head(torch.randn((LABELS, FEATURES)), torch.randn(LABELS))


def features_and_logits(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Features (features, z, y, x), and the logits that ``a_head`` makes of them."""
    features = np.random.default_rng(4).normal(0, 1, (FEATURES, *shape)).astype(np.float32)
    head = a_head()
    logits = np.tensordot(head.weight.numpy(), features, axes=1) + head.bias.numpy().reshape(-1, 1, 1, 1)
    return features, logits


def feed(sink, averages: np.ndarray, rows_at_once: int, dtype: torch.dtype = torch.float32) -> None:
    """``averages`` (channels, z, y, x) as weighted sums, whose weights differ from voxel to voxel."""
    for start in range(0, averages.shape[1], rows_at_once):
        rows = torch.from_numpy(averages[:, start : start + rows_at_once])
        weights = 0.5 + torch.rand(rows.shape[1:], generator=torch.Generator().manual_seed(start))
        sink.add((rows * weights).to(dtype), weights)


@pytest.mark.parametrize("rows_at_once", [1, 5, 100])
@pytest.mark.parametrize("wanted", [(37, 20, 15), (6, 9, 31), (2, 12, 12), (23, 12, 14)])
@pytest.mark.parametrize("has_head", [True, False], ids=["head", "no head"])
def test_resampled_labels_are_the_largest_of_resampled_logits(wanted, rows_at_once, has_head) -> None:
    features, logits = features_and_logits((23, 12, 14))
    matrices = tuple(zoom_matrix(size, out, 1) for size, out in zip(logits.shape[1:], wanted, strict=True))
    sink = ResampledLabelSink(matrices, a_head() if has_head else None)
    feed(sink, features if has_head else logits, rows_at_once)
    expected = np.stack([apply_matrices(channel, matrices) for channel in logits]).argmax(axis=0)
    assert (sink.labels == expected).mean() > 0.9999


def test_resampling_labels_can_be_stopped() -> None:
    def stop(made: float) -> None:
        if len(checks) == 3:
            raise StopError
        checks.append(made)

    checks: list[float] = []
    _features, logits = features_and_logits((23, 12, 14))
    matrices = tuple(zoom_matrix(size, 2 * size, 1) for size in logits.shape[1:])
    with pytest.raises(StopError):
        feed(ResampledLabelSink(matrices, on_slab=stop), logits, 5)
    assert len(checks) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("has_head", [True, False], ids=["head", "no head"])
def test_labels_fill_up_row_by_row(has_head: bool, dtype: torch.dtype) -> None:
    features, logits = features_and_logits((11, 4, 5))
    sink = LabelSink((11, 4, 5), a_head() if has_head else None)
    feed(sink, features if has_head else logits, 3, dtype)
    agreement = (sink.labels == logits.argmax(axis=0)).mean()
    assert agreement == 1 if dtype == torch.float32 else agreement > 0.98
