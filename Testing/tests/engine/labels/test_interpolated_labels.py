"""Labels of linearly interpolated predictions are those of all predictions interpolated, voxel for voxel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy import ndimage
from TotalSegmentatorEngine.inference.tile_runner import Head
from TotalSegmentatorEngine.labels.argmax import ResampledLabelSink, resampled_sink
from TotalSegmentatorEngine.labels.cell_candidates import MOST_CANDIDATES
from TotalSegmentatorEngine.labels.interpolated import InterpolatedLabelSink, linear_axes
from TotalSegmentatorEngine.preprocessing.resampling import Matrices, zoom_matrices

LABELS, FEATURES, SHAPE = 12, 4, (14, 13, 17)


class StopError(Exception):
    pass


def head_of() -> Head:
    generator = torch.Generator().manual_seed(5)
    return Head(torch.randn((LABELS, FEATURES), generator=generator), torch.randn(LABELS, generator=generator))


def smooth(channels: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Float32 (channels, z, y, x): labels of connected regions, as a network gives them."""
    noise = np.random.default_rng(1).normal(0, 1, (channels, *shape))
    return 20 * ndimage.gaussian_filter(noise, (0, 2, 2, 2)).astype(np.float32)


def rough(channels: int) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, (channels, *SHAPE)).astype(np.float32)


def tied(channels: int) -> np.ndarray:
    """Whole numbers: many labels are equal at the corners, and many more between them."""
    return np.random.default_rng(3).integers(0, 3, (channels, *SHAPE)).astype(np.float32)


def feed(sink, averages: np.ndarray, rows_at_once: int) -> np.ndarray:
    for start in range(0, averages.shape[1], rows_at_once):
        rows = torch.from_numpy(averages[:, start : start + rows_at_once])
        sink.add(rows, torch.ones(rows.shape[1:]))
    return sink.labels


def nearest_first(shape: tuple[int, ...], wanted: tuple[int, ...]) -> Matrices:
    """As nnU-Net resamples thick slices: along the first axis each sample takes the nearest voxel."""
    rows = np.eye(shape[0], dtype=np.float32)[np.round(np.linspace(0, shape[0] - 1, wanted[0])).astype(int)]
    return (rows, *zoom_matrices(shape, wanted, 1)[1:])


@pytest.mark.parametrize("rows_at_once", [1, 5, 100])
@pytest.mark.parametrize("wanted", [(41, 30, 35), (6, 9, 31), (2, 13, 12), SHAPE])
@pytest.mark.parametrize("make", [smooth, rough, tied])
@pytest.mark.parametrize("has_head", [True, False], ids=["head", "no head"])
def test_the_labels_are_those_of_all_samples(
    has_head: bool, make: Callable[[int], np.ndarray], wanted: tuple[int, ...], rows_at_once: int
) -> None:
    averages, head = make(FEATURES if has_head else LABELS), head_of() if has_head else None
    for matrices in (zoom_matrices(SHAPE, wanted, 1), nearest_first(SHAPE, wanted)):
        sink = resampled_sink(matrices, head, lambda made: None)
        assert isinstance(sink, InterpolatedLabelSink)
        expected = feed(ResampledLabelSink(matrices, head), averages, rows_at_once)
        assert np.array_equal(feed(sink, averages, rows_at_once), expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("has_head", [True, False], ids=["head", "no head"])
def test_samples_need_not_reach_the_last_voxels(has_head: bool, axis: int) -> None:
    averages, head = smooth(FEATURES if has_head else LABELS), head_of() if has_head else None
    matrices = list(zoom_matrices(SHAPE, (41, 39, 51), 1))
    matrices[axis] = matrices[axis][: len(matrices[axis]) * 2 // 3]
    expected = feed(ResampledLabelSink(tuple(matrices), head), averages, 5)
    assert np.array_equal(feed(resampled_sink(tuple(matrices), head, lambda made: None), averages, 5), expected)


def test_a_label_that_is_second_at_each_corner_can_win_between_them() -> None:
    averages = np.zeros((3, 1, 1, 2), dtype=np.float32)
    averages[:, 0, 0] = [[10, 0], [0, 10], [9, 9]]
    matrices = zoom_matrices((1, 1, 2), (1, 1, 5), 1)
    assert feed(resampled_sink(matrices, None, lambda made: None), averages, 1).ravel().tolist() == [0, 2, 2, 2, 1]


def test_only_what_the_corners_leave_open_is_computed(monkeypatch) -> None:
    computed = []
    embedding_bag = torch.nn.functional.embedding_bag

    def watched(indices, *arguments, **options):
        computed.append(len(indices))
        return embedding_bag(indices, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "embedding_bag", watched)
    averages = np.zeros((2, *SHAPE), dtype=np.float32)
    averages[1, :, :, 8:] = 1.0
    averages[0, :, :, :8] = 1.0
    labels = feed(resampled_sink(zoom_matrices(SHAPE, (28, 26, 34), 1), None, lambda made: None), averages, 3)
    assert set(np.unique(labels)) == {0, 1}
    assert 0 < sum(computed) <= 0.1 * labels.size


def test_of_many_labels_only_those_that_can_win_in_a_cell_are_interpolated(monkeypatch) -> None:
    computed: dict[int, int] = {}
    embedding_bag = torch.nn.functional.embedding_bag

    def watched(indices, table, **options):
        computed[table.shape[1]] = computed.get(table.shape[1], 0) + len(indices)
        return embedding_bag(indices, table, **options)

    monkeypatch.setattr(torch.nn.functional, "embedding_bag", watched)
    feed(resampled_sink(zoom_matrices(SHAPE, (28, 26, 34), 1), None, lambda made: None), smooth(40), 5)
    assert computed[MOST_CANDIDATES] > 0
    assert computed.get(40, 0) <= 0.2 * computed[MOST_CANDIDATES]


def test_other_work_has_as_many_threads_as_before() -> None:
    before = torch.get_num_threads()
    feed(resampled_sink(zoom_matrices(SHAPE, (28, 26, 34), 1), None, lambda made: None), smooth(LABELS), 5)
    with ThreadPoolExecutor(1) as later:
        assert (torch.get_num_threads(), later.submit(torch.get_num_threads).result()) == (before, before)


def test_cubic_splines_are_computed_everywhere() -> None:
    matrices = zoom_matrices(SHAPE, (28, 26, 34), 3)
    assert linear_axes(matrices) is None
    assert isinstance(resampled_sink(matrices, None, lambda made: None), ResampledLabelSink)


def test_the_made_labels_are_reported_and_the_work_can_be_stopped() -> None:
    def report(made: float) -> None:
        reports.append(made)
        if len(reports) == stop_at:
            raise StopError

    reports: list[float] = []
    stop_at, matrices = 0, zoom_matrices(SHAPE, (28, 26, 34), 1)
    feed(resampled_sink(matrices, None, report), smooth(LABELS), 5)
    assert reports == sorted(reports)
    assert reports[-1] == 28 * 26 * 34
    reports, stop_at = [], 4
    with pytest.raises(StopError):
        feed(resampled_sink(matrices, None, report), smooth(LABELS), 5)
    assert len(reports) == 4
