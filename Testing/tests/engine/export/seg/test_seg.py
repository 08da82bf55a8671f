"""DICOM SEG: what we write is read back equal, by us and by others, refers to its CT, and hides no loss."""

from __future__ import annotations

import errno
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from export_support import ORDER_OF_POSITION
from roi_support import (
    ENCODINGS,
    RAS_GRID,
    SHAPE,
    a_reference,
    a_roi,
    assert_same_masks,
    at_steps,
    code_of,
    kidney,
    rois_for,
    two_rois,
    whole_masks,
)
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.seg import writer as seg_writer
from TotalSegmentatorEngine.export.seg.reader import is_seg, read_seg
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.imaging import atomic_file
from TotalSegmentatorWire.errors.problem import SegmentationError

# -- written and read back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("position", [*ORDER_OF_POSITION, "oblique"])
def test_every_voxel_comes_back(tmp_path: Path, position: str, encoding: str) -> None:
    grid = ct_variants.turned(RAS_GRID, 20) if position == "oblique" else RAS_GRID
    reference = a_reference(tmp_path / "ct", "HFS" if position == "oblique" else position, grid)
    rois = rois_for(encoding, reference.grid.shape)
    report = write_seg(tmp_path / "seg.dcm", rois, reference, encoding)
    assert_same_masks(read_seg(tmp_path / "seg.dcm", reference), rois)
    assert report.bytes == (tmp_path / "seg.dcm").stat().st_size
    assert report.is_overlapping is (encoding == "binary")
    assert is_seg(tmp_path / "seg.dcm") and not is_seg(reference.planes[0].path)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_planes_at_irregular_steps(tmp_path: Path, encoding: str) -> None:
    reference = at_steps(a_reference(tmp_path / "ct"), [2.5, 2.5, 3.0, 2.0, 7.0, 2.5])
    write_seg(tmp_path / "seg.dcm", rois_for(encoding), reference, encoding)
    assert_same_masks(read_seg(tmp_path / "seg.dcm", reference), rois_for(encoding))
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert "SpacingBetweenSlices" not in dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


def test_multi_frame_ct_is_referred_to_by_frame(tmp_path: Path) -> None:
    grid = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([0.7, 0.9, 2.5, 1.0])
    path = ct_variants.write_enhanced_dicom(tmp_path / "ct" / "ct.dcm", np.zeros(SHAPE), grid, [6, 5, 4, 3, 2, 1, 0])
    reference = read_reference(path.parent)
    write_seg(tmp_path / "seg.dcm", rois_for("binary"), reference)
    assert_same_masks(read_seg(tmp_path / "seg.dcm", reference), rois_for("binary"))
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert len(dataset.SourceImageSequence) == 1
    first = dataset.PerFrameFunctionalGroupsSequence[0]
    source = first.DerivationImageSequence[0].SourceImageSequence[0]
    ct = pydicom.dcmread(path)
    named = ct.PerFrameFunctionalGroupsSequence[source.ReferencedFrameNumber - 1]
    assert named.PlanePositionSequence == first.PlanePositionSequence


def test_only_planes_with_voxels_have_a_frame(tmp_path: Path) -> None:
    rois = rois_for("binary")
    report = write_seg(tmp_path / "seg.dcm", rois, a_reference(tmp_path / "ct"))
    filled = sum(int(mask.any(axis=(1, 2)).sum()) for mask in whole_masks(rois))
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert report.frames == dataset.NumberOfFrames == len(dataset.PerFrameFunctionalGroupsSequence) == filled
    indices = np.array(
        [f.FrameContentSequence[0].DimensionIndexValues for f in dataset.PerFrameFunctionalGroupsSequence]
    )
    for column in indices.T:
        assert set(column) == set(range(1, column.max() + 1))  # dimension indices run from 1 without a gap


def test_more_than_255_segments(tmp_path: Path) -> None:
    reference = a_reference(tmp_path / "ct")
    rois = []
    for number in range(1, 258):
        mask = np.zeros(SHAPE, bool)
        mask[3].flat[number] = True
        rois.append(a_roi(number, f"Rib_{number}", mask))
    write_seg(tmp_path / "seg.dcm", rois, reference, "labelmap")
    assert_same_masks(read_seg(tmp_path / "seg.dcm", reference), rois)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_segments_say_what_they_are(tmp_path: Path) -> None:
    from highdicom.color import CIELabColor

    write_seg(tmp_path / "seg.dcm", rois_for("binary"), a_reference(tmp_path / "ct"), series_description="AI contours")
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    segmented, drawn = dataset.SegmentSequence
    meaning = segmented.SegmentedPropertyTypeCodeSequence[0]
    assert (meaning.CodingSchemeDesignator, meaning.CodeValue, meaning.CodeMeaning) == ("SCT", "64033007", "Kidney")
    assert meaning.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "7771000"
    assert segmented.SegmentDescription == "104-1.5mm, version 0.1.0"
    assert segmented.SegmentAlgorithmType == "AUTOMATIC" and segmented.SegmentAlgorithmName == "TotalSegmentatorModule"
    assert CIELabColor.from_dicom_value(segmented.RecommendedDisplayCIELabValue).to_rgb() == (200, 100, 50)
    assert drawn.SegmentAlgorithmType == "MANUAL" and "SegmentAlgorithmName" not in drawn
    assert drawn.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert dataset.SeriesDescription == "AI contours" and dataset.SegmentsOverlap == "YES"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_it_belongs_to_the_ct(tmp_path: Path, encoding: str) -> None:
    reference = a_reference(
        tmp_path / "ct",
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Müller^Zoë",
        PatientID="4711",
        PatientSex="U",  # not in the standard, seen in clinics
        StudyDescription="Thorax",
    )
    write_seg(tmp_path / "seg.dcm", rois_for(encoding), reference, encoding)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    ct = pydicom.dcmread(reference.planes[0].path)
    for name in (
        "PatientName",
        "PatientID",
        "PatientSex",
        "StudyInstanceUID",
        "StudyDescription",
        "FrameOfReferenceUID",
    ):
        assert dataset[name].value == ct[name].value, name
    images = {plane.sop_instance_uid for plane in reference.planes}
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == ct.SeriesInstanceUID != dataset.SeriesInstanceUID
    assert {image.ReferencedSOPInstanceUID for image in series.ReferencedInstanceSequence} == images
    assert {image.ReferencedSOPInstanceUID for image in dataset.SourceImageSequence} == images
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        plane = next(p for p in reference.planes if p.sop_instance_uid == source.ReferencedSOPInstanceUID)
        np.testing.assert_allclose(frame.PlanePositionSequence[0].ImagePositionPatient, plane.position, atol=1e-6)


def test_names_that_the_cts_character_set_lacks(tmp_path: Path) -> None:
    reference = a_reference(tmp_path / "ct", SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Zoë")
    write_seg(tmp_path / "seg.dcm", [a_roi(1, "肝臓", kidney())], reference)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (dataset.SegmentSequence[0].SegmentLabel, str(dataset.PatientName)) == ("肝臓", "Müller^Zoë")


# -- refusals, and nothing left behind ---------------------------------------------------------------------------------


def test_label_map_refuses_overlaps(tmp_path: Path) -> None:
    with pytest.raises(SegmentationError) as caught:
        write_seg(tmp_path / "seg.dcm", two_rois(), a_reference(tmp_path / "ct"), "labelmap")
    shared = int(np.logical_and(*whole_masks(two_rois())).sum())
    assert caught.value.code == "EXPORT_OVERLAP"
    assert caught.value.problem.values == {"first": "Kidney_L", "second": "GTV", "voxels": shared}
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


def test_what_a_dicom_value_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seg_writer, "MAXIMUM_PIXEL_BYTES", 400)
    reference = a_reference(tmp_path / "ct")
    assert code_of(lambda: write_seg(tmp_path / "seg.dcm", two_rois(), reference)) == "EXPORT_TOO_LARGE"
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_stopped_export_leaves_the_earlier_file(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "seg.dcm").write_text("an earlier export")
    reported = []

    def stop(index: int, roi) -> None:
        reported.append((index, roi.name))
        if index == 1:
            raise SegmentationError("CANCELLED")

    reference = a_reference(tmp_path / "ct")
    action = lambda: write_seg(tmp_path / "seg.dcm", rois_for(encoding), reference, encoding, progress=stop)  # noqa: E731
    assert code_of(action) == "CANCELLED"
    assert reported == [(0, "Kidney_L"), (1, "GTV")]
    assert (tmp_path / "seg.dcm").read_text() == "an earlier export"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "seg.dcm"]


def test_an_export_can_be_stopped_while_it_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_file, "SECONDS_BETWEEN_CHECKS", 0.0)
    reported = []

    def stop(index: int, _roi) -> None:
        reported.append(index)
        if len(reported) == 3:  # both structures are done then
            raise SegmentationError("CANCELLED")

    reference = a_reference(tmp_path / "ct")
    assert code_of(lambda: write_seg(tmp_path / "seg.dcm", two_rois(), reference, progress=stop)) == "CANCELLED"
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


def test_full_disk_and_missing_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = a_reference(tmp_path / "ct")
    assert code_of(lambda: write_seg(tmp_path / "no" / "seg.dcm", two_rois(), reference)) == "OUTPUT_NOT_WRITABLE"

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(seg_writer, "write_binary_frames", full)
    assert code_of(lambda: write_seg(tmp_path / "seg.dcm", two_rois(), reference)) == "DISK_FULL"
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]
