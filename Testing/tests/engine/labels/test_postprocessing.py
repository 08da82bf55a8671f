"""Small pieces of labels go, as TotalSegmentator removes them; the reference goes component by component."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from TotalSegmentatorEngine.labels.postprocessing import keep_largest_pieces, remove_small_islands

LAYOUTS = ["contiguous", "crop", "columns first", "turned"]


def noisy_labels(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Many pieces of many sizes: noise of several labels, some of it smoothed to larger lumps."""
    random = np.random.default_rng(seed)
    lumps = ndimage.gaussian_filter(random.normal(size=shape), 1.5)
    labels = np.digitize(lumps, np.quantile(lumps, [0.3, 0.5, 0.7, 0.9])).astype(np.uint8)
    dust = random.random(shape) < 0.05
    labels[dust] = random.choice([1, 2, 3, 4, 7, 255], size=int(dust.sum()))
    return labels


def pieces_of(labels: np.ndarray, label: int) -> list[np.ndarray]:
    """A mask of each piece of the label, in the order in which their first voxels come; voxels touch by faces."""
    numbered, count = ndimage.label(labels == label, structure=ndimage.generate_binary_structure(3, 1))
    masks = [numbered == number for number in range(1, count + 1)]
    return sorted(masks, key=lambda mask: int(np.flatnonzero(mask)[0]))


def as_view(labels: np.ndarray, layout: str) -> np.ndarray:
    """The same labels, lying differently in memory."""
    if layout == "contiguous":
        return labels.copy()
    if layout == "crop":
        around = np.full([size + 4 for size in labels.shape], 9, dtype=np.uint8)
        around[2:-2, 1:-3, 3:-1] = labels
        return around[2:-2, 1:-3, 3:-1]
    if layout == "columns first":
        return labels.copy(order="F")
    return labels.transpose(2, 0, 1)[:, ::-1].copy()[:, ::-1].transpose(1, 2, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(23, 17, 20), (9, 30, 1), (1, 1, 40)])
def test_only_the_largest_piece_of_each_label_stays(shape: tuple[int, int, int], layout: str) -> None:
    labels = noisy_labels(shape)
    expected = np.zeros_like(labels)
    for label in np.unique(labels[labels > 0]):
        largest = max(pieces_of(labels, label), key=np.count_nonzero)  # max takes the first of equals
        expected[largest] = label
    cleaned = as_view(labels, layout)
    keep_largest_pieces(cleaned)
    assert np.array_equal(cleaned, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("smallest_mm3", "voxel_mm3"), [(200.0, 27.0), (12.0, 3.0), (0.0, 1.0), (1e9, 1.0)])
def test_small_islands_go(smallest_mm3: float, voxel_mm3: float, layout: str) -> None:
    labels = noisy_labels((19, 24, 15), seed=1)
    expected = labels.copy()
    for label in np.unique(labels[labels > 0]):
        for piece in pieces_of(labels, label):
            if np.count_nonzero(piece) <= smallest_mm3 / voxel_mm3:
                expected[piece] = 0
    cleaned = as_view(labels, layout)
    remove_small_islands(cleaned, smallest_mm3, voxel_mm3)
    assert np.array_equal(cleaned, expected)


def test_an_island_of_exactly_the_volume_goes_and_one_voxel_more_stays() -> None:
    labels = np.zeros((5, 8, 9), dtype=np.uint8)
    labels[1, 1, 1:5] = 3  # 4 voxels of 50 mm3
    labels[3, 6, 1:6] = 3  # 5 voxels
    expected = np.where(labels, labels, 0)
    expected[1] = 0
    remove_small_islands(labels, 200.0, 50.0)
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_equal_pieces_the_first_in_the_array_stays(layout: str) -> None:
    labels = np.zeros((4, 5, 6), dtype=np.uint8)
    labels[0, 3, 4:] = labels[1:3, 0, 0] = 8  # columns first, the second would come first
    expected = labels.copy()
    expected[1:] = 0
    cleaned = as_view(labels, layout)
    keep_largest_pieces(cleaned)
    assert np.array_equal(cleaned, expected)


def test_edges_and_corners_do_not_connect_and_other_labels_do_not_bridge() -> None:
    labels = np.zeros((4, 4, 9), dtype=np.uint8)
    labels[0, 0, :3] = 1
    labels[1, 1, 3] = 1  # touches by a corner
    labels[0, 1, 3] = 1  # touches the main piece by an edge, and the voxel above by a face
    labels[0, 0, 5:7] = 1
    labels[0, 0, 3:5] = 2  # lies between two pieces of label 1
    keep_largest_pieces(labels)
    assert np.argwhere(labels == 1).tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2]]
    assert np.count_nonzero(labels == 2) == 2


def test_a_piece_that_winds_through_the_array_is_one() -> None:
    labels = np.zeros((7, 9, 9), dtype=np.uint8)
    labels[::2, ::2] = 6  # rows that lie apart
    labels[::2, 1::4, 0] = labels[::2, 3::4, 8] = 6  # joined at alternate ends
    labels[1, 0, 0] = labels[3, 8, 8] = labels[5, 0, 8] = 6  # and so are the slices
    labels[3, 2:6, 2:6] = 5
    expected = labels.copy()
    keep_largest_pieces(labels)
    assert np.array_equal(labels, expected)
    labels[3, 8, 8] = 0  # now there are two halves of equal size: the first one stays
    expected[3:][expected[3:] == 6] = 0
    keep_largest_pieces(labels)
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 4, 0), (3, 4, 5)])
def test_nothing_found_stays_nothing(shape: tuple[int, int, int]) -> None:
    labels = np.zeros(shape, dtype=np.uint8)
    keep_largest_pieces(labels)
    remove_small_islands(labels, 200.0, 1.0)
    assert not labels.any()
