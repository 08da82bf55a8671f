"""A file that is read is recognised under any name before something is written to it."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import pytest
from reading_support import RAS_GRID, small_ct
from TotalSegmentatorEngine.ct_input.overwriting import is_input

LPS = ct_variants.reordered(small_ct(), RAS_GRID, "LPS")


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return ct_variants.write_dicom_series(tmp_path / "series", *LPS)


def test_an_image_file_by_its_name_a_hard_link_a_symbolic_link_and_another_path(tmp_path: Path):
    image = ct_variants.write_image(tmp_path / "ct.nii.gz", small_ct(), RAS_GRID)
    (tmp_path / "folder").mkdir()
    (tmp_path / "hard.nii.gz").hardlink_to(image)
    (tmp_path / "soft.nii.gz").symlink_to(image)
    for same in (image, tmp_path / "hard.nii.gz", tmp_path / "soft.nii.gz", tmp_path / "folder" / ".." / "ct.nii.gz"):
        assert is_input(same, image), same
    other = ct_variants.write_image(tmp_path / "other.nii.gz", small_ct(), RAS_GRID)
    assert not is_input(other, image)
    assert not is_input(tmp_path / "not there.nii.gz", image)


def test_the_slices_of_a_folder_and_links_to_them(tmp_path: Path, series: Path):
    a_slice = next(series.iterdir())
    (tmp_path / "hard.dcm").hardlink_to(a_slice)
    (tmp_path / "soft.dcm").symlink_to(a_slice)
    assert all(is_input(path, series) for path in (a_slice, tmp_path / "hard.dcm", tmp_path / "soft.dcm"))
    labels = series / "labels.nii.gz"
    labels.write_bytes(b"an earlier result")
    assert not is_input(labels, series)


def test_one_dicom_file_stands_for_its_series(tmp_path: Path, series: Path):
    first, second, *_rest = sorted(series.iterdir())
    other = ct_variants.write_dicom_series(tmp_path / "other", *LPS)
    moved = next(other.iterdir()).rename(series / "of another series.dcm")
    assert is_input(first, first) and is_input(second, first)
    assert not is_input(moved, first)
    assert is_input(moved, series)
