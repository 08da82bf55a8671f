"""Files whose names or first bytes no image library takes, although their contents are sound."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ct_variants
import numpy as np
import pytest
from reading_support import RAS_GRID, assert_same_patient, small_ct
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorWire.errors.problem import SegmentationError

PREAMBLE = 132
NO_UTF8 = os.fsdecode(b"sch\xe4del")
"""As a disc of the nineties names a file that shows a skull."""

needs_any_names = pytest.mark.skipif(sys.platform != "linux", reason="file names are UTF-8 or UTF-16 by force here")


@pytest.fixture
def ct() -> np.ndarray:
    return small_ct()


@needs_any_names
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".vtk"])
def test_an_image_file_whose_name_is_not_utf8_is_read(tmp_path: Path, ct: np.ndarray, suffix: str) -> None:
    written = ct_variants.write_image(tmp_path / f"ct{suffix}", *ct_variants.reordered(ct, RAS_GRID, "LPS"))
    renamed = written.rename(tmp_path / (NO_UTF8 + suffix))
    assert_same_patient(read_input(renamed), ct, RAS_GRID)


@needs_any_names
def test_a_series_whose_folder_and_file_names_are_not_utf8_is_read(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / NO_UTF8, ct, RAS_GRID)
    assert_same_patient(read_input(folder), ct, RAS_GRID)
    (folder / "slice-0001.dcm").rename(folder / (NO_UTF8 + ".dcm"))
    assert_same_patient(read_input(folder), ct, RAS_GRID)


@needs_any_names
def test_damage_behind_a_name_that_is_not_utf8_is_still_found(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    path = (folder / "slice-0001.dcm").rename(folder / (NO_UTF8 + ".dcm"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SegmentationError) as refused:
        read_input(folder)
    assert refused.value.code == "INPUT_UNREADABLE"


def test_files_that_begin_with_file_meta_information_without_a_preamble_are_read(
    tmp_path: Path, ct: np.ndarray
) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[PREAMBLE:])
    assert_same_patient(read_input(folder), ct, RAS_GRID)


def test_a_lone_file_without_a_preamble_among_others_is_read(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    path = folder / "slice-0002.dcm"
    path.write_bytes(path.read_bytes()[PREAMBLE:])
    assert_same_patient(read_input(folder), ct, RAS_GRID)
