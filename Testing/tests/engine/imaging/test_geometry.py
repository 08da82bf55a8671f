"""Geometry on a small asymmetric phantom: every voxel must stay where it is in the patient."""

from __future__ import annotations

import itertools

import ct_variants
import nibabel
import numpy as np
import pytest
from TotalSegmentatorEngine.imaging.geometry import (
    Geometry,
    Volume,
    canonical_reorientation,
    check_geometry,
    geometry_from_lps,
    reorientation_to,
)
from TotalSegmentatorWire.errors.problem import SegmentationError

SHAPE = (4, 5, 6)  # k, j, i
SPACING = (0.7, 0.9, 2.5)  # i, j, k
ALL_CODES = [
    "".join(letters) for order in itertools.permutations(("RL", "AP", "SI")) for letters in itertools.product(*order)
]


def grid(codes: str, shape: tuple[int, int, int] = SHAPE, turn: np.ndarray | None = None) -> Geometry:
    """A grid whose i, j, k run towards the letters of ``codes`` ("RAS", "LPS", "PIR", ...)."""
    matrix = np.eye(4)
    for column, letter in enumerate(codes):
        axis = next(n for n, pair in enumerate(("LR", "PA", "IS")) if letter in pair)
        matrix[:3, column] = 0.0
        matrix[axis, column] = SPACING[column] * (1 if letter in "RAS" else -1)
    if turn is not None:
        matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = (-31.0, 17.5, 102.25)
    return Geometry(shape, matrix)


def positions(geometry: Geometry) -> np.ndarray:
    """RAS of every voxel, shape (k, j, i, 3)."""
    k, j, i = np.indices(geometry.shape)
    return (np.stack([i, j, k, np.ones_like(i)], axis=-1) @ geometry.ijk_to_ras.T)[..., :3]


def turned(degrees: float, axis: int) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = [n for n in range(3) if n != axis]
    matrix = np.eye(3)
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


@pytest.mark.parametrize("turn", [np.eye(3), turned(20, 0) @ turned(-11, 2)], ids=["straight", "oblique"])
@pytest.mark.parametrize("codes", ALL_CODES)
def test_canonical_orientation_keeps_every_voxel_in_its_place(codes: str, turn: np.ndarray) -> None:
    geometry = grid(codes, turn=turn)
    # the value of a voxel is its own position, so that a wrong flip shows
    place = positions(geometry) @ np.array([1.0, 1e3, 1e6])
    canonical = canonical_reorientation(geometry).apply(Volume(place, geometry))
    np.testing.assert_allclose(positions(canonical.geometry) @ np.array([1.0, 1e3, 1e6]), canonical.array, rtol=1e-9)
    # array axes S, A, R: matrix columns (i, j, k) are R, A, S and grow that way
    dominant = np.abs(canonical.geometry.direction).argmax(axis=0)
    assert dominant.tolist() == [0, 1, 2]
    assert (np.diag(canonical.geometry.direction) > 0).all()
    assert not canonical.geometry.is_left_handed


@pytest.mark.parametrize("codes", ALL_CODES)
def test_undo_returns_the_original_order(codes: str) -> None:
    geometry = grid(codes)
    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    reorientation = canonical_reorientation(geometry)
    there_and_back = reorientation.undo(reorientation.apply(Volume(array, geometry)).array)
    np.testing.assert_array_equal(there_and_back, array)
    assert there_and_back.flags.c_contiguous


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "LAS", "SAR", "IPL"])
def test_canonical_orientation_is_nibabels(codes: str) -> None:
    geometry = grid(codes, turn=turned(33, 1))
    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    expected = nibabel.as_closest_canonical(nibabel.Nifti1Image(array.T, geometry.ijk_to_ras))
    canonical = canonical_reorientation(geometry).apply(Volume(array, geometry))
    np.testing.assert_array_equal(canonical.array, np.asarray(expected.dataobj).T)
    np.testing.assert_allclose(canonical.geometry.ijk_to_ras, expected.affine)


@pytest.mark.parametrize("wanted", ALL_CODES)
def test_any_voxel_order_is_reached_as_nibabel_reaches_it(wanted: str) -> None:
    geometry = grid("PIR", turn=turned(33, 1))
    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    expected, matrix = ct_variants.reordered(array, geometry.ijk_to_ras, wanted)
    reorientation = reorientation_to(geometry, wanted)
    reordered = reorientation.apply(Volume(array, geometry))
    np.testing.assert_array_equal(reordered.array, expected)
    np.testing.assert_allclose(reordered.geometry.ijk_to_ras, matrix)
    np.testing.assert_array_equal(reorientation.undo(reordered.array), array)


def test_a_canonical_volume_is_not_copied() -> None:
    geometry = grid("RAS")
    array = np.zeros(SHAPE, np.int16)
    reorientation = canonical_reorientation(geometry)
    assert reorientation.is_identity
    assert np.shares_memory(reorientation.apply(Volume(array, geometry)).array, array)


def test_spacing_direction_and_handedness() -> None:
    assert grid("RAS").spacing == pytest.approx(SPACING)
    assert grid("PIR", turn=turned(20, 0)).spacing == pytest.approx(SPACING)
    assert [codes for codes in ("RAS", "LPS", "PIR", "LAS") if grid(codes).is_left_handed] == ["LAS"]
    assert grid("LPS").direction.tolist() == [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]


def test_lps_description_and_back() -> None:
    geometry = geometry_from_lps(SHAPE, SPACING, (1, 0, 0, 0, 1, 0, 0, 0, 1), (10, 20, 30))
    assert geometry.origin.tolist() == [-10, -20, 30]
    np.testing.assert_array_equal(geometry.ijk_to_ras[:3, :3], np.diag([-0.7, -0.9, 2.5]))
    np.testing.assert_array_equal(geometry.ijk_to_lps[:3, 3], [10, 20, 30])


def test_matches_compares_corners() -> None:
    moved = grid("RAS").ijk_to_ras.copy()
    moved[0, 0] += 0.01  # 5 voxels along i: 0.05 mm at the far corner
    assert grid("RAS").matches(grid("RAS"))
    assert not grid("RAS").matches(Geometry(SHAPE, moved))
    assert grid("RAS").matches(Geometry(SHAPE, moved), tolerance_mm=0.051)
    assert not grid("RAS").matches(grid("RAS", shape=(4, 5, 7)))


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PIR", "IPL"])
def test_right_and_left_handed_grids_are_valid(codes: str) -> None:
    check_geometry(grid(codes, turn=turned(20, 0)))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.__setitem__((slice(0, 3), 2), 0.0),
        lambda m: m.__setitem__((slice(0, 3), 2), m[:3, 0]),
        lambda m: m.__setitem__((0, 3), np.nan),
        lambda m: m.__setitem__((1, 1), np.inf),
    ],
    ids=["zero spacing", "two axes alike", "origin not a number", "infinite spacing"],
)
def test_degenerate_grids_are_refused(change) -> None:
    matrix = grid("RAS").ijk_to_ras.copy()
    change(matrix)
    with pytest.raises(SegmentationError) as caught:
        check_geometry(Geometry(SHAPE, matrix))
    assert caught.value.code == "INPUT_DEGENERATE_DIRECTION"


@pytest.mark.parametrize(("degrees", "refused"), [(0.05, False), (0.15, True), (14.0, True)])
def test_shear_is_refused_above_its_limit(degrees: float, refused: bool) -> None:
    matrix = grid("LAS").ijk_to_ras.copy()
    matrix[1, 2] = np.tan(np.radians(degrees)) * matrix[2, 2]
    geometry = Geometry(SHAPE, matrix)
    assert geometry.shear_degrees == pytest.approx(degrees, abs=1e-6)
    if not refused:
        check_geometry(geometry)
        return
    with pytest.raises(SegmentationError) as caught:
        check_geometry(geometry)
    assert caught.value.code == "INPUT_SHEARED"
    assert caught.value.problem.values["degrees"] == pytest.approx(degrees)


def test_a_volume_needs_a_grid_of_its_shape() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        Volume(np.zeros((1, 2, 3)), grid("RAS"))
