"""Components that are found a slab at a time are those of the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from TotalSegmentatorEngine.imaging.connected_pieces import connected_pieces


def whole(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """By SciPy, a label at a time, numbered in the order of their first voxels."""
    numbers = np.zeros(labels.shape, dtype=np.int64)
    for label in np.unique(labels[labels > 0]):
        found, _count = ndimage.label(labels == label)
        numbers[found > 0] = found[found > 0] + numbers.max()
    values, first = np.unique(numbers, return_index=True)
    rank = np.zeros(len(values), dtype=np.int64)
    others = np.flatnonzero(values)
    rank[others[np.argsort(first[others])]] = np.arange(1, len(others) + 1)
    return rank[np.searchsorted(values, numbers)], len(others)


def blobs(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.2)
    return np.digitize(noise, [0.0, 0.15, 0.3]).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(97, 20, 17), (64, 9, 30), (33, 1, 40), (7, 30, 30)])
def test_pieces_are_those_of_the_whole_image(shape: tuple[int, int, int], seed: int) -> None:
    labels = blobs(shape, seed)
    expected, count = whole(labels)
    numbers, found = connected_pieces(labels)
    assert found == count and count > 3
    assert np.array_equal(numbers, expected)


def test_what_hangs_together_only_through_later_slabs_is_one_piece() -> None:
    labels = np.zeros((200, 5, 9), dtype=np.uint8)
    labels[:, 2, ::4] = 3  # three columns through all slabs
    labels[199, 2, :] = 3  # joined in the last plane
    labels[0, 0, 0] = 3
    numbers, count = connected_pieces(labels)
    assert count == 2
    assert numbers[0, 0, 0] == 1 and set(np.unique(numbers[labels > 0])) == {1, 2}


def test_a_view_whose_memory_runs_otherwise_gives_the_same() -> None:
    labels = blobs((70, 20, 24), 9)
    turned = np.asfortranarray(labels)[:, ::-1]
    assert np.array_equal(connected_pieces(turned)[0], whole(turned)[0])


def test_nothing_is_no_piece() -> None:
    numbers, count = connected_pieces(np.zeros((70, 4, 4), dtype=np.uint8))
    assert count == 0 and not numbers.any()
