"""Voxels that Slicer hands over are checked like a file, and validated by the series' own headers."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import numpy as np
import pytest
from reading_support import RAS_GRID, assert_same_patient, changed, moved, small_ct
from TotalSegmentatorEngine.ct_input.reading import read_transferred
from TotalSegmentatorWire import job_folder
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import CtHeader


@pytest.fixture
def ct() -> np.ndarray:
    return small_ct()


def transfer(folder: Path, array: np.ndarray, matrix: np.ndarray = RAS_GRID, **fields) -> CtHeader:
    """Writes ct.raw as Slicer does and returns its header."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job_folder.CT_VOXELS).write_bytes(array.tobytes())
    described = {"ct_id": "1", "shape": list(array.shape), "dtype": array.dtype.name, **fields}
    return CtHeader(ijk_to_ras=matrix.ravel().tolist(), **described)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PIR"])
@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.uint16])
def test_transferred_voxels(tmp_path: Path, ct: np.ndarray, codes: str, dtype: type) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    offset = 1024 if dtype == np.uint16 else 0
    header = transfer(tmp_path, (array + offset).astype(dtype), matrix, series_instance_uid="1.2.3")
    read = read_transferred(tmp_path, header)
    assert_same_patient(read, array + offset, matrix, tolerance_mm=1e-9)
    assert read.series_instance_uid == "1.2.3"
    assert [warning.code for warning in read.warnings] == (["IMPLAUSIBLE_HU"] if offset else [])


def sheared() -> np.ndarray:
    matrix = RAS_GRID.copy()
    matrix[1, 2] = 0.3
    return matrix


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"array": np.zeros((6, 7, 9, 3), np.uint8)}, "INPUT_NOT_SCALAR"),
        ({"array": np.zeros((7, 9), np.int16)}, "INPUT_NOT_3D"),
        ({"array": np.zeros((1, 7, 9), np.int16)}, "INPUT_TOO_FEW_SLICES"),
        ({"array": np.full((6, 7, 9), np.nan)}, "INPUT_NON_FINITE"),
        ({"matrix": sheared()}, "INPUT_SHEARED"),
        ({"matrix": np.zeros((4, 4))}, "INPUT_DEGENERATE_DIRECTION"),
        ({"dtype": "object"}, "BAD_REQUEST"),
        ({"dtype": "no type"}, "BAD_REQUEST"),
        ({"shape": [6, 7, 8]}, "BAD_REQUEST"),
    ],
)
def test_bad_transferred_voxels(tmp_path: Path, ct: np.ndarray, change: dict, code: str) -> None:
    header = transfer(tmp_path, **{"array": ct, **change})
    with pytest.raises(SegmentationError) as caught:
        read_transferred(tmp_path, header)
    assert caught.value.code == code


def test_a_transferred_volume_is_judged_by_its_dicom_headers(tmp_path: Path, ct: np.ndarray) -> None:
    tilt = moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(14)), 0))
    series = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, tilt)
    files = [str(path) for path in series.iterdir()]
    for array in (ct, ct[::-1]):  # Slicer may hold the stack in the other order
        with pytest.raises(SegmentationError) as caught:
            read_transferred(tmp_path, transfer(tmp_path, np.ascontiguousarray(array), dicom_files=files))
        assert caught.value.code == "INPUT_GANTRY_TILT"


def test_a_resampled_volume_is_not_judged_by_the_series_positions(tmp_path: Path, ct: np.ndarray) -> None:
    tilt = moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(14)), 0))
    files = [str(path) for path in ct_variants.write_dicom_series(tmp_path / "tilted", ct, RAS_GRID, tilt).iterdir()]
    straight = np.stack([np.roll(slice_, k, axis=0) for k, slice_ in enumerate(ct)])
    assert read_transferred(tmp_path, transfer(tmp_path, straight, dicom_files=files)).warnings == []
    cropped = np.ascontiguousarray(ct[1:])
    assert read_transferred(tmp_path, transfer(tmp_path, cropped, dicom_files=files)).warnings == []


def test_a_transferred_volume_of_another_modality(tmp_path: Path, ct: np.ndarray) -> None:
    series = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, changed(-1, Modality="MR"))
    files = [str(path) for path in series.iterdir()]
    with pytest.raises(SegmentationError) as caught:
        read_transferred(tmp_path, transfer(tmp_path, ct // 2, dicom_files=files))
    assert caught.value.code == "INPUT_NOT_CT"


def test_dicom_files_that_have_gone_are_not_needed(tmp_path: Path, ct: np.ndarray) -> None:
    header = transfer(tmp_path, ct, dicom_files=[str(tmp_path / "gone.dcm")])
    assert read_transferred(tmp_path, header).warnings == []
