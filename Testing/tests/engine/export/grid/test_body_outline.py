"""The body's outline: on a phantom with a table, and on real CTs."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.grid.body_outline import body_mask
from TotalSegmentatorWire.errors.problem import SegmentationError

SPACING = (1.5, 1.5, 4.0)  # i, j, k in mm
SHAPE = (10, 200, 260)
AIR, LUNG, TISSUE, CARBON, FOAM = -1000, -800, 40, 150, -900


def ellipse(middle: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """bool (j, i) of a plane; both arguments as (j, i)."""
    j, i = np.indices(SHAPE[1:])
    return ((j - middle[0]) / radii[0]) ** 2 + ((i - middle[1]) / radii[1]) ** 2 <= 1


TRUNK = ellipse((80, 130), (55, 80))
LEFT_ARM, RIGHT_ARM = ellipse((80, 30), (18, 16)), ellipse((80, 232), (18, 16))
LUNGS = ellipse((80, 95), (38, 28)) | ellipse((80, 165), (38, 28))


def phantom(dtype: type = np.int16) -> np.ndarray:
    """A trunk with lungs, arms that do not touch it, a sheet on it, and a table below whose top touches the skin."""
    plane = np.full(SHAPE[1:], AIR, dtype=dtype)
    plane[138:170, 10:250] = FOAM
    plane[135:138, 10:250] = plane[168:170, 10:250] = CARBON
    plane[22:24, 60:200] = -150
    plane[TRUNK | LEFT_ARM | RIGHT_ARM] = TISSUE
    plane[LUNGS] = LUNG
    return np.repeat(plane[None], SHAPE[0], axis=0)


def dice(mask: VoxelMask, expected: np.ndarray) -> float:
    found = mask.whole()
    return 2 * np.count_nonzero(found & expected) / (np.count_nonzero(found) + np.count_nonzero(expected))


def test_body_with_lungs_and_arms_and_without_the_table():
    mask = body_mask(phantom(), SPACING)
    found = mask.whole()
    assert mask.shape == SHAPE
    assert found[:, LUNGS].all() and found[:, LEFT_ARM].all() and found[:, RIGHT_ARM].all()
    assert not found[:, 142:].any(), "the table"
    assert not found[:, :24].any(), "the sheet"
    assert dice(mask, np.repeat((TRUNK | LEFT_ARM | RIGHT_ARM)[None], SHAPE[0], axis=0)) > 0.99


def test_air_between_the_back_and_the_table_is_not_filled():
    """A table with sides that reach the skin, so that both enclose it."""
    array = phantom()
    array[:, 98:138, [56, 57, 203, 204]] = CARBON
    found = body_mask(array, SPACING).whole()
    expected = np.repeat((TRUNK | LEFT_ARM | RIGHT_ARM)[None], SHAPE[0], axis=0)
    assert not found[:, 132:, :95].any()
    assert np.count_nonzero(found & ~expected) < 0.01 * np.count_nonzero(expected)


def test_lungs_behind_a_thin_chest_wall_are_filled():
    """Of six millimetres, over a third of the way around them."""
    trunk, lungs = ellipse((80, 130), (55, 80)), ellipse((80, 85), (42, 31)) | ellipse((80, 175), (42, 31))
    lungs &= ellipse((80, 130), (51, 76))
    array = phantom()
    array[:, LUNGS] = TISSUE
    array[:, lungs] = LUNG
    found = body_mask(array, SPACING).whole()
    expected = np.repeat((trunk | LEFT_ARM | RIGHT_ARM)[None], SHAPE[0], axis=0)
    assert found[:, lungs].all()
    assert np.count_nonzero(found & expected) > 0.998 * np.count_nonzero(expected)
    assert np.count_nonzero(found & ~expected) < 0.01 * np.count_nonzero(expected)


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_the_number_type_does_not_matter(dtype: type):
    np.testing.assert_array_equal(body_mask(phantom(dtype), SPACING).whole(), body_mask(phantom(), SPACING).whole())


def test_values_beyond_the_scanners_field_and_missing_ones_are_no_body():
    array = phantom(np.float32)
    array[:, ellipse((100, 130), (110, 140)) == 0] = -3024
    array[:, :10] = np.nan
    np.testing.assert_array_equal(body_mask(array, SPACING).whole(), body_mask(phantom(), SPACING).whole())


def test_a_small_field_of_view_cuts_the_body_at_its_border():
    part = np.s_[:, 40:122, 62:198]
    found = body_mask(phantom()[part], SPACING)
    assert found.whole()[:, 40, [0, -1]].all(), "it reaches the border"
    assert dice(found, np.repeat(TRUNK[None], SHAPE[0], axis=0)[part]) > 0.995


def test_a_rim_of_the_body_is_enough():
    """Nine millimetres of it, thinner than what comes off inside of the CT."""
    found = body_mask(phantom()[:, :31], (1.5, 1.5, 20.0))
    assert dice(found, np.repeat(TRUNK[None, :31], SHAPE[0], axis=0)) > 0.9


def test_the_outline_follows_the_skin_whatever_the_pixels_size():
    for step in (1, 2, 3):
        array = phantom()[:, ::step, ::step]
        spacing = (SPACING[0] * step, SPACING[1] * step, SPACING[2])
        expected = np.repeat((TRUNK | LEFT_ARM | RIGHT_ARM)[None, ::step, ::step], SHAPE[0], axis=0)
        assert dice(body_mask(array, spacing), expected) > 0.98
    fine = np.repeat(np.repeat(phantom()[:4], 3, axis=1), 3, axis=2)
    expected = np.repeat(np.repeat((TRUNK | LEFT_ARM | RIGHT_ARM)[None], 3, axis=1), 3, axis=2)
    assert dice(body_mask(fine, (0.5, 0.5, 4.0)), np.repeat(expected, 4, axis=0)) > 0.99


@pytest.mark.parametrize("content", ["air", "table", "speck"])
def test_a_ct_without_a_body_is_refused(content: str):
    array = np.full(SHAPE, AIR, dtype=np.int16)
    if content == "table":
        array[:, 135:138] = CARBON
    if content == "speck":
        array[4, 100:110, 100:110] = TISSUE
    with pytest.raises(SegmentationError) as raised:
        body_mask(array, SPACING)
    assert raised.value.code == "EXPORT_NO_BODY"


@pytest.mark.shared
def test_outline_of_a_real_ct_holds_its_structures_and_not_the_table(shared: Path, example_ct: Path):
    """The CT lies on its back to front, so that the table is at small j; the patient fills the middle."""
    image = nibabel.load(example_ct)
    array = np.asarray(image.dataobj).transpose(2, 1, 0)
    mask = body_mask(array, tuple(float(size) for size in image.header.get_zooms()))
    found = mask.whole()
    labels = nibabel.load(shared / "data" / "example_ct" / "reference_104_1.5mm.nii.gz")
    structures = np.asarray(labels.dataobj).transpose(2, 1, 0) > 0
    assert np.count_nonzero(found & structures) == np.count_nonzero(structures)
    table = (array > -300) & ~found
    assert 0.001 < table.mean() < 0.03, "what is dense and outside: table top and blanket"
    assert 0.6 < found.mean() < 0.68
