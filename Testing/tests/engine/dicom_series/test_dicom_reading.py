"""DICOM series: put together by position, and refused with a code where they make up no straight, complete CT."""

from __future__ import annotations

import shutil
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from reading_support import RAS_GRID, assert_same_patient, changed, moved, refusal, small_ct
from TotalSegmentatorEngine.ct_input.reading import read_input


@pytest.fixture
def ct() -> np.ndarray:
    return small_ct()


# -- good series -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 20])
@pytest.mark.parametrize("codes", ct_variants.RIGHT_HANDED)
def test_dicom_series_in_every_voxel_order(tmp_path: Path, ct: np.ndarray, codes: str, degrees: int) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    matrix = ct_variants.turned(matrix, degrees)
    folder = ct_variants.write_dicom_series(tmp_path / "series", array, matrix, intercept=-1024)
    read = read_input(folder)
    assert_same_patient(read, array, matrix)
    assert read.volume.array.dtype == np.int16
    one_file = sorted(folder.iterdir())[2]
    assert read.series_instance_uid == str(pydicom.dcmread(one_file).SeriesInstanceUID)


def test_a_file_stands_for_its_series(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "both", ct, RAS_GRID)
    for path in ct_variants.write_dicom_series(tmp_path / "other", ct // 2, RAS_GRID).iterdir():
        shutil.copy(path, folder / ("other-" + path.name))
    assert refusal(folder).code == "INPUT_SEVERAL_SERIES"
    assert_same_patient(read_input(folder / "slice-0003.dcm"), ct, RAS_GRID)
    assert_same_patient(read_input(folder / "other-slice-0003.dcm"), ct // 2, RAS_GRID)


def test_other_files_copies_and_subfolders_do_not_disturb_a_series(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "disc" / "0001" / "series", ct, RAS_GRID)
    shutil.copy(folder / "slice-0002.dcm", folder / "slice-0002 copy.dcm")
    (folder / "readme.txt").write_text("not a DICOM file, although it is longer than a preamble" * 5)
    (folder / "empty.txt").write_bytes(b"")

    def as_structure_set(dataset: pydicom.Dataset, number: int) -> None:
        dataset.Modality = "RTSTRUCT"
        del dataset.Rows, dataset.Columns, dataset.PixelData

    for path in ct_variants.write_dicom_series(tmp_path / "rt", ct[:1], RAS_GRID, as_structure_set).iterdir():
        shutil.copy(path, folder / "rt.dcm")
    assert_same_patient(read_input(folder), ct, RAS_GRID)
    assert_same_patient(read_input(tmp_path / "disc"), ct, RAS_GRID)


def test_fractions_of_a_later_slice_survive(tmp_path: Path, ct: np.ndarray) -> None:
    def own_slope(dataset: pydicom.Dataset, number: int) -> None:
        dataset.RescaleSlope = "1" if number < 3 else "0.5"

    read = read_input(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, own_slope))
    expected = np.concatenate([ct[:3], ct[3:] * 0.5])
    assert_same_patient(read, expected, RAS_GRID)


@pytest.mark.parametrize("codes", ct_variants.RIGHT_HANDED)
def test_enhanced_multi_frame_with_shuffled_frames(tmp_path: Path, ct: np.ndarray, codes: str) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    order = list(np.random.default_rng(3).permutation(len(array)))
    path = ct_variants.write_enhanced_dicom(tmp_path / "enhanced" / "ct.dcm", array, matrix, order, intercept=-1024)
    assert_same_patient(read_input(path), array, matrix)
    assert_same_patient(read_input(path.parent), array, matrix)


# -- bad series --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(0.2)), 0)), "INPUT_GANTRY_TILT"),
        (moved(shift=lambda n: (2.5 * n * np.tan(np.radians(14)), 0, 0)), "INPUT_GANTRY_TILT"),
        (moved({3: (0, 0, 0.1)}), "INPUT_IRREGULAR_SLICES"),
        (moved({5: (0, 0, 1.0)}), "INPUT_IRREGULAR_SLICES"),
        (moved({2: (0.4, 0, 0)}), "INPUT_SLICE_UNUSABLE"),
        (moved({5: (0, 0, 2.5)}), "INPUT_MISSING_SLICES"),
        (moved({0: (0, 0, -7.5)}), "INPUT_MISSING_SLICES"),
        (moved({4: (0, 0, -2.5)}), "INPUT_DUPLICATE_SLICES"),
        (moved(shift=lambda n: (0, 0, -2.5 * n)), "INPUT_DUPLICATE_SLICES"),
    ],
)
def test_slice_positions(tmp_path: Path, ct: np.ndarray, edit, code: str) -> None:
    assert refusal(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, edit)).code == code


@pytest.mark.parametrize(
    ("positions", "missing"),
    [
        ([0, 2, 4, 6, 8, 10, 11], 5),  # more than half of them
        ([0, 3, 6.02, 9, 10, 13], 8),
        ([0, 1, 4, 6, 9, 12, 15, 18], 11),
        ([0, 2.5, 5, 12.5, 15, 17.5], 2),
        ([0, 2.5, 5, 7.5, 10, 17.5, 20, 22.5, 25], 2),
        ([0, 2.5, 5, 7.5, 12.5, 17.5, 22.5], None),  # reconstructed finely here and coarsely there
        ([0, 2, 4, 7.5, 9, 12.2], None),
        ([0, 2, 4, 6, 6.1, 8, 10.05], None),  # everything is a multiple of 0.1 within the spread
        ([0, 2.3, 4.8, 7.5, 10, 12.5], None),  # no step is twice another
    ],
)
def test_missing_slices_are_reported_from_irregular_ones(tmp_path: Path, positions: list, missing: int | None) -> None:
    edit = moved(shift=lambda n: (0, 0, positions[n] - 2.5 * n))
    array = np.zeros((len(positions), 16, 18), np.int16)
    problem = refusal(ct_variants.write_dicom_series(tmp_path / "series", array, RAS_GRID, edit)).problem
    assert problem.code == ("INPUT_MISSING_SLICES" if missing else "INPUT_IRREGULAR_SLICES")
    assert problem.values.get("missing") == missing


@pytest.mark.parametrize(
    "edit",
    [
        moved({3: (0, 0, 0.06)}),
        moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(0.05)), 0)),
    ],
    ids=["a slice within 0.06 mm of its place", "tilt within 0.1 degrees"],
)
def test_small_deviations_are_accepted(tmp_path: Path, ct: np.ndarray, edit) -> None:
    read = read_input(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, edit))
    assert read.volume.geometry.spacing == pytest.approx((0.9, 1.1, 2.5), abs=3e-3)


def test_the_values_of_the_sentences(tmp_path: Path, ct: np.ndarray) -> None:
    series = [
        moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(14)), 0)),
        moved({0: (0, 0, -7.5)}),
        moved({5: (0, 0, 1.0)}),
        moved({4: (0, 0, -2.5)}),
    ]
    values = [
        refusal(ct_variants.write_dicom_series(tmp_path / str(n), ct, RAS_GRID, edit)).problem.values
        for n, edit in enumerate(series)
    ]
    assert values[0]["degrees"] == pytest.approx(14, abs=0.01)
    assert values[1] == {"missing": 3, "position_mm": pytest.approx(702.75)}
    assert values[2] == {"smallest_mm": pytest.approx(2.5), "largest_mm": pytest.approx(3.5)}
    assert values[3] == {"count": 1}


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (changed(-1, Modality="MR"), "INPUT_NOT_CT"),
        (changed(-1, Modality="PT"), "INPUT_NOT_CT"),
        (changed(-1, Modality=None), "INPUT_NOT_CT"),
        (changed(2, PixelSpacing=["0.9", "0.9"]), "INPUT_SLICE_UNUSABLE"),
        (changed(2, ImageOrientationPatient=["1", "0", "0", "0", "0", "-1"]), "INPUT_SLICE_UNUSABLE"),
        (changed(2, ImagePositionPatient=None), "INPUT_SLICE_UNUSABLE"),
        (changed(-1, PixelSpacing=None), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, ImageOrientationPatient=["1", "0", "0", "1", "0", "0"]), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, ImageOrientationPatient=["0", "0", "0", "0", "0", "0"]), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, SamplesPerPixel=3), "INPUT_NOT_SCALAR"),
        (changed(3, SeriesInstanceUID=generate_uid()), "INPUT_SLICE_UNUSABLE"),
    ],
)
def test_headers_of_a_series(tmp_path: Path, ct: np.ndarray, edit, code: str) -> None:
    assert refusal(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, edit)).code == code


@pytest.mark.parametrize("slices", [1, 2])
def test_a_series_of_few_slices(tmp_path: Path, ct: np.ndarray, slices: int) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct[:slices], RAS_GRID)
    assert refusal(folder).code == "INPUT_TOO_FEW_SLICES"


def test_several_multi_frame_files(tmp_path: Path, ct: np.ndarray) -> None:
    first = ct_variants.write_enhanced_dicom(tmp_path / "a.dcm", ct[:3], RAS_GRID)
    upper = RAS_GRID.copy()
    upper[:3, 3] += 3 * upper[:3, 2]
    second = ct_variants.write_enhanced_dicom(tmp_path / "b.dcm", ct[3:], upper)
    assert refusal(tmp_path).code == "INPUT_SEVERAL_SERIES"
    dataset = pydicom.dcmread(second)
    dataset.SeriesInstanceUID = pydicom.dcmread(first).SeriesInstanceUID
    dataset.save_as(second)
    assert refusal(tmp_path).code == "INPUT_INCONSISTENT_SLICES"


def test_a_damaged_header_is_not_passed_over(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    last = folder / "slice-0001.dcm"
    last.write_bytes(last.read_bytes()[:140] + b"\xff" * 40)
    problem = refusal(folder).problem
    assert (problem.code, problem.values["file"]) == ("INPUT_SLICE_UNUSABLE", "slice-0001.dcm")


def test_truncated_pixels_of_a_series(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    path = folder / "slice-0003.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    problem = refusal(folder).problem
    assert (problem.code, problem.values["file"]) == ("INPUT_UNREADABLE", path.name)
