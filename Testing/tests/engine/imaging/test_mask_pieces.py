"""Pieces of masks, against SciPy, also of masks of a few voxels, of which cc3d itself gives up on some."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import label
from TotalSegmentatorEngine.imaging.mask_pieces import largest_piece, numbered_pieces


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
