"""What the commands export and compare refuse, each with its code."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from command_line_support import result_with_a_spleen
from export_case import GRID, SHAPE, Case, error_code, no_frame, spoiled_ct
from places import DEMO_MODEL
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom import reference_series
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorEngine.series_selection import series_choice
from TotalSegmentatorEngine.series_selection.folder_scan import FolderScan, scan_folder
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError

# -- refusals ----------------------------------------------------------------------------------------------------------


def tilt(dataset, number: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, float(y) + 0.6 * number, z]


def two_series(dataset, number: int) -> None:
    if number > 4:
        dataset.SeriesInstanceUID = "1.2.3.4"


def two_patients(dataset, number: int) -> None:
    dataset.PatientID = "P{}".format(number // 5)


def elsewhere(dataset, number: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [float(x) + 200, y, z]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (tilt, "INPUT_GANTRY_TILT"),
        (two_series, "INPUT_SEVERAL_SERIES"),
        (two_patients, "EXPORT_MIXED_SERIES"),
        (no_frame, "EXPORT_NO_FRAME_OF_REFERENCE"),
        (elsewhere, "EXPORT_GEOMETRY_DIFFERS"),
    ],
)
def test_cts_that_contours_could_not_be_placed_on_are_refused(case: Case, tmp_path: Path, change, code: str, capsys):
    case.ct = spoiled_ct(case, change)
    output = tmp_path / "rs.dcm"
    assert case.run("--to", "rtstruct", output) == ERRORS[code].exit_code
    assert error_code(capsys) == code
    assert not output.exists()


@pytest.mark.parametrize("to", ["rtstruct", "seg", "volumes"])
def test_a_series_without_identifiers_is_exported(case: Case, tmp_path: Path, to: str):
    def without(dataset, number: int) -> None:
        del dataset.SeriesInstanceUID

    case.ct = spoiled_ct(case, without)
    case.segmentation = case.write("of a series.seg.nrrd", series="0123456789abcdef")
    assert case.run("--to", to, tmp_path / ("out.csv" if to == "volumes" else "out.dcm")) == 0


def test_missing_slices_are_refused(case: Case, tmp_path: Path, capsys):
    sorted(case.ct.iterdir())[4].unlink()
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == ERRORS["INPUT_MISSING_SLICES"].exit_code
    assert error_code(capsys) == "INPUT_MISSING_SLICES"


def test_another_series_and_another_patient_are_refused(case: Case, tmp_path: Path, capsys):
    case.segmentation = case.write("other.seg.nrrd", series="0123456789abcdef")
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == ERRORS["EXPORT_OTHER_CT"].exit_code
    assert error_code(capsys) == "EXPORT_OTHER_CT"
    case.segmentation = case.write("own.seg.nrrd")
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0
    case.segmentation = tmp_path / "rs.dcm"
    case.ct = spoiled_ct(case, lambda dataset, number: setattr(dataset, "PatientID", "SOMEBODY-ELSE"))
    assert case.run("--to", "seg", tmp_path / "seg.dcm") == ERRORS["EXPORT_OTHER_PATIENT"].exit_code
    assert error_code(capsys) == "EXPORT_OTHER_PATIENT"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--to", "rtstruct", "folder"), "EXPORT_FOLDER_NOT_EMPTY"),
        (("--to", "nifti", "labels.nrrd"), "EXPORT_SUFFIX"),
        (("--to", "seg", "--holes", "xor", "seg.dcm"), "EXPORT_FORMAT_MISMATCH"),
        (("--to", "nifti", "--encoding", "labelmap", "l.nii.gz"), "EXPORT_FORMAT_MISMATCH"),
        (("--to", "rtstruct", "--template", "nonsense", "rs.dcm"), "TEMPLATE_UNKNOWN"),
        (("--to", "rtstruct", "--set-label", "a label that is too long", "rs.dcm"), "EXPORT_NAME_INVALID"),
        (("--to", "rtstruct", "nowhere/rs.dcm"), "OUTPUT_NOT_WRITABLE"),
        (("--to", "rtstruct", "x" * 300 + ".dcm"), "OUTPUT_NOT_WRITABLE"),
        (("--to", "rtstruct", "rs.nii.gz"), "EXPORT_SUFFIX"),
        (("--to", "stl", "liver.stl"), "EXPORT_SUFFIX"),
        (("--to", "nifti", "--external", "labels.nii.gz"), "EXPORT_FORMAT_MISMATCH"),
        (("--to", "rtstruct", "--states", "approved", "rs.dcm"), "EXPORT_NOTHING_CHOSEN"),
        (("--to", "rtstruct", "--structures", "spleen", "rs.dcm"), None),
    ],
)
def test_orders_that_make_no_sense_are_refused(case: Case, tmp_path: Path, arguments, code: str | None, capsys):
    *options, name = arguments
    if code == "EXPORT_FOLDER_NOT_EMPTY":
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").write_text("data")
    status = case.run(*options, tmp_path / name)
    code_shown = error_code(capsys)
    assert status == ERRORS[code_shown].exit_code != 0
    assert code_shown == (code or code_shown)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_nothing_that_is_read_is_written_over(case: Case, tmp_path: Path, capsys):
    image, other = tmp_path / "ct.nii.gz", tmp_path / "other.csv"
    nibabel.Nifti1Image(np.zeros(SHAPE, np.int16).T, GRID.ijk_to_ras).to_filename(image)
    other.write_text("a table of somebody")
    a_slice = next(case.ct.iterdir())
    export, compare = ["export", case.segmentation], ["compare", case.segmentation, case.segmentation]
    reference = ["--reference", case.ct]
    orders = [
        [*export, *reference, "--to", "rtstruct", a_slice],
        [*export, "--reference", image, "--to", "nifti", image],
        [*export, *reference, "--to", "nrrd", case.segmentation],
        [*export, *reference, "--to", "nrrd", tmp_path / "other.nrrd"],
        [*export, *reference, "--to", "rtstruct", tmp_path / "rs.dcm", "--log", case.segmentation],
        [*export, *reference, "--to", "rtstruct", tmp_path / "rs.dcm", "--log", tmp_path / "rs.dcm"],
        [*compare, *reference, "--csv", case.segmentation],
        ["segment", case.ct, a_slice, "--model", DEMO_MODEL, "--export", "rtstruct"],
    ]
    before = {path: path.read_bytes() for path in (a_slice, image, other, case.segmentation)}
    for order in orders:
        main([str(word) for word in order])
        assert error_code(capsys) in ("OUTPUT_IS_INPUT", "EXPORT_WOULD_OVERWRITE", "EXPORT_SUFFIX"), order
        assert {path: path.read_bytes() for path in before} == before


def test_what_an_export_would_refuse_is_reported_before_the_job(case: Case, tmp_path: Path, capsys):
    words = ["segment", case.ct, tmp_path / "rs.dcm", "--model", DEMO_MODEL, "--export", "rtstruct"]
    assert main([str(word) for word in [*words, "--set-label", "a label that is too long"]]) != 0
    assert error_code(capsys) == "EXPORT_NAME_INVALID"
    (tmp_path / "rs.seg.dcm").write_text("of somebody else")
    assert main([str(word) for word in [*words[:-1], "sr"]]) == ERRORS["EXPORT_WOULD_OVERWRITE"].exit_code
    words[1] = spoiled_ct(case, no_frame)
    assert main([str(word) for word in words]) == ERRORS["EXPORT_NO_FRAME_OF_REFERENCE"].exit_code
    assert "segmenting" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "name"), [("rtstruct", "rs.dcm"), ("seg", "seg.dcm"), ("sr", "m.dcm"), ("volumes", "volumes.csv")]
)
def test_a_job_with_an_export_reads_the_headers_of_its_ct_once(case: Case, tmp_path: Path, monkeypatch, to, name):
    """With the body's outline, for which the voxels are wanted, too."""
    scanned: list[Path] = []

    def scan(path: Path) -> FolderScan:
        scanned.append(path)
        return scan_folder(path)

    def found(volume, prepared, _cache, _reporter, _on_preview=None) -> SegmentationResult:
        return result_with_a_spleen(volume, prepared)

    monkeypatch.setattr(series_choice, "scan_folder", scan)
    monkeypatch.setattr(reference_series, "read_headers", lambda files: pytest.fail("the headers were read again"))
    monkeypatch.setattr(pipeline, "segment", found)
    monkeypatch.setattr(pipeline, "prefetch_weights", lambda *_args: None)
    words = ["segment", case.ct, tmp_path / name, "--model", DEMO_MODEL, "--export", to, "--device", "cpu"]
    assert main([str(word) for word in [*words, *(() if to == "volumes" else ("--external",))]]) == 0
    assert scanned == [case.ct]


def test_a_result_that_cannot_be_exported_is_kept(case: Case, tmp_path: Path, monkeypatch, capsys):
    def fail(*_args, **_kwargs) -> None:
        raise SegmentationError("EXPORT_NO_BODY")

    def found(volume, prepared, _cache, _reporter, _on_preview=None) -> SegmentationResult:
        return result_with_a_spleen(volume, prepared)

    monkeypatch.setattr(pipeline, "segment", found)
    monkeypatch.setattr(pipeline, "prefetch_weights", lambda *_args: None)
    monkeypatch.setattr("TotalSegmentatorEngine.export.commands.export", fail)
    (tmp_path / "rs.seg.nrrd").write_text("of somebody else")
    words = ["segment", case.ct, tmp_path / "rs.dcm", "--model", DEMO_MODEL, "--export", "rtstruct", "--device", "cpu"]
    assert main([str(word) for word in words]) == ERRORS["EXPORT_NO_BODY"].exit_code
    assert "EXPORT_RESULT_KEPT" in capsys.readouterr().err
    assert (tmp_path / "rs.seg.nrrd").read_text() == "of somebody else"
    assert (tmp_path / "rs-1.seg.nrrd").read_bytes().startswith(b"NRRD")


def test_an_empty_segment_that_was_asked_for_is_refused(case: Case, tmp_path: Path, capsys):
    case.liver[:] = False
    case.segmentation = case.write("empty.seg.nrrd")
    assert case.run("--to", "rtstruct", "--structures", "liver", tmp_path / "rs.dcm") == 151
    assert error_code(capsys) == "EXPORT_SEGMENT_EMPTY"
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0
    assert "EXPORT_EMPTY_LEFT_OUT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "name"), [(b"no image", "x.seg.nrrd"), (b"", "x.nii.gz"), (b"\0" * 128 + b"DICM", "x.dcm")]
)
def test_damaged_segmentations_are_refused(case: Case, tmp_path: Path, content: bytes, name: str, capsys):
    case.segmentation = tmp_path / name
    case.segmentation.write_bytes(content)
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == ERRORS["SEGMENTATION_UNREADABLE"].exit_code
    assert error_code(capsys) == "SEGMENTATION_UNREADABLE"


def test_label_images_need_a_table(case: Case, tmp_path: Path, capsys):
    labels = case.liver.astype(np.uint8) * 5 + case.kidney.astype(np.uint8) * 2
    case.segmentation = tmp_path / "labels.nii.gz"
    nibabel.Nifti1Image(labels.T, GRID.ijk_to_ras).to_filename(case.segmentation)
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == ERRORS["EXPORT_LABELS_UNNAMED"].exit_code
    assert case.run("--to", "rtstruct", "--labels", "structures_104", tmp_path / "rs.dcm") == 0
    written = pydicom.dcmread(tmp_path / "rs.dcm").StructureSetROISequence
    assert {item.ROIName for item in written} == {"Kidney~_R", "Liver"}
