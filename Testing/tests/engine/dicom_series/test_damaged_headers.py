"""Damage to the header of one slice: the series is refused, or read on its own grid with its own voxels."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from reading_support import RAS_GRID, changed
from slicer_route import read_as_slicer_sends
from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_input
from TotalSegmentatorEngine.dicom_series.headers import read_header
from TotalSegmentatorWire.errors.problem import SegmentationError
from transfer_syntaxes import make_unsigned, transcode

GRID_TAGS = (
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
)
SAME_MM = 1e-6
VOXELS_MAY_DIFFER = ("RescaleSlope", "RescaleIntercept", "BitsStored", "HighBit")
"""A digit may change by less than the next slice tells; GDCM is the judge of the bits."""


def smooth_ct() -> np.ndarray:
    """Slices that resemble each other, as a CT's do; (k, j, i) int16."""
    j, i = np.mgrid[:24, :30]
    plane = np.where(np.hypot(j - 12, i - 15) < 9, 40, -1000) + np.where(np.hypot(j - 12, i - 12) < 3, 700, 0)
    return (plane + np.random.default_rng(4).integers(-20, 20, (6, 24, 30))).astype(np.int16)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    return ct_variants.write_dicom_series(folder, smooth_ct(), RAS_GRID, make_unsigned)


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "series"))


def refused_or_unchanged(folder: Path, whole: Path, voxels_too: bool = True) -> str:
    try:
        read = read_input(folder)
    except SegmentationError as error:
        return error.code
    assert_same(read, read_input(whole), voxels_too)
    return "read"


def assert_same(read: ReadInput, expected: ReadInput, voxels_too: bool) -> None:
    assert read.volume.geometry.shape == expected.volume.geometry.shape
    np.testing.assert_allclose(
        read.volume.geometry.ijk_to_ras, expected.volume.geometry.ijk_to_ras, rtol=0, atol=SAME_MM
    )
    if voxels_too:
        np.testing.assert_array_equal(read.volume.array, expected.volume.array)


@pytest.mark.parametrize("name", GRID_TAGS)
@pytest.mark.parametrize("slice_name", ["slice-0001.dcm", "slice-0003.dcm"])
def test_damage_to_one_element(damaged: Path, whole: Path, name: str, slice_name: str) -> None:
    """One bit of the element's own bytes at a time: tag, representation, length and value."""
    path = damaged / slice_name
    good = path.read_bytes()
    outcomes = set()
    for place, bit in _bits_of(good, name):
        bad = bytearray(good)
        bad[place] ^= 1 << bit
        path.write_bytes(bad)
        outcomes.add(refused_or_unchanged(damaged, whole, name not in VOXELS_MAY_DIFFER))
    assert outcomes - {"read"}


def _bits_of(file: bytes, name: str) -> Iterator[tuple[int, int]]:
    """Sixteen places and bits, spread over the element."""
    start = file.index(
        tag_for_keyword(name).to_bytes(4, "little")[2:] + tag_for_keyword(name).to_bytes(4, "little")[:2]
    )
    length = 12 if name == "PixelData" else 8 + int.from_bytes(file[start + 6 : start + 8], "little")
    draw = random.Random(name)
    for _ in range(10):
        yield start + draw.randrange(length), draw.randrange(8)


@pytest.mark.parametrize("slice_name", ["slice-0001.dcm", "slice-0004.dcm"])
@pytest.mark.parametrize(
    "values",
    [
        {"Modality": "OT"},
        {"Modality": ""},
        {"Rows": 30, "Columns": 24},
        {"Rows": 23},
        {"Columns": 31},
        {"PixelSpacing": ["0.9", "1.2"]},
        {"ImagePositionPatient": ["20", "-35.5", "999"]},
        {"ImagePositionPatient": ["20", "35.5", "710.25"]},
        {"ImagePositionPatient": ["20", "-35.5"]},
        {"ImageOrientationPatient": ["-1", "0", "0", "0", "1", "0"]},
        {"ImageOrientationPatient": ["0", "1", "0", "1", "0", "0"]},
        {"PixelRepresentation": 1, "RescaleIntercept": "0"},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"RescaleIntercept": "0"},
        {"RescaleIntercept": "-2248"},
        {"RescaleIntercept": "-1024"},
        {"RescaleSlope": "2"},
        {"RescaleSlope": "0"},
        {"RescaleSlope": "-1"},
        {"RescaleSlope": "1.2"},
        {"RescaleSlope": ""},
        {"RescaleIntercept": ""},
        {"RescaleSlope": None},
        {"RescaleIntercept": None},
    ],
    ids=str,
)
def test_a_wrong_value_in_one_slice_is_refused(tmp_path: Path, values: dict, slice_name: str) -> None:
    number = 6 - int(slice_name[6:10])

    def edit(dataset: pydicom.Dataset, current: int) -> None:
        make_unsigned(dataset)
        changed(number, **values)(dataset, current)

    folder = ct_variants.write_dicom_series(tmp_path / "series", smooth_ct(), RAS_GRID, edit)
    with pytest.raises(SegmentationError):
        read_input(folder)


@pytest.mark.parametrize(
    "values", [{"RescaleIntercept": None}, {"RescaleSlope": ""}, {"RescaleIntercept": "0"}, {"RescaleSlope": "1.2"}]
)
def test_a_wrong_scale_of_one_slice_is_refused_in_slicer_too(tmp_path: Path, values: dict) -> None:
    def edit(dataset: pydicom.Dataset, current: int) -> None:
        make_unsigned(dataset)
        changed(2, **values)(dataset, current)

    folder = ct_variants.write_dicom_series(tmp_path / "series", smooth_ct(), RAS_GRID, edit)
    with pytest.raises(SegmentationError) as caught:
        read_as_slicer_sends(folder, tmp_path / "job")
    assert caught.value.code in ("INPUT_RESCALE_MISSING", "INPUT_RESCALE_CONTRADICTED")
    assert caught.value.problem.values["file"] == "slice-0004.dcm"


def test_a_slice_with_a_scale_of_its_own_that_fits_its_pixels_is_read(tmp_path: Path) -> None:
    """As scanners may write it: other stored values, other slope, the same HU."""

    def edit(dataset: pydicom.Dataset, current: int) -> None:
        if current == 2:
            pixels = np.frombuffer(dataset.PixelData, "<i2").astype(np.int32)
            dataset.PixelData = ((pixels + 1500) * 2).astype("<i2").tobytes()
            dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-1500"

    folder = ct_variants.write_dicom_series(tmp_path / "series", smooth_ct(), RAS_GRID, edit)
    expected = ct_variants.write_dicom_series(tmp_path / "expected", smooth_ct(), RAS_GRID)
    np.testing.assert_array_equal(read_input(folder).volume.array, read_input(expected).volume.array)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"])
def test_random_damage_between_the_identifiers_and_the_pixels(tmp_path: Path, syntax: str) -> None:
    """Bytes or runs of 8 zeros, from Rows on, of slices drawn at random; UIDs and names decide about the series, not
    about its grid."""
    whole = ct_variants.write_dicom_series(tmp_path / "whole", smooth_ct(), RAS_GRID, make_unsigned)
    for path in whole.iterdir():
        transcode(path, syntax)
    folder = Path(shutil.copytree(whole, tmp_path / "series"))
    draw = random.Random(syntax)
    outcomes = []
    for _ in range(60):
        path = draw.choice(sorted(folder.iterdir()))
        good = path.read_bytes()
        start, end = good.index(b"\x28\x00\x02\x00"), read_header(path)[0].stored.element.offset
        place, zeros = draw.randrange(start, end), draw.choice([0, 8])
        bad = bytearray(good)
        bad[place : place + max(zeros, 1)] = bytes(zeros) or bytes([draw.randrange(256)])
        bad[end:] = good[end:]
        path.write_bytes(bad)
        outcomes.append(refused_or_unchanged(folder, whole, voxels_too=False))
        path.write_bytes(good)
    assert len(set(outcomes)) > 3
