"""CT series of volumes that did not come from DICOM: the same voxels at the same places, for every reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ct_variants import LEFT_HANDED, RIGHT_HANDED, reordered, turned
from rtstruct_support import read
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.export.dicom.ct_writer import CtIdentity, write_ct_series
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference, reference_volume
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, geometry_from_lps
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

GRID = geometry_from_lps((6, 8, 10), (0.9, 1.1, 2.5), (1, 0, 0, 0, 1, 0, 0, 0, 1), (-17.123, 30.5, -881.325))


def some_ct(dtype: type = np.int16) -> np.ndarray:
    return np.random.default_rng(3).integers(-1024, 3000, GRID.shape).astype(dtype)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ct").mkdir()
    return tmp_path / "ct"


@pytest.mark.parametrize("order", [*RIGHT_HANDED, *LEFT_HANDED, "RSA", "IAR"])
def test_every_voxel_stays_at_its_place(folder: Path, order: str):
    array, matrix = reordered(some_ct(), turned(GRID.ijk_to_ras, 12.0), order)
    volume = Volume(array, Geometry(array.shape, matrix))
    paths = write_ct_series(folder, volume)
    back = reference_volume(read_reference(folder))
    if volume.geometry.is_left_handed:
        first_is_last = volume.geometry.ijk_to_ras @ [
            [1, 0, 0, 0],
            [0, 1, 0, 0],
            [0, 0, -1, len(array) - 1],
            [0, 0, 0, 1],
        ]
        volume = Volume(array[::-1], Geometry(array.shape, first_is_last))
    assert np.array_equal(back.array, volume.array)
    assert back.geometry.matches(volume.geometry)
    assert paths == sorted(folder.iterdir())
    assert [int(read(path).InstanceNumber) for path in paths] == list(range(1, len(array) + 1))


def test_the_engine_reads_it_as_the_same_ct(folder: Path):
    volume = Volume(some_ct(), GRID)
    write_ct_series(folder, volume)
    back = read_input(folder).volume
    assert np.array_equal(back.array, volume.array)
    assert back.geometry.matches(GRID)


@pytest.mark.parametrize(
    ("lowest", "highest", "tolerance"), [(-1024.4, 3071.7, 0.5), (-40000.0, 90000.0, 1.0), (0.0, 70000.0, 0.6)]
)
def test_values_that_are_no_sixteen_bit_integers_are_rounded(folder: Path, lowest, highest, tolerance):
    array = np.random.default_rng(3).uniform(lowest, highest, GRID.shape).astype(np.float32)
    array.flat[:2] = lowest, highest
    write_ct_series(folder, Volume(array, GRID))
    back = reference_volume(read_reference(folder)).array
    assert np.abs(back - array).max() <= tolerance


def test_the_series_belongs_together_and_to_nobody_else(folder: Path, tmp_path: Path):
    datasets = [read(path) for path in write_ct_series(folder, Volume(some_ct(), GRID), description="From a file")]
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "SeriesDescription"):
        assert len({dataset[name].value for dataset in datasets}) == 1, name
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == len(datasets)
    assert all(dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID for dataset in datasets)
    (tmp_path / "other").mkdir()
    other = read(write_ct_series(tmp_path / "other", Volume(some_ct(), GRID))[0])
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert other[name].value != datasets[0][name].value, name


def test_a_given_patient_is_written(folder: Path):
    patient = CtIdentity("Müller^Jürgen", "4711", "FFP")
    dataset = read(write_ct_series(folder, Volume(some_ct(), GRID), patient)[0])
    assert (dataset.PatientName, dataset.PatientID, dataset.PatientPosition) == ("Müller^Jürgen", "4711", "FFP")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(folder: Path, value: float):
    array = some_ct(np.float32)
    array[2, 3, 4] = value
    with pytest.raises(SegmentationError) as caught:
        write_ct_series(folder, Volume(array, GRID))
    assert caught.value.problem == Problem("INPUT_NON_FINITE", {"count": 1})
    assert not list(folder.iterdir())


def test_a_sheared_grid_is_refused(folder: Path):
    matrix = GRID.ijk_to_ras.copy()
    matrix[1, 2] = 0.5
    with pytest.raises(SegmentationError) as caught:
        write_ct_series(folder, Volume(some_ct(), Geometry(GRID.shape, matrix)))
    assert caught.value.code == "INPUT_SHEARED"


def test_cancelling_leaves_no_slice(folder: Path):
    calls = []

    def cancel_at_fourth() -> None:
        calls.append(len(list(folder.iterdir())))
        if len(calls) == 4:
            raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError):
        write_ct_series(folder, Volume(some_ct(), GRID), check_cancelled=cancel_at_fourth)
    assert calls == [0, 1, 2, 3]
    assert not list(folder.iterdir())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(SegmentationError) as caught:
        write_ct_series(tmp_path / "no", Volume(some_ct(), GRID))
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"
