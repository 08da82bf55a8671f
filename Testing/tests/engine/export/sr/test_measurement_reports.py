"""DICOM structured reports of volumes and CT numbers: what other readers find in them, and whose they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from export_case import GRID, error_code
from report_support import REPORT, SEG, ReportCase, counted, groups_of, measured, read_by_dcmqi, referred_to
from roi_support import RAS_GRID, SHAPE, a_reference, a_roi, kidney, tumour, two_rois
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference, reference_volume
from TotalSegmentatorEngine.export.dicom.tracking import TRACKING_UID_TAG, tracking_uids
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.sr.with_seg import write_report_with_seg
from TotalSegmentatorEngine.export.sr.writer import ReportOptions
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError
from TotalSegmentatorWire.tables.review_state import ReviewState


def write(folder: Path, rois, reference, ct: Volume, options: ReportOptions | None = None, progress=lambda *_: None):
    options = options or ReportOptions()
    paths = (folder / REPORT, folder / SEG)
    write_report_with_seg(*paths, rois, reference, lambda: ct, options, lambda *_: None, progress)


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_highdicom_finds_the_numbers_of_overlapping_layers(case: ReportCase, exported: Path):
    groups = {group.tracking_identifier: group for group in groups_of(exported / REPORT)}
    expected = case.expected()
    assert set(groups) == set(expected)
    segments = {structure.number: structure for structure in read_seg(exported / SEG, read_reference(case.ct))}
    masks = case.masks()
    for name, group in groups.items():
        np.testing.assert_allclose(measured(group), expected[name], atol=0.006)
        _instance, number = referred_to(group)
        assert segments[number].name == name
        np.testing.assert_array_equal(segments[number].mask.whole(), masks[name])


def test_dcmqi_finds_the_numbers_and_their_codes(case: ReportCase, exported: Path, tmp_path: Path):
    report = read_by_dcmqi(exported / REPORT, tmp_path)
    expected = case.expected()
    assert [group["TrackingIdentifier"] for group in report["Measurements"]] == ["Liver", "Kidney~_R", "My tumour"]
    seg = pydicom.dcmread(exported / SEG)
    for group in report["Measurements"]:
        values = [float(item["value"]) for item in group["measurementItems"]]
        np.testing.assert_allclose(values, expected[group["TrackingIdentifier"]], atol=0.006)
        codes = [_code(item.get("derivationModifier", item["quantity"])) for item in group["measurementItems"]]
        assert codes == [
            ("SCT", "118565006", "Volume"),
            ("SCT", "373098007", "Mean"),
            ("SCT", "386136009", "Standard Deviation"),
            ("SCT", "373099004", "Median"),
            ("SCT", "371888009", "Fifth percentile"),
            ("SCT", "371889001", "Ninety-fifth percentile"),
        ]
        assert {_code(item["quantity"]) for item in group["measurementItems"][1:]} == {
            ("DCM", "112031", "Attenuation Coefficient")
        }
        assert group["segmentationSOPInstanceUID"] == seg.SOPInstanceUID
        segment = seg.SegmentSequence[group["ReferencedSegment"] - 1]
        assert segment.TrackingUID == group["TrackingUniqueIdentifier"]
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        assert _code(group["Finding"]) == (kind.CodingSchemeDesignator, kind.CodeValue, kind.CodeMeaning)
        assert group["SourceSeriesForImageSegmentation"] == read_reference(case.ct).series_instance_uid
    sides = [group.get("Laterality", {}).get("CodeMeaning") for group in report["Measurements"]]
    assert sides == [None, "Right", None]


def _code(item: dict[str, str]) -> tuple[str, str, str]:
    return item["CodingSchemeDesignator"], item["CodeValue"], item["CodeMeaning"]


def test_volumes_follow_the_true_positions_of_uneven_slices(tmp_path: Path):
    def higher(folder: Path) -> Path:
        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            x, y, z = map(float, dataset.ImagePositionPatient)
            dataset.ImagePositionPatient = [x, y, z + max(0.0, z - 120)]  # from the fifth plane on steps of 5 mm
            dataset.save_as(path)
        return folder

    reference = read_reference(higher(a_reference(tmp_path / "ct").planes[0].path.parent))
    assert reference.irregular is not None
    write(tmp_path, two_rois(), reference, reference_volume(reference))
    volumes = [measured(group)[0] for group in groups_of(tmp_path / REPORT)]
    distances = reference.plane_distances
    edges = np.concatenate([[1.5, -0.5] @ distances[:2, None], (distances[1:] + distances[:-1]) / 2])
    widths = np.diff(np.append(edges, distances[-1] + (distances[-1] - distances[-2]) / 2))
    expected = [mask.sum(axis=(1, 2)) @ widths * 0.7 * 0.9 / 1000 for mask in (kidney(), tumour())]
    np.testing.assert_allclose(volumes, expected, atol=0.0006)


@pytest.mark.shared
def test_a_real_ct_and_the_structure_set_of_its_clinic(tmp_path: Path, shared: Path):
    """The contours of others are measured, too; nobody knows here who reviewed them."""
    data = shared / "data" / "sts_001"
    structure_set = next(path for path in (data / "rtstruct").rglob("*") if path.is_file())
    words = ["export", structure_set, tmp_path / REPORT, "--to", "sr", "--reference", data / "dicom"]
    assert main([str(word) for word in words]) == 0
    reference = read_reference(data / "dicom")
    hu = reference_volume(reference).array
    expected = {s.name: s.mask.whole() for s in read_rtstruct(structure_set, reference)}
    groups = groups_of(tmp_path / REPORT)
    assert len(groups) == len(expected)
    voxel = float(np.prod(reference.grid.spacing)) / 1000
    for group, mask in zip(groups, expected.values(), strict=True):
        np.testing.assert_allclose(measured(group), counted(mask, hu, voxel), atol=0.006)
    assert len(read_by_dcmqi(tmp_path / REPORT, tmp_path)["Measurements"]) == len(expected)
    for name in (REPORT, SEG):
        assert conformance_errors(tmp_path / name) <= conformance_errors(reference.planes[0].path)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_it_belongs_to_the_patient_the_study_and_the_ct(tmp_path: Path):
    names = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Zoë", "PatientSex": "U"}
    case = ReportCase(tmp_path, PatientID="4711", StudyDescription="Thorax", SeriesNumber="4", **names)
    assert case.run("--to", "sr", "--external", tmp_path / REPORT) == 0
    report, seg = (pydicom.dcmread(tmp_path / name) for name in (REPORT, SEG))
    source = pydicom.dcmread(next(case.ct.iterdir()))
    for keyword in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDescription", "StudyID"):
        assert report[keyword].value == source[keyword].value, keyword
    assert report.SeriesInstanceUID not in (source.SeriesInstanceUID, seg.SeriesInstanceUID)
    assert (report.Modality, report.SeriesNumber) == ("SR", 2004)
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    listed = {
        series.SeriesInstanceUID: {image.ReferencedSOPInstanceUID for image in series.ReferencedSOPSequence}
        for series in study.ReferencedSeriesSequence
    }
    images = {plane.sop_instance_uid for plane in read_reference(case.ct).planes}
    assert listed == {source.SeriesInstanceUID: images, seg.SeriesInstanceUID: {seg.SOPInstanceUID}}
    assert groups_of(tmp_path / REPORT)[0].tracking_identifier == "Body"
    for name in (REPORT, SEG):
        assert conformance_errors(tmp_path / name) <= conformance_errors(next(case.ct.iterdir()))


@pytest.mark.parametrize("observer", [None, "Bauer^Anna"])
def test_a_person_is_named_only_where_one_is_given(case: ReportCase, exported: Path, tmp_path: Path, observer):
    from highdicom.sr import srread

    if observer is not None:
        assert case.run("--to", "sr", "--observer", observer, tmp_path / REPORT) == 0
        assert not conformance_errors(tmp_path / REPORT)
    report = srread((exported if observer is None else tmp_path) / REPORT)
    contexts = report.content.get_observer_contexts()
    kinds = {context.observer_type.meaning: context.observer_identifying_attributes for context in contexts}
    assert set(kinds) == ({"Device"} if observer is None else {"Person", "Device"})
    assert kinds["Device"].name == ALGORITHM_NAME
    if observer is not None:
        assert kinds["Person"].name == observer
    assert report.VerificationFlag == "UNVERIFIED" and "VerifyingObserverSequence" not in report
    assert ("PNAME" in {item.ValueType for item in report.ContentSequence}) == (observer is not None)


@pytest.mark.parametrize("observer", ["", "^", "A^B^C^D^E^F", "Anna\\Bauer", "x" * 65])
def test_an_observer_that_is_no_name_is_refused(case: ReportCase, tmp_path: Path, capsys, observer: str):
    assert case.run("--to", "sr", "--observer", observer, tmp_path / REPORT) == ERRORS["EXPORT_NAME_INVALID"].exit_code
    assert not list(tmp_path.glob("*.dcm"))


def test_an_unreviewed_report_says_so_and_a_reviewed_one_is_complete(tmp_path: Path):
    reference = a_reference(tmp_path / "ct")
    approved = [replace(roi, review_state=ReviewState.APPROVED) for roi in two_rois()]
    unreviewed = [replace(roi, review_state=ReviewState.UNREVIEWED) for roi in approved]
    for rois, label, flag, description in (
        (unreviewed, None, "PARTIAL", "Manual and other measurements, not reviewed"),
        ([approved[0], unreviewed[1]], None, "PARTIAL", "Manual and other measurements, reviewed 1 of 2"),
        (approved, "Trial 7", "COMPLETE", "Trial 7, reviewed 2 of 2"),
    ):
        write(tmp_path, rois, reference, reference_volume(reference), ReportOptions(label))
        report = pydicom.dcmread(tmp_path / REPORT)
        assert (report.CompletionFlag, report.VerificationFlag) == (flag, "UNVERIFIED")
        assert report.SeriesDescription == description
        comments = [comment_of(group) for group in groups_of(tmp_path / REPORT)]
        assert comments[0].startswith("Not reviewed." if rois is unreviewed else "Approved in a review.")
        assert ["Cut off by the field of view" in comment for comment in comments] == [False, True]


def test_every_group_names_the_program_the_model_and_how_the_segment_was_made(tmp_path: Path):
    reference = a_reference(tmp_path / "ct")
    rois = two_rois()
    edited = {"algorithm": "SEMIAUTOMATIC", "models": ("104-1.5mm",), "description": "Edited; 104-1.5mm"}
    rois.append(a_roi(3, "Liver", kidney(), **edited))
    write(tmp_path, rois, reference, Volume(np.zeros(SHAPE, np.int16), Geometry(SHAPE, RAS_GRID)))
    assert not conformance_errors(tmp_path / REPORT)
    segments = pydicom.dcmread(tmp_path / SEG).SegmentSequence
    for group, segment in zip(groups_of(tmp_path / REPORT), segments, strict=True):
        said = {item.name.meaning: [] for item in group[0].ContentSequence}
        for item in group[0].ContentSequence:
            said[item.name.meaning].append(getattr(item, "value", None))
        assert (said["Algorithm Name"], said["Algorithm Version"]) == ([ALGORITHM_NAME], [ENGINE_VERSION])
        assert f"Segment algorithm type: {segment.SegmentAlgorithmType}" in said["Algorithm Parameters"]
        models = [text for text in said["Algorithm Parameters"] if text.startswith("Segmentation model")]
        assert models == (["Segmentation model: 104-1.5mm"] if segment.SegmentLabel == "Liver" else [])
    assert comment_of(group) == "Not reviewed. Edited; 104-1.5mm."


def comment_of(group) -> str:
    (comment,) = (item.value for item in group[0].ContentSequence if item.name.meaning == "Comment")
    return comment


def test_a_structure_has_one_tracking_uid_in_all_exports_of_its_ct(case: ReportCase, exported: Path, tmp_path: Path):
    assert case.run("--to", "seg", tmp_path / "again.dcm") == 0
    found = []
    for path in (exported / SEG, tmp_path / "again.dcm"):
        found.append({s.SegmentLabel: s.TrackingUID for s in pydicom.dcmread(path).SegmentSequence})
    found.append({group.tracking_identifier: group.tracking_uid for group in groups_of(exported / REPORT)})
    words = ["export", exported / SEG, tmp_path / REPORT, "--to", "sr", "--names", "own", "--reference", case.ct]
    assert main([str(word) for word in words]) == 0  # out of the archive, and in again
    found.append({group.tracking_identifier: group.tracking_uid for group in groups_of(tmp_path / REPORT)})
    found.append({s.SegmentLabel: s.TrackingUID for s in pydicom.dcmread(tmp_path / SEG).SegmentSequence})
    assert all(each == found[0] for each in found) and len(set(found[0].values())) == 3
    other = ReportCase(tmp_path)
    assert other.run("--to", "seg", tmp_path / "other.dcm") == 0
    others = {segment.TrackingUID for segment in pydicom.dcmread(tmp_path / "other.dcm").SegmentSequence}
    assert others.isdisjoint(found[0].values())


def test_a_copy_of_a_segment_is_not_tracked_as_the_same(tmp_path: Path):
    reference = a_reference(tmp_path / "ct")
    tags = {"TrackingUniqueIdentifier": "1.2.3"}
    rois = [replace(roi, tags=tags) for roi in two_rois()]
    rois.append(a_roi(3, "Liver", kidney(), tags={TRACKING_UID_TAG: "1.2.4"}))
    assert len({*tracking_uids(rois, reference).values(), "1.2.3"}) == 4
    assert tracking_uids(rois, reference)[3] == "1.2.4"
    assert tracking_uids(rois[:1], reference) == {1: "1.2.3"}
    assert tracking_uids([replace(rois[0], tags={TRACKING_UID_TAG: "no UID"})], reference)[1].startswith("2.25.")


# -- files -------------------------------------------------------------------------------------------------------------


def test_both_files_appear_or_none(tmp_path: Path):
    reference = a_reference(tmp_path / "ct")
    (tmp_path / SEG).write_bytes(b"an earlier one")

    def cancel(index: int, _roi) -> None:
        if index == 1:
            raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError):
        write(tmp_path, two_rois(), reference, reference_volume(reference), progress=cancel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", SEG]
    assert (tmp_path / SEG).read_bytes() == b"an earlier one"


def test_a_file_under_the_name_of_the_seg_is_not_replaced(case: ReportCase, tmp_path: Path, capsys):
    (tmp_path / SEG).write_bytes(b"of somebody else")
    assert case.run("--to", "sr", tmp_path / REPORT) == ERRORS["EXPORT_WOULD_OVERWRITE"].exit_code
    assert error_code(capsys) == "EXPORT_WOULD_OVERWRITE"
    assert (tmp_path / SEG).read_bytes() == b"of somebody else" and not (tmp_path / REPORT).exists()


def test_a_ct_that_is_no_dicom_gets_a_series(case: ReportCase, tmp_path: Path):
    nibabel.Nifti1Image(case.hu.T, GRID.ijk_to_ras).to_filename(tmp_path / "ct.nii.gz")
    words = ["export", case.segmentation, tmp_path / "out", "--to", "sr", "--reference", tmp_path / "ct.nii.gz"]
    assert main([str(word) for word in words]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["CT", "SR.dcm", "SR.seg.dcm"]
    expected = case.expected()
    for group in groups_of(tmp_path / "out" / "SR.dcm"):
        np.testing.assert_allclose(measured(group), expected[group.tracking_identifier], atol=0.006)
