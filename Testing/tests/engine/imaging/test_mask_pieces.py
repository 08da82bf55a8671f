"""Pieces of masks, against SciPy, also of masks of a few voxels, of which cc3d itself gives up on some; and what is
measured of them, against cc3d."""

from __future__ import annotations

import itertools

import cc3d
import numpy as np
import pytest
from scipy.ndimage import label
from TotalSegmentatorEngine.imaging.mask_pieces import largest_piece, measured_pieces, numbered_pieces


def test_pieces_are_those_of_scipy():
    rng = np.random.default_rng(4)
    for shape in itertools.product((1, 2, 3, 5), repeat=3):
        for share in (0.2, 0.5, 0.9):
            mask = rng.random(shape) < share
            expected, count = label(mask, np.ones((3, 3, 3)))
            numbers = numbered_pieces(mask)
            assert numbers.max() == count
            pairs = np.unique(np.stack([numbers.ravel(), expected.ravel()]), axis=1)
            assert pairs.shape[1] == len(np.unique(expected))


def test_the_largest_piece_of_a_thin_mask():
    assert largest_piece(np.array([[[True, False, True, True]]])).tolist() == [[[False, False, True, True]]]
    assert not largest_piece(np.zeros((2, 2, 2), bool)).any()


# -- measured ----------------------------------------------------------------------------------------------------------


def in_a_box(mask: np.ndarray) -> np.ndarray:
    spans = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    return mask[tuple(slice(span[0], span[-1] + 1) for span in spans)]


def specks(seed: int, share: float) -> np.ndarray:
    return in_a_box(np.random.default_rng(seed).random((9, 14, 11)) < share)


def ball_and_specks(reach: int) -> np.ndarray:
    """``reach``: of the ball, from the middle; the specks may touch the box's faces before it does."""
    mask = specks(1, 0.02)
    places = np.indices(mask.shape)
    middle = np.array(mask.shape).reshape(3, 1, 1, 1) // 2
    return in_a_box(mask | (((places - middle) ** 2).sum(axis=0) <= reach**2))


MASKS = [*[specks(seed, share) for seed in range(5) for share in (0.01, 0.05, 0.12)], *map(ball_and_specks, (2, 4, 7))]


@pytest.mark.parametrize("mask", [mask for mask in MASKS if numbered_pieces(mask).max() > 1])
@pytest.mark.parametrize("most", [2, 1000])
def test_pieces_are_measured_as_one_by_one(mask: np.ndarray, most: int):
    numbers = numbered_pieces(mask)
    expected = cc3d.statistics(numbers)
    counts = expected["voxel_counts"][1:].astype(int)
    found = measured_pieces(numbers, int(mask.sum()), np.argwhere(mask).mean(axis=0), most)
    assert [each.number for each in found] == sorted({each.number for each in found})
    assert sorted(each.voxels for each in found) == sorted(counts)[-most:]
    for each in found:
        assert each.voxels == counts[each.number - 1]
        assert each.box == tuple(expected["bounding_boxes"][each.number])
        assert each.centre == pytest.approx(expected["centroids"][each.number], abs=1e-5)
