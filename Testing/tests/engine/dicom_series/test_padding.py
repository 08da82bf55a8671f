"""Pixel padding becomes air before anything looks at the voxels, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from pydicom import uid
from reading_support import RAS_GRID
from slicer_route import read_as_slicer_sends
from TotalSegmentatorEngine.ct_input.reading import read_input

AIR = -1024
SIZE = 40


def body(noise: int = 12) -> np.ndarray:
    """A body of soft tissue with bone and lung in air, round scan field; (k, j, i) int32 in HU. NaN-free and noisy."""
    j, i = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    radius = np.hypot(j, i)
    plane = np.where(radius < 13, 40, -1000) + np.where(radius < 4, 600, 0) + np.where(np.hypot(j, i - 8) < 3, -840, 0)
    return plane + np.random.default_rng(1).integers(-noise, noise + 1, (5, SIZE, SIZE))


def outside_field() -> np.ndarray:
    j, i = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return np.broadcast_to(np.hypot(j, i) > SIZE / 2, (5, SIZE, SIZE))


def series(
    folder: Path,
    hu: np.ndarray,
    stored_padding: int,
    tags: dict[str, tuple[str, int]],
    *,
    signed: bool = True,
    intercept: int = 0,
    bits: int = 16,
    implicit: bool = False,
) -> Path:
    """``hu`` stored with ``stored_padding`` outside the scan field; ``tags``: value representation and value."""

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        stored = hu[number] - intercept
        stored[outside_field()[number]] = stored_padding
        dataset.PixelData = (stored & 0xFFFF).astype("<u2").tobytes()
        dataset.PixelRepresentation, dataset.RescaleIntercept = int(signed), str(intercept)
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
        for name, (representation, value) in tags.items():
            dataset.add_new(pydicom.datadict.tag_for_keyword(name), representation, value)
        if implicit:
            dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian

    return ct_variants.write_dicom_series(folder, np.zeros(hu.shape, np.int16), RAS_GRID, edit)


def check(folder: Path, job: Path, hu: np.ndarray, expected_outside: np.ndarray | int) -> None:
    """Both routes: the body as it was, ``expected_outside`` beside the scan field."""
    expected = np.where(outside_field(), expected_outside, hu)
    for read in (read_input(folder), read_as_slicer_sends(folder, job)):
        ras = ct_variants.reordered(read.volume.array, read.volume.geometry.ijk_to_ras, "RAS")[0]
        np.testing.assert_array_equal(ras, ct_variants.reordered(expected, RAS_GRID, "RAS")[0])
        assert read.volume.array.dtype == np.int16


VALUE, LIMIT = "PixelPaddingValue", "PixelPaddingRangeLimit"


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize(
    ("stored", "tags", "options"),
    [
        (-2000, {VALUE: ("SS", -2000)}, {"intercept": -1024}),
        (-2000, {VALUE: ("US", 63536)}, {"intercept": -1024}),
        (-2000, {VALUE: ("SS", -2000)}, {}),
        (63536, {VALUE: ("US", 63536)}, {"intercept": -1024, "signed": False}),
        (63536, {VALUE: ("SS", -2000)}, {"intercept": -1024, "signed": False}),
        (65535, {VALUE: ("US", 65535)}, {"intercept": -1024, "signed": False}),
        (32767, {VALUE: ("SS", 32767)}, {"intercept": -1024}),
        (-32768, {VALUE: ("SS", -32768)}, {}),
        (-1990, {VALUE: ("SS", -2000), LIMIT: ("SS", -1980)}, {"intercept": -1024}),
        (-1990, {VALUE: ("SS", -1980), LIMIT: ("SS", -2000)}, {"intercept": -1024}),
        (-2000, {VALUE: ("US", 63556), LIMIT: ("US", 63536)}, {"intercept": -1024}),
        (64000, {VALUE: ("US", 63536), LIMIT: ("US", 65535)}, {"intercept": -1024, "signed": False}),
        (64000, {VALUE: ("US", 65535), LIMIT: ("US", 63536)}, {"intercept": -1024, "signed": False}),
        (4095, {VALUE: ("US", 4095)}, {"intercept": -1024, "signed": False, "bits": 12}),
        (63536, {VALUE: ("US", 63536)}, {"intercept": -1024, "signed": False, "bits": 12}),
        (1500, {VALUE: ("US", 1500)}, {"intercept": -1024, "signed": False}),
        (0, {VALUE: ("SS", 0)}, {}),
    ],
)
def test_padding_outside_the_scan_field_becomes_air(
    tmp_path: Path, stored: int, tags: dict, options: dict, implicit: bool
) -> None:
    folder = series(tmp_path / "ct", body(), stored, tags, implicit=implicit, **options)
    check(folder, tmp_path / "job", body(), AIR)


def test_padding_is_found_in_a_big_endian_file(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct", body(), -2000, {VALUE: ("SS", -2000)}, intercept=-1024)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
        pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    check(folder, tmp_path / "job", body(), AIR)


@pytest.mark.parametrize("tissue", [0, 40, 50, -100, -800, 640])
def test_a_padding_value_that_tissue_has_too_leaves_the_tissue(tmp_path: Path, tissue: int) -> None:
    """A CT stored in HU whose header calls a plausible value padding; around the body is real air."""
    folder = series(tmp_path / "ct", body(), -1000, {VALUE: ("SS", tissue)})
    check(folder, tmp_path / "job", body(), -1000)


def test_tissue_that_fills_the_image_is_left(tmp_path: Path) -> None:
    """A small field of view within the body: its corners are noisy tissue around the stated value."""
    filled = np.random.default_rng(2).integers(-15, 16, (5, SIZE, SIZE))
    filled[:, 10:20, 10:20] = -900  # air, so that the CT is plausible
    folder = series(tmp_path / "ct", filled, 300, {VALUE: ("SS", 0)})
    check(folder, tmp_path / "job", filled, 300)


def test_a_range_that_covers_all_values_leaves_the_tissue(tmp_path: Path) -> None:
    tags = {VALUE: ("US", 0), LIMIT: ("US", 4095)}
    folder = series(tmp_path / "ct", body(), 24, tags, intercept=-1024, signed=False)
    check(folder, tmp_path / "job", body(), -1000)


@pytest.mark.parametrize("hu", [-1024, -1000])
def test_padding_that_is_air_already_is_left_as_it_is(tmp_path: Path, hu: int) -> None:
    folder = series(tmp_path / "ct", body(), hu, {VALUE: ("SS", hu)})
    check(folder, tmp_path / "job", body(), hu)


def test_a_range_limit_without_a_value_is_not_padding(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct", body(), 3000, {LIMIT: ("SS", 3000)})
    check(folder, tmp_path / "job", body(), 3000)


def test_padding_of_a_slice_of_its_own(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct", body(), -2000, {VALUE: ("SS", -2000)}, intercept=-1024)
    path = folder / "slice-0002.dcm"
    dataset = pydicom.dcmread(path)
    stored = dataset.pixel_array.copy()
    stored[stored == -2000] = -3000
    dataset.PixelData, dataset.PixelPaddingValue = stored.tobytes(), -3000
    dataset.save_as(path)
    check(folder, tmp_path / "job", body(), AIR)


def test_a_cropped_volume_of_slicer_has_no_padding_either(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct", body(), -2000, {VALUE: ("SS", -2000)}, intercept=-1024)
    read = read_as_slicer_sends(folder, tmp_path / "job", lambda array: array[1:, 2:, 3:])
    assert read.volume.array.min() == AIR
    np.testing.assert_array_equal(read.volume.array == AIR, outside_field()[1:, 2:, 3:])


def test_a_multi_frame_file_with_padding(tmp_path: Path) -> None:
    hu = np.where(outside_field(), -3024, body()).astype(np.int16)
    path = ct_variants.write_enhanced_dicom(tmp_path / "ct.dcm", hu, RAS_GRID, intercept=-1024)
    dataset = pydicom.dcmread(path)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.save_as(path)
    read = read_input(path).volume
    assert read.array.min() == AIR
    assert int((read.array == AIR).sum()) == int(outside_field().sum())


@pytest.mark.parametrize("bits", [8, 32])
def test_padding_of_other_bits_allocated(tmp_path: Path, bits: int) -> None:
    """8 bits: a CT windowed to 0..255, of which 255 is padding."""
    hu = np.where(outside_field(), 255, np.clip(body() // 8 + 128, 0, 200))

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        dataset.PixelData = hu[number].astype(f"<u{bits // 8}").tobytes()
        dataset.BitsAllocated = dataset.BitsStored = bits
        dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
        dataset.add_new("PixelPaddingValue", "US", 255)

    folder = ct_variants.write_dicom_series(tmp_path / "ct", np.zeros(hu.shape, np.int16), RAS_GRID, edit)
    read = read_input(folder).volume
    ras = ct_variants.reordered(read.array, read.geometry.ijk_to_ras, "RAS")[0]
    expected = ct_variants.reordered(np.where(outside_field(), AIR, hu), RAS_GRID, "RAS")[0]
    np.testing.assert_array_equal(ras, expected)
