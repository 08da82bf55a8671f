"""Tiles, their weights, and the ring of rows that keeps memory from growing with the scan."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window
from TotalSegmentatorEngine.labelling import LabelSink, ResampledLabelSink, largest
from TotalSegmentatorEngine.network import LoadedModel
from TotalSegmentatorEngine.resampling import apply_matrices, zoom_matrix
from TotalSegmentatorEngine.sliding_window import Window, predict

LABELS = 4


class PositionAwareNetwork(torch.nn.Module):
    """Answers that depend on where in the tile a voxel lies, so that wrong places or weights show."""

    def __init__(self, patch: tuple[int, int, int], seed: int = 0) -> None:
        super().__init__()
        self.pattern = torch.randn((1, LABELS, *patch), generator=torch.Generator().manual_seed(seed))

    def forward(self, tile: torch.Tensor) -> torch.Tensor:
        return tile * torch.arange(1, LABELS + 1).reshape(1, LABELS, 1, 1, 1) + self.pattern


class CollectingSink:
    """Keeps all averaged predictions."""

    def __init__(self) -> None:
        self.rows: list[torch.Tensor] = []

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        self.rows.append((sums / weights).clone())

    @property
    def all(self) -> np.ndarray:
        return torch.cat(self.rows, dim=1).numpy()


def model_of(patch: tuple[int, int, int], folds: int = 1, axes: tuple[int, ...] = ()) -> LoadedModel:
    networks = [PositionAwareNetwork(patch, fold) for fold in range(folds)]
    return LoadedModel(networks, axes, torch.device("cpu"), LABELS)


def expected_average(image: np.ndarray, model: LoadedModel, window: Window) -> np.ndarray:
    """The same by the plain way: everything kept for the whole volume."""
    shape = window.padded_shape(image.shape)
    before = [(large - small) // 2 for large, small in zip(shape, image.shape, strict=True)]
    inside = tuple(slice(start, start + size) for start, size in zip(before, image.shape, strict=True))
    data = torch.zeros(shape)
    data[inside] = torch.from_numpy(image)
    sums, weights = torch.zeros((LABELS, *shape)), torch.zeros(shape)
    gaussian = compute_gaussian(window.patch_size, value_scaling_factor=10, device=torch.device("cpu")).float()
    for position in itertools.product(*compute_steps_for_sliding_window(shape, window.patch_size, window.step)):
        tile = tuple(slice(start, start + size) for start, size in zip(position, window.patch_size, strict=True))
        prediction = sum(network(data[tile][None, None])[0] for network in model.networks) / len(model.networks)
        if window.average == "softmax":
            prediction = torch.softmax(prediction, dim=0)
        sums[(slice(None), *tile)] += prediction * gaussian
        weights[tile] += gaussian
    return (sums / weights)[(slice(None), *inside)].numpy()


@pytest.mark.parametrize("shape", [(40, 17, 20), (8, 8, 8), (9, 30, 12), (5, 6, 30), (23, 8, 8), (64, 9, 9)])
@pytest.mark.parametrize(("step", "average"), [(0.5, "logits"), (0.8, "logits"), (0.5, "softmax")])
def test_the_ring_gives_what_whole_volume_sums_give(shape, step, average) -> None:
    image = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    model, window = model_of((8, 8, 8), folds=2), Window((8, 8, 8), step, average)
    sink, ticks = CollectingSink(), []
    predict(image, model, window, sink, ticks.append)
    assert sink.all.shape == (LABELS, *shape)
    assert np.allclose(sink.all, expected_average(image, model, window), atol=1e-4)
    assert ticks == list(range(window.tile_count(shape)))


def test_tiles_can_be_stopped() -> None:
    class StopError(Exception):
        pass

    def stop_at_third(finished: int) -> None:
        if finished == 2:
            raise StopError

    image = np.zeros((30, 30, 30), dtype=np.float32)
    with pytest.raises(StopError):
        predict(image, model_of((8, 8, 8)), Window((8, 8, 8), 0.5, "logits"), CollectingSink(), stop_at_third)


def test_the_first_of_equal_labels_wins() -> None:
    sums = torch.randint(0, 3, (6, 5, 7, 9)).float()
    assert np.array_equal(largest(sums).numpy(), sums.numpy().argmax(axis=0))


def feed(sink, logits: np.ndarray, rows_at_once: int) -> None:
    for start in range(0, logits.shape[1], rows_at_once):
        rows = torch.from_numpy(logits[:, start : start + rows_at_once])
        weights = torch.full(rows.shape[1:], 3.0)
        sink.add(rows * weights, weights)


@pytest.mark.parametrize("rows_at_once", [1, 5, 100])
@pytest.mark.parametrize("wanted", [(37, 20, 15), (6, 9, 31), (2, 12, 12), (23, 12, 14)])
def test_resampled_labels_are_the_largest_of_resampled_logits(wanted, rows_at_once) -> None:
    logits = np.random.default_rng(1).normal(0, 1, (LABELS, 23, 12, 14)).astype(np.float32)
    matrices = tuple(zoom_matrix(size, out, 1) for size, out in zip(logits.shape[1:], wanted, strict=True))
    sink = ResampledLabelSink(matrices)
    feed(sink, logits, rows_at_once)
    expected = np.stack([apply_matrices(channel, matrices) for channel in logits]).argmax(axis=0)
    assert (sink.labels == expected).mean() > 0.9999


def test_labels_fill_up_row_by_row() -> None:
    logits = np.random.default_rng(2).normal(0, 1, (LABELS, 11, 4, 5)).astype(np.float32)
    sink = LabelSink((11, 4, 5))
    feed(sink, logits, 3)
    assert np.array_equal(sink.labels, logits.argmax(axis=0))
