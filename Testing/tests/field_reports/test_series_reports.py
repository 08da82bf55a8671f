"""Public reports on which slices of a DICOM folder are read: missing, shared, odd and interleaved ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from series_support import Run, SegmentCommand, handed_over, pixels_of
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import write_nifti
from TotalSegmentatorWire.errors.problem import SegmentationError

pytestmark = pytest.mark.shared


@pytest.fixture
def reports(shared: Path) -> Path:
    return shared / "data" / "field_reports"


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> SegmentCommand:
    return SegmentCommand(tmp_path, monkeypatch, capsys)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.dcm") if path.stat().st_size)


def refused(tmp_path: Path, files: list[Path]) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        handed_over(tmp_path / "job", pixels_of(files), files)
    return caught.value


def test_report_3_slices_with_one_uid_are_told_apart_by_position(
    reports: Path, segment: SegmentCommand, tmp_path: Path
) -> None:
    files = files_of(reports / "3" / "ct_all")
    run = segment(reports / "3" / "ct_all")
    assert (run.status, run.warnings) == (0, ["INPUT_UIDS_SHARED"])
    assert run.note == "8 slices from 0.0 to 14.0 mm"
    np.testing.assert_array_equal(run.array, pixels_of(files))
    read = handed_over(tmp_path / "job", pixels_of(files), files)
    assert [warning.code for warning in read.warnings] == ["INPUT_UIDS_SHARED"]


def test_report_3_no_structure_set_refers_to_shared_uids(reports: Path, tmp_path: Path, capsys) -> None:
    labels = tmp_path / "liver.nii.gz"
    grid = Geometry((8, 24, 24), [[-2, 0, 0, 23.0], [0, -2, 0, 23.0], [0, 0, 2, 0.0], [0, 0, 0, 1]])
    with labels.open("wb") as stream:
        write_nifti(stream, np.ones(grid.shape, np.uint8), grid)
    words = ["export", labels, tmp_path / "rs.dcm", "--to", "rtstruct", "--reference", reports / "3" / "ct_all"]
    assert main([str(word) for word in words]) == 178
    assert "share one SOP Instance UID" in capsys.readouterr().err
    assert main([*map(str, words[:2]), str(tmp_path / "v.csv"), "--to", "volumes", *map(str, words[5:])]) == 0


@pytest.mark.parametrize("name", ["", "CT00.dcm", "CT04.dcm"])
def test_report_5_a_series_goes_on_in_a_folder_below(reports: Path, segment: SegmentCommand, name: str) -> None:
    run = segment(reports / "5" / "ct" / name)
    assert (run.status, run.note) == (0, "8 slices from 0.0 to 14.0 mm")
    files = sorted(files_of(reports / "5" / "ct"), key=lambda path: path.name)
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_report_10_the_slice_that_lies_aside_is_named(reports: Path, segment: SegmentCommand, tmp_path: Path) -> None:
    run = segment(reports / "10" / "ct_aside")
    assert run.code == "INPUT_SLICE_UNUSABLE"
    assert "CT07.dcm" in run.err and "it lies 5.0 mm beside the other slices" in run.err
    error = refused(tmp_path, files_of(reports / "10" / "ct_aside"))
    assert (error.code, error.problem.values["file"]) == ("INPUT_SLICE_UNUSABLE", "CT07.dcm")


def test_report_10_a_page_in_the_series_is_left_out_by_name(
    reports: Path, segment: SegmentCommand, tmp_path: Path
) -> None:
    files = files_of(reports / "10" / "ct_page")
    run = segment(reports / "10" / "ct_page")
    assert (run.status, run.warnings) == (0, ["INPUT_IMAGES_LEFT_OUT"])
    assert "1 page without position" in run.err and "PAGE.dcm" in run.err
    np.testing.assert_array_equal(run.array, pixels_of(files[:8]))
    assert handed_over(tmp_path / "job", pixels_of(files[:8]), files).warnings == []
    error = refused(tmp_path, files)  # Slicer took the page for a slice
    assert (error.code, error.problem.values["file"]) == ("INPUT_SLICE_UNUSABLE", "PAGE.dcm")


def test_report_12_two_interleaved_acquisitions_are_listed(
    reports: Path, segment: SegmentCommand, tmp_path: Path
) -> None:
    folder = reports / "12" / "ct"
    run: Run = segment(folder)
    assert (run.code, run.rows) == ("INPUT_SEVERAL_SERIES", ["1.1", "1.2", "1"])
    assert "acquisition 1" in run.err and "acquisition 2" in run.err
    files = files_of(folder)
    for row, own in (("1.1", files[8:]), ("1.2", files[:8])):
        chosen = segment(folder, "--series", row)
        assert (chosen.status, chosen.array.shape) == (0, (8, 24, 24))
        np.testing.assert_array_equal(chosen.array, pixels_of(own))
    assert segment(folder, "--series", "1").array.shape == (16, 24, 24)
    interleaved = [path for pair in zip(files[8:], files[:8], strict=True) for path in pair]
    error = refused(tmp_path, interleaved)
    assert error.code == "INPUT_SEVERAL_SERIES" and "In Slicer, load only one" in error.problem.todo
    one = handed_over(tmp_path / "one", pixels_of(files[8:]), files[8:])
    assert one.warnings == []


def test_report_14_an_empty_file_at_the_end_is_refused(reports: Path, segment: SegmentCommand) -> None:
    run = segment(reports / "14" / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE"
    assert "CT07.dcm" in run.err and "it is empty" in run.err
