"""Public fault reports about structure sets and DICOM SEG objects of others: none of their faults passes unnoticed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.errors.problem import ERRORS


@pytest.fixture
def voxels_of(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    """Exports a file of a report as a table; gives the exit code, voxels by name, and what the terminal said."""

    def export(report: int, name: str, *options: str) -> tuple[int, dict[str, int], str]:
        folder, output = shared / "data" / "field_reports" / str(report), tmp_path / "volumes.csv"
        words = ["export", folder / name, "--reference", folder / "ct", "--to", "volumes", "--names", "own"]
        status = main([str(word) for word in [*words, *options, output]])
        said = capsys.readouterr().err
        if status:
            assert not output.exists()
            return status, {}, said
        with output.open(encoding="utf-8", newline="") as stream:
            return status, {row["name"]: int(row["voxels"]) for row in csv.DictReader(stream)}, said

    return export


def line_of(said: str, code: str) -> str:
    return next(line for line in said.splitlines() if line.startswith(f"warning {code}:"))


@pytest.mark.shared
def test_two_rois_with_one_number_keep_their_contours_and_are_named_report_2(voxels_of):
    status, voxels, said = voxels_of(2, "rs_same_number.dcm")
    assert (status, voxels) == (0, {"Spleen": 54, "Liver": 240, "Kidney_L": 4})
    assert "Liver, Kidney_L" in line_of(said, "STRUCTURES_TOLD_APART")


@pytest.mark.shared
def test_two_segments_with_one_number_are_refused_by_name_report_2(voxels_of):
    status, _, said = voxels_of(2, "seg_same_number.dcm")
    assert status == ERRORS["EXPORT_NUMBERS_SHARED"].exit_code
    assert "pancreas, aorta" in said


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "other", "code"),
    [
        ("rs_couch.dcm", "CouchSurface", "STRUCTURES_OUTSIDE_CT"),
        ("rs_between.dcm", "Ring", "STRUCTURES_OFF_PLANE"),
    ],
)
def test_a_structure_beside_the_planes_is_left_out_by_name_report_9(voxels_of, file: str, other: str, code: str):
    for options in ((), ("--structures", "Spleen")):
        status, voxels, said = voxels_of(9, file, *options)
        assert (status, voxels) == (0, {"Spleen": 54})
        assert other in line_of(said, code)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("report", "file", "name"),
    [(9, "rs_couch.dcm", "CouchSurface"), (9, "rs_between.dcm", "ring"), (16, "rs_two_frames.dcm", "Tumour_MR")],
)
def test_only_what_was_asked_for_fails_an_export_reports_9_and_16(voxels_of, report: int, file: str, name: str):
    status, _, said = voxels_of(report, file, "--structures", f"Spleen,{name}")
    assert status == ERRORS["EXPORT_STRUCTURE_LEFT_OUT"].exit_code
    assert name.lower() in said.rpartition("error ")[2].lower()


@pytest.mark.shared
def test_a_structure_of_another_frame_of_reference_is_never_placed_report_16(voxels_of):
    status, voxels, said = voxels_of(16, "rs_two_frames.dcm")
    assert (status, voxels) == (0, {"Spleen": 54})
    assert "Tumour_MR" in line_of(said, "STRUCTURES_OTHER_FRAME")


@pytest.mark.shared
def test_a_contour_that_is_listed_twice_counts_once_report_17(voxels_of):
    status, voxels, said = voxels_of(17, "rs_contour_twice.dcm")
    assert (status, voxels) == (0, {"Spleen": 54, "Liver": 240})
    assert "1, in Spleen" in line_of(said, "CONTOURS_REPEATED")


@pytest.mark.shared
def test_a_comparison_reads_what_is_good_and_says_the_rest_report_9(shared: Path, capsys: pytest.CaptureFixture):
    folder = shared / "data" / "field_reports" / "9"
    sides = [folder / "rs_couch.dcm", folder / "rs_between.dcm"]
    assert main(["compare", *map(str, sides), "--reference", str(folder / "ct")]) == 0
    shown = capsys.readouterr()
    assert "Spleen" in shown.out and "1.000" in shown.out
    assert "CouchSurface" in line_of(shown.err, "STRUCTURES_OUTSIDE_CT")
    assert "Ring" in line_of(shown.err, "STRUCTURES_OFF_PLANE")
