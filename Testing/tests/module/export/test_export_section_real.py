"""From the panel to the file with the real export program: the whole way of a structure set."""

from __future__ import annotations

import csv

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import pydicom
import slicer
import vtk
from export_support import labels_on, with_identifiers, write_ct_series
from export_user import add_segment
from report_support import counted, groups_of, measured
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, SLICER_STATUS_TAG

pytestmark = pytest.mark.slow  # every export is a process that imports NumPy, SciPy and pydicom

PHANTOM = np.array([[-2.0, 0, 0, 60.0], [0, -2.0, 0, 50.0], [0, 0, 3.0, -90.0], [0, 0, 0, 1]])


@pytest.fixture
def exporter(real_exporter):
    return real_exporter


@pytest.mark.shared
@pytest.mark.parametrize(
    ("series", "acquisition_transform"), [("example_ct_dicom", False), ("example_ct_dicom", True), ("cip_ct64", False)]
)
def test_structure_set_attaches_to_the_series_in_slicers_database(
    exporter, shared, tmp_path, series, acquisition_transform
):
    """With the transform, Slicer has laid CT and result under a non-linear one, as it does with irregular slices."""
    folder = with_identifiers(shared / "data" / series, tmp_path / series)
    ct = exporter.app.load_dicom_series(folder, acquisition_transform=acquisition_transform)
    labels = labels_on(slicer.util.arrayFromVolume(ct).shape)
    node = exporter.add_result(ct, labels, digest="")
    add_segment(node, "by hand", np.roll(labels == 2, -2, axis=2).astype(np.uint8), ct)
    exporter.ui.export.databaseCheckBox.checked = True
    exporter.export_as("rtstruct")

    (name,) = exporter.written
    dataset = pydicom.dcmread(exporter.target / name)
    reference = read_reference(folder)
    assert dataset.FrameOfReferenceUID == reference.frame_of_reference_uid
    assert dataset.StudyInstanceUID == reference.dataset.StudyInstanceUID
    assert referenced_images(dataset) == {plane.sop_instance_uid for plane in reference.planes}
    read = [structure.mask.whole() for structure in read_rtstruct(exporter.target / name, reference)]
    for bent in (node, ct):  # Slicer resamples what it is asked for through a transform
        bent.SetAndObserveTransformNodeID(None)
    assert_same_voxels(read, node, ct, reference)
    added = "was added to Slicer's DICOM database. To open it in Slicer, first install the extension SlicerRT."
    assert added in exporter.ui.export_task.resultLabel.text
    assert slicer.dicomDatabase.fileForInstance(dataset.SOPInstanceUID)


@pytest.mark.shared
def test_files_that_slicers_database_refuses_get_a_series_of_their_own(exporter, shared):
    """Their identifiers are empty, so that Slicer knows the volume only."""
    ct = exporter.app.load_dicom_series(shared / "data" / "example_ct_dicom")
    node = exporter.add_result(ct, labels_on(slicer.util.arrayFromVolume(ct).shape), digest="")
    exporter.export_as("rtstruct")

    assert "new CT series was written" in exporter.ui.export_task.warningLabel.text
    written = exporter.target / exporter.written[0]
    reference = read_reference(written / "CT")
    read = [structure.mask.whole() for structure in read_rtstruct(written / "RTSTRUCT.dcm", reference)]
    assert_same_voxels(read, node, ct, reference)


def test_every_format_of_a_ct_that_is_no_dicom(exporter):
    ct = exporter.user.add_ct(body(), matrix=PHANTOM)
    exporter.add_result(ct, labels_on(body().shape), digest="")
    exporter.ui.export.outlineCheckBox.checked = True
    exporter.ui.export.databaseCheckBox.checked = True
    for format_id in ("rtstruct", "seg-binary", "nrrd", "nifti", "stl", "gltf", "volumes"):
        exporter.export_as(format_id)

    written = exporter.written
    for expected in (
        "CT abdomen segmentation_RTSTRUCT/RTSTRUCT.dcm",
        "CT abdomen segmentation_RTSTRUCT/CT",
        "CT abdomen segmentation_SEG/SEG.dcm",
    ):
        assert expected in written
    for suffix in (".seg.nrrd", ".nii.gz", ".stl", ".glb", ".csv"):
        assert any(name.endswith(suffix) for name in written), suffix
    structures = read_rtstruct(
        exporter.target / "CT abdomen segmentation_RTSTRUCT" / "RTSTRUCT.dcm",
        read_reference(exporter.target / "CT abdomen segmentation_RTSTRUCT" / "CT"),
    )
    series = read_reference(exporter.target / "CT abdomen segmentation_RTSTRUCT" / "CT")
    assert len(slicer.dicomDatabase.filesForSeries(series.series_instance_uid)) == len(body())
    assert [structure.interpreted_type for structure in structures].count("EXTERNAL") == 1
    table = max(exporter.target.glob("*.csv"), key=lambda path: path.stat().st_mtime_ns)
    with table.open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 3


def test_a_report_and_its_segmentation_go_into_slicers_database(exporter, tmp_path):
    """Slicer's terminology knows the codes of the liver."""
    hu = np.random.default_rng(3).integers(-200, 300, body().shape, dtype=np.int16)
    series = write_ct_series(tmp_path / "series", hu, Geometry(hu.shape, PHANTOM))
    ct = exporter.app.load_dicom_series(series)
    node = exporter.add_result(ct, labels_on(hu.shape) * np.uint8(5), digest="")
    exporter.ui.export.databaseCheckBox.checked = True
    exporter.export_as("sr")

    report, seg = (pydicom.dcmread(exporter.target / name) for name in exporter.written)
    assert (report.Modality, seg.Modality) == ("SR", "SEG")
    assert all(slicer.dicomDatabase.fileForInstance(each.SOPInstanceUID) for each in (report, seg))
    assert "first install the extension QuantitativeReporting" in exporter.ui.export_task.resultLabel.text
    assert report.SeriesDescription == "AI measurements, self-test, not reviewed"
    (group,) = (
        group for group in groups_of(exporter.target / exporter.written[0]) if group.tracking_identifier == "Liver"
    )
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct) != 0
    expected = counted(voxels, slicer.util.arrayFromVolume(ct), voxel_ml=2.0 * 2.0 * 3.0 / 1000)
    np.testing.assert_allclose(measured(group), expected, atol=0.006)

    codes = [(code.scheme_designator, code.value) for code in (group.finding_category, group.finding_type)]
    known = slicer.modules.terminologies.logic().FindTerminologyNames(*codes[0], *codes[1], "", "", [])
    assert "Segmentation category and type - 3D Slicer General Anatomy list" in known


def test_volumes_come_with_hu_without_the_outline_of_the_body(exporter):
    exporter.ui.export.outlineCheckBox.checked = False
    exporter.add_result(exporter.user.add_ct(body(), matrix=PHANTOM), labels_on(body().shape), digest="")
    exporter.export_as("volumes")
    with next(exporter.target.glob("*.csv")).open(encoding="utf-8-sig", newline="") as stream:
        assert [row["mean_hu"] for row in csv.DictReader(stream)] == ["0.0", "0.0"]


def test_drawn_structures_are_not_called_ai_contours(exporter):
    """As the Segment Editor leaves them: painting sets the status, and no tag says how they were made."""
    ct = exporter.user.add_ct(body(), matrix=PHANTOM)
    node = exporter.add_result(ct, labels_on(body().shape), digest="")
    add_segment(node, "boost", np.roll(labels_on(body().shape) == 2, -2, axis=2).astype(np.uint8), ct)
    node.GetSegmentation().GetSegment("boost").SetTag(SLICER_STATUS_TAG, "inprogress")
    exporter.export_as("rtstruct")
    dataset = pydicom.dcmread(exporter.target / "CT abdomen segmentation_RTSTRUCT" / "RTSTRUCT.dcm")
    assert dataset.StructureSetLabel == "AI and manual"
    made = {roi.ROIName: roi.ROIGenerationAlgorithm for roi in dataset.StructureSetROISequence}
    assert made.pop("boost") == "MANUAL" and set(made.values()) == {"AUTOMATIC"}

    for segment_id in set(node.GetSegmentation().GetSegmentIDs()) - {"boost"}:
        node.GetSegmentation().RemoveSegment(segment_id)
    exporter.export_as("seg-binary")
    dataset = pydicom.dcmread(exporter.target / "CT abdomen segmentation_SEG" / "SEG.dcm")
    assert dataset.SeriesDescription == "Manual segmentation, reviewed 0 of 1"
    assert dataset.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"


def test_an_approval_does_not_change_who_made_a_structure(exporter):
    from review_support import ReviewUser

    ct = exporter.user.add_ct(body(), matrix=PHANTOM)
    node = exporter.add_result(ct, labels_on(body().shape), digest="")
    block = np.roll(labels_on(body().shape) == 2, -2, axis=2).astype(np.uint8)
    for name in ("boost", "of another program"):
        add_segment(node, name, block, ct)
    for drawn in ("boost", "kidney_right"):  # as painting does it
        node.GetSegmentation().GetSegment(drawn).SetTag(SLICER_STATUS_TAG, "inprogress")
    reviewer = ReviewUser(exporter.user)
    exporter.app.resize_window(1024, 2600)
    reviewer.settle()
    for name in ("spleen", "kidney right", "boost", "of another program"):
        reviewer.click_row(name)
        reviewer.press("A")
    assert reviewer.ui.progressLabel.text == "4 of 4 judged"
    exporter.export_as("rtstruct")
    dataset = pydicom.dcmread(exporter.target / "CT abdomen segmentation_RTSTRUCT" / "RTSTRUCT.dcm")
    made = {roi.ROIName: roi.ROIGenerationAlgorithm for roi in dataset.StructureSetROISequence}
    assert made == {
        "Spleen": "AUTOMATIC",
        "Kidney_R": "SEMIAUTOMATIC",
        "boost": "MANUAL",
        "of another progr": "",
    }
    assert dataset.StructureSetLabel == "AI and other"


def test_default_names_hold_the_modality_and_nothing_of_the_patient(exporter, tmp_path):
    series = write_ct_series(
        tmp_path / "series",
        body(),
        Geometry(body().shape, PHANTOM),
        PatientName="Smith^John",
        PatientID="SJ-4711",
        SeriesDescription="Thorax of John SMITH 4711",
        SeriesNumber="3",
    )
    ct = exporter.app.load_dicom_series(series)
    node = exporter.add_result(ct, labels_on(body().shape), digest="")
    assert "SMITH" in node.GetName() and "4711" in node.GetName()
    for format_id in ("rtstruct", "seg-binary", "volumes"):
        exporter.export_as(format_id)

    name = "3_ Thorax of segmentation"
    assert exporter.written == [f"{name}.csv", f"{name}_RTSTRUCT.dcm", f"{name}_SEG.dcm"]


def test_edited_structures_are_found_and_marked(exporter):
    ct = exporter.user.add_ct(body(), matrix=PHANTOM)
    node = exporter.add_result(ct, labels_on(body().shape), digest="not the digest of these voxels ")
    exporter.export_as("volumes")

    segment = node.GetSegmentation().GetNthSegment(0)
    value = vtk.reference("")
    segment.GetTag(REVIEW_STATE_TAG, value)
    assert str(value) == "edited"


def test_failure_of_the_real_program_is_reported_with_its_code(exporter):
    ct = exporter.user.add_ct(body(), matrix=PHANTOM)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.GetSegmentation().AddEmptySegment("later", "drawn later")
    exporter.ui.export.segmentationSelector.setCurrentNode(node)
    exporter.app.process_events()
    exporter.click()
    exporter.wait(lambda: exporter.ui.export_task.startButton.text == "Export", 120.0)

    assert exporter.error_code == "EXPORT_SEGMENT_EMPTY"
    assert exporter.written == []


def body(shape: tuple[int, int, int] = (24, 40, 48)) -> np.ndarray:
    """HU of a box of water in air."""
    array = np.full(shape, -1000, np.int16)
    array[:, 4:-4, 4:-4] = 0
    return array


def assert_same_voxels(read, node, ct, reference) -> None:
    """The structures that were read (k, j, i of the series) are the segments of ``node``, in their order."""
    ids = node.GetSegmentation().GetSegmentIDs()
    is_reversed = reference.grid.ijk_to_ras[2, 2] * ijk_matrix(ct).GetElement(2, 2) < 0
    assert len(read) == len(ids)
    for voxels, segment_id in zip(read, ids, strict=True):
        expected = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct) != 0
        assert np.array_equal(voxels, expected[::-1] if is_reversed else expected), segment_id


def ijk_matrix(ct):
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    return matrix


def referenced_images(dataset) -> set[str]:
    """SOP Instance UIDs of the series that a structure set refers to."""
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    return {str(image.ReferencedSOPInstanceUID) for image in series.ContourImageSequence}
