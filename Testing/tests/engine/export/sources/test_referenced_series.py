"""The CT of a structure set, SEG or result is found among other series by what the file refers to."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from export_case import GRID, SHAPE, Case, error_code
from export_support import write_ct_series
from pydicom.uid import generate_uid
from series_support import SegmentCommand
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorWire.tables.result_tags import series_digest


@pytest.fixture
def study(case: Case) -> Path:
    """The case's CT between two others of the same scan, and a structure set and SEG of it."""
    assert case.run("--to", "rtstruct", case.folder / "rs.dcm") == 0
    assert case.run("--to", "seg", case.folder / "seg.dcm") == 0
    folder = case.folder / "study"
    own = pydicom.dcmread(next(case.ct.iterdir()))
    same = {name: own.get(name) for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName")}
    for name in ("1", "3"):
        write_ct_series(folder / name, np.full(SHAPE, -500, np.int16), GRID, **same)
    shutil.copytree(case.ct, folder / "2")
    shutil.copy(case.folder / "rs.dcm", folder / "rs.dcm")
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


def referenced_series(path: Path) -> str:
    frame = pydicom.dcmread(path).ReferencedFrameOfReferenceSequence[0]
    return str(frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID)


@pytest.mark.parametrize("name", ["rs.dcm", "seg.dcm"])
def test_export_takes_the_series_that_the_file_refers_to(case: Case, study: Path, tmp_path: Path, name: str, capsys):
    output = tmp_path / "out.dcm"
    assert run("export", case.folder / name, output, "--to", "rtstruct", "--reference", study) == 0
    assert referenced_series(output) == read_reference(case.ct).series_instance_uid
    assert "CT: 10 slices" in capsys.readouterr().err


def test_a_result_knows_its_series(case: Case, study: Path, tmp_path: Path, capsys):
    uid = read_reference(case.ct).series_instance_uid
    own = case.write("own.seg.nrrd", series=series_digest(uid))
    assert run("export", own, tmp_path / "rs.dcm", "--to", "rtstruct", "--reference", study) == 0
    assert referenced_series(tmp_path / "rs.dcm") == uid
    words = ("export", case.segmentation, tmp_path / "any.dcm", "--to", "rtstruct", "--reference", study)
    assert run(*words) == 23  # this one does not know
    assert error_code(capsys) == "INPUT_SEVERAL_SERIES"
    assert run(*words, "--series", uid) == 0
    assert referenced_series(tmp_path / "any.dcm") == uid


def test_what_the_user_names_counts_before_what_the_file_refers_to(case: Case, study: Path, tmp_path: Path, capsys):
    other = read_reference(study / "1").series_instance_uid
    words = ("export", case.folder / "rs.dcm", tmp_path / "out.dcm", "--to", "rtstruct", "--reference", study)
    assert run(*words, "--series", other) == 0  # contours of the same frame of reference
    assert referenced_series(tmp_path / "out.dcm") == other
    capsys.readouterr()
    assert run(*words, "--series", "9") == 90
    assert error_code(capsys) == "INPUT_SERIES_UNKNOWN"


@pytest.mark.parametrize(("ours", "theirs"), [("rs.dcm", "seg.dcm"), ("case.seg.nrrd", "rs.dcm")])
def test_compare_takes_the_series_that_one_of_the_two_refers_to(
    case: Case, study: Path, ours: str, theirs: str, capsys
):
    assert run("compare", case.folder / ours, case.folder / theirs, "--reference", study) == 0
    printed = capsys.readouterr()
    assert "CT: 10 slices" in printed.err and "1.000" in printed.out
    assert run("compare", case.segmentation, case.segmentation, "--reference", study) == 23
    assert run("compare", case.segmentation, case.segmentation, "--reference", study, "--series", "2") == 0


def test_a_structure_set_chooses_the_phase_that_it_was_drawn_on(case: Case, tmp_path: Path, capsys):
    """Two acquisitions of one series at the same places: the images that contours refer to decide."""
    own = pydicom.dcmread(next(case.ct.iterdir()))
    same = ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName", "SeriesInstanceUID")
    folder = case.folder / "phases"
    shutil.copytree(case.ct, folder / "first")
    write_ct_series(folder / "second", np.full(SHAPE, -500, np.int16), GRID, **{name: own.get(name) for name in same})
    for path in (folder / "second").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.AcquisitionNumber, dataset.SOPInstanceUID = 2, generate_uid()
        dataset.save_as(path)
    assert case.run("--to", "rtstruct", case.folder / "rs.dcm") == 0
    words = ("export", case.folder / "rs.dcm", tmp_path / "v.csv", "--to", "volumes", "--reference", folder)
    assert run(*words) == 0
    assert "(acquisition 1)" in capsys.readouterr().err


def test_segment_exports_onto_the_chosen_series(case: Case, study: Path, tmp_path: Path, monkeypatch, capsys):
    """The choice holds from the reading to the export."""
    SegmentCommand(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr("command_line_support.FakeModel.warnings", (), raising=False)
    chosen = read_reference(case.ct).series_instance_uid
    words = ("segment", study, tmp_path / "out.dcm", "--model", "m", "--export", "rtstruct", "--series")
    assert run(*words, chosen) == 0, capsys.readouterr().err
    assert referenced_series(tmp_path / "out.dcm") == chosen
    assert run(*words[:-1]) == 23
