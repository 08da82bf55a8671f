"""The commands export and compare: every format, every refusal with its code, events, and a clean end."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from export_support import write_ct_series
from places import DEMO_MODEL, MODULE_FOLDER
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import segment as pipeline
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError
from TotalSegmentatorWire.messages.export import EXPORT_EVENTS, ExportFinishedEvent, ExportProgressEvent
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, FoundStructure, WarningEvent, decode
from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG, series_digest
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG

SHAPE = (10, 40, 48)
GRID = Geometry(SHAPE, [[-0.9, 0, 0, 21.0], [0, -0.9, 0, 18.0], [0, 0, 2.5, -612.5], [0, 0, 0, 1]])


class Case:
    """A CT series in a folder that names a patient, and a segmentation with two layers that overlap."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Smith^John"
        self.folder.mkdir()
        array = np.full(SHAPE, -1000, np.int16)
        array[:, 4:36, 5:43] = 40
        self.ct = write_ct_series(self.folder / "ct", array, GRID)
        self.liver, self.tumour, self.kidney = (np.zeros(SHAPE, bool) for _ in range(3))
        self.liver[2:8, 8:24, 8:30] = True
        self.liver[4, 12:15, 12:15] = False
        self.tumour[3:6, 14:20, 16:36] = True  # over the liver's border
        self.kidney[0:3, 26:33, 10:16] = True  # cut by the first plane
        self.segmentation = self.write("case.seg.nrrd")

    def write(self, name: str, series: str = "", **states: str) -> Path:
        """A .seg.nrrd of the three structures; ``states`` are review states by id."""
        first = self.liver.astype(np.uint8) + 2 * self.kidney.astype(np.uint8)
        segments = [
            FileSegment("liver", "liver", (221, 130, 101), 1, (0,) * 6, 0),
            FileSegment("kidney_right", "kidney right", (212, 126, 151), 2, (0,) * 6, 0),
            FileSegment("Segment_1", "My tumour", (200, 0, 0), 1, (0,) * 6, 1),
        ]
        for segment in segments:
            tags = {CT_SERIES_TAG: series} if series else {}
            segment.tags.update(tags | ({REVIEW_STATE_TAG: states[segment.id]} if segment.id in states else {}))
        path = self.folder / name
        with path.open("wb") as stream:
            write_nrrd(stream, [first, self.tumour.astype(np.uint8)], GRID, segments)
        return path

    def run(self, *arguments: object) -> int:
        """``export`` of the segmentation on the CT."""
        words = ("--reference", self.ct, *arguments)
        return main(["export", str(self.segmentation), *map(str, words)])

    def masks(self) -> dict[str, np.ndarray]:
        return {"Liver": self.liver, "Kidney~_R": self.kidney, "My tumour": self.tumour}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def error_code(capsys: pytest.CaptureFixture) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error ")]
    return lines[-1].split()[1].rstrip(":") if lines else ""


# -- every format ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holes", ["keyhole", "xor"])
def test_a_structure_set_gives_back_every_voxel_of_overlapping_layers(case: Case, tmp_path: Path, holes: str):
    output = tmp_path / "rs.dcm"
    assert case.run("--to", "rtstruct", "--holes", holes, output) == 0
    read = {structure.name: structure for structure in read_rtstruct(output, read_reference(case.ct))}
    masks = case.masks()
    assert set(read) == set(masks)
    for name, mask in masks.items():
        assert np.array_equal(read[name].mask.whole(), mask), name


@pytest.mark.parametrize("encoding", ["binary", "labelmap"])
def test_a_seg_gives_back_every_voxel(case: Case, tmp_path: Path, encoding: str, capsys: pytest.CaptureFixture):
    output = tmp_path / "seg.dcm"
    status = case.run("--to", "seg", "--encoding", encoding, output)
    if encoding == "labelmap":  # one label a voxel: the overlap is refused, not cut
        assert (status, error_code(capsys)) == (ERRORS["EXPORT_OVERLAP"].exit_code, "EXPORT_OVERLAP")
        assert not output.exists()
        assert case.run("--to", "seg", "--encoding", encoding, "--structures", "liver,kidney_right", output) == 0
    read = read_seg(output, read_reference(case.ct))
    expected = [case.liver, case.kidney, case.tumour]
    assert len(read) == (2 if encoding == "labelmap" else 3)
    for structure, mask in zip(read, expected, strict=False):
        assert np.array_equal(structure.mask.whole(), mask)


def test_objects_name_the_ct_and_conform(case: Case, tmp_path: Path):
    source = pydicom.dcmread(next(case.ct.iterdir()))
    for to, name in (("rtstruct", "rs.dcm"), ("seg", "seg.dcm")):
        assert case.run("--to", to, "--external", tmp_path / name) == 0
        written = pydicom.dcmread(tmp_path / name)
        for attribute in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert written.get(attribute) == source.get(attribute)
        assert not conformance_errors(tmp_path / name)


def test_label_images_hold_the_voxels(case: Case, tmp_path: Path):
    assert case.run("--to", "nifti", "--structures", "liver,kidney_right", tmp_path / "labels.nii.gz") == 0
    values = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj).T
    counts = sorted(np.count_nonzero(values == value) for value in np.unique(values) if value)
    assert counts == sorted([case.liver.sum(), case.kidney.sum()])
    assert case.run("--to", "nrrd", tmp_path / "all.seg.nrrd") == 0
    again = ["export", tmp_path / "all.seg.nrrd", "--reference", case.ct, "--to", "rtstruct", tmp_path / "rs.dcm"]
    assert main([str(word) for word in again]) == 0
    read = [structure.mask.count for structure in read_rtstruct(tmp_path / "rs.dcm", read_reference(case.ct))]
    assert sorted(read) == sorted(mask.sum() for mask in case.masks().values())


def test_a_segmentation_that_was_written_again_still_says_what_it_is(case: Case, tmp_path: Path, capsys):
    """On which CT, by which model and with which voxels: so another CT is refused, and edits are found."""
    series = series_digest(read_reference(case.ct).series_instance_uid)
    case.segmentation = case.write("of this ct.seg.nrrd", series=series, liver="approved")
    names = ("--structures", "liver,kidney_right", "--names", "own")
    assert case.run("--to", "nrrd", *names, tmp_path / "again.seg.nrrd") == 0
    again = {segment.name: segment for segment in read_segmentation(tmp_path / "again.seg.nrrd").segments}
    assert {segment.tags[CT_SERIES_TAG] for segment in again.values()} == {series}
    assert again["liver"].tags[REVIEW_STATE_TAG] == "approved"
    template = tmp_path / "template.json"
    union = {"name": "Both", "union_of": ["liver", "kidney_right"]}
    template.write_text(json.dumps({"version": 1, "title": "Both", "structures": [union]}))
    assert case.run("--to", "nrrd", "--template", template, tmp_path / "union.seg.nrrd") == 0
    (both,) = read_segmentation(tmp_path / "union.seg.nrrd").segments
    assert both.tags[CT_SERIES_TAG] == series
    case.ct = spoiled_ct(case, lambda dataset, number: setattr(dataset, "SeriesInstanceUID", "1.2.3"))
    for name in ("again.seg.nrrd", "union.seg.nrrd"):
        case.segmentation = tmp_path / name
        assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == ERRORS["EXPORT_OTHER_CT"].exit_code


@pytest.mark.parametrize(("to", "suffix"), [("stl", ".stl"), ("ply", ".ply"), ("obj", ".obj")])
def test_surfaces_are_a_file_a_structure(case: Case, tmp_path: Path, to: str, suffix: str):
    assert case.run("--to", to, "--space", "ras", tmp_path / "surfaces") == 0
    assert len(list((tmp_path / "surfaces").glob("*" + suffix))) == 3


def test_gltf_is_one_scene_and_volumes_are_a_table(case: Case, tmp_path: Path):
    assert case.run("--to", "gltf", tmp_path / "scene.glb") == 0
    assert (tmp_path / "scene.glb").read_bytes()[:4] == b"glTF"
    assert case.run("--to", "volumes", tmp_path / "volumes.csv") == 0
    with (tmp_path / "volumes.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 3


def test_dicom_of_a_ct_that_is_none_brings_its_series_along(case: Case, tmp_path: Path, capsys):
    image = tmp_path / "ct.nii.gz"
    array = np.full(SHAPE, -1000, np.int16)
    array[:, 4:36, 5:43] = 40
    nibabel.Nifti1Image(array.T, GRID.ijk_to_ras).to_filename(image)
    words = ["export", case.segmentation, "--reference", image, "--to", "rtstruct", "--external"]
    assert main([*map(str, words), str(tmp_path / "rs.dcm")]) == ERRORS["EXPORT_NOT_DICOM"].exit_code
    assert main([*map(str, words), str(tmp_path / "out")]) == 0
    assert "EXPORT_CT_WRITTEN" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["CT", "RTSTRUCT.dcm"]
    reference = read_reference(tmp_path / "out" / "CT")
    read = {s.name: s for s in read_rtstruct(tmp_path / "out" / "RTSTRUCT.dcm", reference)}
    assert read["Liver"].mask.count == case.liver.sum()
    assert read["Body"].interpreted_type == "EXTERNAL"
    uids = {plane.sop_instance_uid for plane in reference.planes}
    structure_set = pydicom.dcmread(tmp_path / "out" / "RTSTRUCT.dcm")
    frame = structure_set.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence} == uids


def test_a_structure_set_becomes_a_seg_and_is_compared(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0
    words = ["export", tmp_path / "rs.dcm", "--reference", case.ct, "--to", "seg", tmp_path / "seg.dcm"]
    assert main([str(word) for word in words]) == 0
    capsys.readouterr()
    table = tmp_path / "table.csv"
    words = ["compare", case.segmentation, tmp_path / "seg.dcm", "--reference", case.ct, "--csv", table]
    assert main([str(word) for word in words]) == 0
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    dice = [float(value) for row in rows for key, value in row.items() if key.lower() == "dice" and value]
    assert dice == [1.0, 1.0, 1.0]


# -- which structures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--structures", "liver"), {"Liver"}),
        (("--states", "approved"), {"Liver"}),
        ((), {"Liver", "My tumour"}),  # the rejected kidney stays at home
        (("--states", "rejected"), {"Kidney~_R"}),
    ],
)
def test_review_states_and_names_choose(case: Case, tmp_path: Path, arguments: tuple[str, ...], names: set[str]):
    case.segmentation = case.write("reviewed.seg.nrrd", liver="approved", kidney_right="rejected")
    assert case.run("--to", "rtstruct", *arguments, tmp_path / "rs.dcm") == 0
    written = pydicom.dcmread(tmp_path / "rs.dcm").StructureSetROISequence
    assert {item.ROIName for item in written} == names


# -- refusals ----------------------------------------------------------------------------------------------------------


def spoiled_ct(case: Case, change) -> Path:
    """A copy of the CT with ``change`` applied to each file (dataset, number of the slice)."""
    folder = case.folder / "spoiled"
    shutil.copytree(case.ct, folder)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        change(dataset, int(dataset.InstanceNumber) - 1)
        dataset.save_as(path)
    return folder


def tilt(dataset, number: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, float(y) + 0.6 * number, z]


def two_series(dataset, number: int) -> None:
    if number > 4:
        dataset.SeriesInstanceUID = "1.2.3.4"


def two_patients(dataset, number: int) -> None:
    dataset.PatientID = "P{}".format(number % 2)


def no_frame(dataset, number: int) -> None:
    dataset.FrameOfReferenceUID = ""


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
    told = error_code(capsys)
    assert status == ERRORS[told].exit_code != 0
    assert told == (code or told)
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
        assert error_code(capsys) in ("EXPORT_WOULD_OVERWRITE", "EXPORT_SUFFIX"), order
        assert {path: path.read_bytes() for path in before} == before


def test_what_an_export_would_refuse_is_reported_before_the_job(case: Case, tmp_path: Path, capsys):
    words = ["segment", case.ct, tmp_path / "rs.dcm", "--model", DEMO_MODEL, "--export", "rtstruct"]
    assert main([str(word) for word in [*words, "--set-label", "a label that is too long"]]) != 0
    assert error_code(capsys) == "EXPORT_NAME_INVALID"
    words[1] = spoiled_ct(case, no_frame)
    assert main([str(word) for word in words]) == ERRORS["EXPORT_NO_FRAME_OF_REFERENCE"].exit_code
    assert "segmenting" not in capsys.readouterr().err


def test_a_result_that_cannot_be_exported_is_kept(case: Case, tmp_path: Path, monkeypatch, capsys):
    def fail(*_args, **_kwargs) -> None:
        raise SegmentationError("EXPORT_NO_BODY")

    def found(volume, prepared, _cache, _reporter) -> SegmentationResult:
        labels = np.zeros(volume.array.shape, np.uint8)
        labels[2:5, 3:9, 4:9] = 1
        spleen = FoundStructure(1, "spleen", 90, [4, 8, 3, 8, 2, 4])
        return SegmentationResult(labels, prepared.structures, [spleen], [], "demo", "nnunet", "cpu", 1.0)

    monkeypatch.setattr(pipeline, "segment", found)
    monkeypatch.setattr(pipeline, "read_ahead", lambda *_args: None)
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


# -- events, log, end --------------------------------------------------------------------------------------------------


def events_of(path: Path) -> list:
    return [decode(line, EXPORT_EVENTS) for line in path.read_text().splitlines()]


def test_events_tell_it_all_and_the_log_names_nobody(case: Case, tmp_path: Path):
    files = ("--events", tmp_path / "events.jsonl", "--log", tmp_path / "log.txt")
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm", *files) == 0
    *others, last = events_of(tmp_path / "events.jsonl")
    assert isinstance(last, ExportFinishedEvent)
    assert (last.files, last.structures) == ([str(tmp_path / "rs.dcm")], 3)
    fractions = [event.fraction for event in others if isinstance(event, ExportProgressEvent)]
    assert fractions == sorted(fractions)
    assert {event.problem["code"] for event in others if isinstance(event, WarningEvent)} == {
        "EXPORT_UNREVIEWED",
        "EXPORT_CUT",
    }
    log = (tmp_path / "log.txt").read_text()
    assert "Smith" not in log
    assert "tumour" not in log


def _template(entry: str) -> str:
    return json.dumps({"version": 1, "structures": [{"source": "liver", "colour": entry}]})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("EXPORT_NAME_INVALID", ["--to", "rtstruct", "--set-label", "Müller Jürgen 19600101"]),
        ("EXPORT_STRUCTURE_UNKNOWN", ["--to", "rtstruct", "--structures", "Müller"]),
        ("TEMPLATE_UNKNOWN", ["--to", "rtstruct", "--template", "Müller"]),
        ("TEMPLATE_INVALID", ["--to", "rtstruct", "--template", "FILE"]),
    ],
)
def test_the_log_of_a_failure_holds_nothing_that_was_typed(case: Case, tmp_path: Path, code: str, words: list, capsys):
    (tmp_path / "template.json").write_text(_template("Müller"), encoding="utf-8")
    words = [tmp_path / "template.json" if word == "FILE" else word for word in words]
    assert case.run(*words, tmp_path / "rs.dcm", "--log", tmp_path / "log.txt") == ERRORS[code].exit_code
    assert "ller" in capsys.readouterr().err
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert code in log and "<text>" in log
    assert "ller" not in log and "1960" not in log


def test_a_failure_is_an_event(case: Case, tmp_path: Path):
    case.segmentation = case.folder / "missing.seg.nrrd"
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm", "--events", tmp_path / "events.jsonl") == 10
    last = events_of(tmp_path / "events.jsonl")[-1]
    assert isinstance(last, FailedEvent)
    assert last.problem["code"] == "INPUT_NOT_FOUND"


def test_a_cancel_file_stops_it_and_nothing_is_left(case: Case, tmp_path: Path):
    (tmp_path / "cancel").touch()
    files = ("--events", tmp_path / "events.jsonl", "--cancel-file", tmp_path / "cancel")
    before = sorted(tmp_path.iterdir())
    assert case.run("--to", "stl", tmp_path / "surfaces", *files) == 130
    assert isinstance(events_of(tmp_path / "events.jsonl")[-1], CancelledEvent)
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "events.jsonl"])


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_leaves_no_part_of_a_file(case: Case, tmp_path: Path):
    output = tmp_path / "out"
    events = tmp_path / "events.jsonl"
    words = ["export", case.segmentation, "--reference", case.ct, "--to", "rtstruct", output, "--events", events]
    process = subprocess.Popen(
        [sys.executable, str(MODULE_FOLDER / "TotalSegmentatorEngine" / "__main__.py"), *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not events.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    kinds = [json.loads(line)["kind"] for line in events.read_text().splitlines()]
    assert kinds[-1] in ("cancelled", "export_finished")  # it may have been quicker than the signal
    assert output.exists() == (kinds[-1] == "export_finished")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
