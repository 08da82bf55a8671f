"""The commands export and compare: every format, and which structures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from export_case import GRID, SHAPE, Case, error_code, spoiled_ct
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG, series_digest
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG

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
    """What a PACS needs to show the structure set, the segmentation and the report of one CT together."""
    source = pydicom.dcmread(next(case.ct.iterdir()))
    images = {plane.sop_instance_uid for plane in read_reference(case.ct).planes}
    for to, name in (("rtstruct", "rs.dcm"), ("seg", "seg.dcm"), ("sr", "sr.dcm")):
        assert case.run("--to", to, "--external", tmp_path / name) == 0
        written = pydicom.dcmread(tmp_path / name)
        for attribute in ("PatientID", "PatientName", "StudyInstanceUID"):
            assert written.get(attribute) == source.get(attribute)
        named = {str(each.value) for each in written.iterall() if each.keyword == "ReferencedSOPInstanceUID"}
        assert named >= images
        series = {str(each.value) for each in written.iterall() if each.keyword == "SeriesInstanceUID"}
        assert source.SeriesInstanceUID in series and written.SeriesInstanceUID != source.SeriesInstanceUID
        if to != "sr":  # which has no frame of reference of its own
            assert written.FrameOfReferenceUID == source.FrameOfReferenceUID
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
