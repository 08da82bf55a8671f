"""From the network's grid to the CT: compared with a slow reference that computes every voxel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage
from TotalSegmentatorEngine.imaging.geometry import Reorientation
from TotalSegmentatorEngine.labels.merging import found_structures
from TotalSegmentatorEngine.labels.restoring import found_on_grid, restore_labels, smooth_matrices
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid
from TotalSegmentatorWire.tables.structures import structure_table

STRUCTURES = structure_table("structures_104")
SHAPE = (11, 14, 9)
FULL_SHAPES = {
    "finer": (23, 41, 30),
    "coarser": (5, 6, 4),
    "mixed": (4, 33, 9),
    "same": SHAPE,
    "one voxel": (1, 30, 5),
}
BOXES = {
    "whole": (slice(0, 11), slice(0, 14), slice(0, 9)),
    "inside": (slice(3, 8), slice(2, 11), slice(4, 7)),
    "at the start": (slice(0, 4), slice(0, 9), slice(0, 1)),
    "at the end": (slice(10, 11), slice(5, 14), slice(2, 9)),
}
TURNS = [
    None,
    Reorientation((0, 1, 2), (False, False, False)),
    Reorientation((0, 1, 2), (False, True, True)),
    Reorientation((1, 0, 2), (True, False, False)),
    Reorientation((2, 0, 1), (False, True, False)),
    Reorientation((1, 2, 0), (True, False, True)),
    Reorientation((2, 1, 0), (True, True, True)),
]


def grid_of(full_shape: tuple[int, int, int], turn: Reorientation | None, shape=SHAPE) -> NetworkGrid:
    full_spacing = tuple(3.0 * size / full for size, full in zip(shape, full_shape, strict=True))
    return NetworkGrid(shape, (3.0, 3.0, 3.0), full_shape, full_spacing, turn)


def some_labels(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Half background; some labels are so rare that a coarser CT misses them."""
    random = np.random.default_rng(seed)
    labels = np.minimum(random.geometric(0.08, shape), 104).astype(np.uint8)
    labels[random.random(shape) < 0.5] = 0
    return labels


def box_shape(box: tuple[slice, slice, slice]) -> tuple[int, int, int]:
    return tuple(part.stop - part.start for part in box)


def restored_slowly(labels: np.ndarray, grid: NetworkGrid, box: tuple[slice, slice, slice]) -> np.ndarray:
    """As the published pipeline does it: the whole grid resampled by SciPy, then turned back."""
    whole = np.zeros(grid.shape, dtype=np.uint8)
    whole[box] = labels
    factors = [full / size for full, size in zip(grid.full_shape, grid.shape, strict=True)]
    resampled = ndimage.zoom(whole, factors, order=0, mode="nearest")
    assert resampled.shape == grid.full_shape
    return resampled if grid.reorientation is None else grid.reorientation.undo(resampled)


CASES = list(itertools.product(FULL_SHAPES, BOXES, range(len(TURNS))))


@pytest.mark.parametrize(("full", "box", "turn"), CASES)
def test_labels_and_the_structures_found(full: str, box: str, turn: int) -> None:
    grid, box = grid_of(FULL_SHAPES[full], TURNS[turn]), BOXES[box]
    labels = some_labels(box_shape(box))
    expected = restored_slowly(labels, grid, box)
    restored = restore_labels(labels, grid, box)
    assert restored.dtype == np.uint8 and restored.flags.c_contiguous
    assert np.array_equal(restored, expected)
    found = found_on_grid(labels, grid, box, STRUCTURES)
    assert found == found_structures(expected, STRUCTURES)
    assert all(type(number) is int for one in found for number in [one.voxels, *one.extent])


def test_labels_that_are_a_view_of_something_larger() -> None:
    grid, box = grid_of((23, 8, 30), TURNS[4]), BOXES["inside"]
    around = some_labels(grid.shape)
    whole = around.transpose(2, 0, 1)[::-1].copy()[::-1].transpose(1, 2, 0)
    expected = restored_slowly(around[box], grid, box)
    assert np.array_equal(restore_labels(whole[box], grid, box), expected)
    assert found_on_grid(whole[box], grid, box, STRUCTURES) == found_structures(expected, STRUCTURES)


def test_a_box_between_the_voxels_of_a_coarse_ct_gives_background() -> None:
    grid = grid_of((3, 30, 20), None)
    box = (slice(1, 3), slice(0, 14), slice(0, 9))  # the CT takes rows 0, 5 and 10
    labels = np.full(box_shape(box), 5, dtype=np.uint8)
    assert not restore_labels(labels, grid, box).any()
    assert found_on_grid(labels, grid, box, STRUCTURES) == []


def test_only_the_requested_structures_in_their_order() -> None:
    grid = grid_of((20, 20, 20), None)
    labels = some_labels(SHAPE)
    requested = [STRUCTURES[3], STRUCTURES[1]]
    assert [one.label for one in found_on_grid(labels, grid, grid.whole, requested)] == [4, 2]


def test_a_reorientations_view_writes_to_the_array() -> None:
    for turn in TURNS[1:]:
        array = np.arange(60).reshape(3, 4, 5)
        view = turn.view(array)
        assert np.shares_memory(view, array)
        assert np.array_equal(turn.undo(view), array)
        view[0, 1, 2] = -1
        assert np.count_nonzero(array == -1) == 1


# -- smooth boundaries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("full", FULL_SHAPES)
def test_matrices_interpolate_the_region(full: str, box: str) -> None:
    grid, region = grid_of(FULL_SHAPES[full], None), BOXES[box]
    matrices, samples = smooth_matrices(grid, region)
    for axis, (matrix, part, voxels) in enumerate(zip(matrices, samples, region, strict=True)):
        size, wanted = grid.shape[axis], grid.full_shape[axis]
        line = np.arange(size, dtype=np.float64)
        nearest = ndimage.zoom(line, wanted / size, order=0, mode="nearest")
        expected = [n for n, index in enumerate(nearest) if voxels.start <= index < voxels.stop]
        assert list(range(wanted))[part] == expected
        assert matrix.dtype == np.float32 and matrix.shape == (len(expected), voxels.stop - voxels.start)
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-6)
        # each voxel's position on the grid, as far as the region reaches
        positions = ndimage.zoom(line, wanted / size, order=1, mode="nearest")[part]
        inside = np.clip(positions, voxels.start, voxels.stop - 1)
        np.testing.assert_allclose(matrix @ line[voxels], inside, atol=1e-5)


def test_equal_grids_need_no_interpolation() -> None:
    grid = grid_of(SHAPE, None)
    matrices, samples = smooth_matrices(grid, BOXES["inside"])
    assert samples == BOXES["inside"]
    assert all(np.array_equal(matrix, np.eye(len(matrix))) for matrix in matrices)


def test_a_region_without_any_voxel_of_the_ct() -> None:
    matrices, samples = smooth_matrices(grid_of((3, 30, 20), None), (slice(1, 3), slice(0, 14), slice(0, 9)))
    assert matrices[0].shape == (0, 2) and samples[0].start == samples[0].stop
    assert matrices[1].shape == (30, 14) and samples[1:] == (slice(0, 30), slice(0, 20))
