"""Structure sets of others: what is read, and what is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import Dataset
from rtstruct_support import (
    AXIAL,
    ball,
    contours_of,
    differing,
    make_roi,
    written,
)
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import is_structure_set, read_rtstruct
from TotalSegmentatorEngine.export.rtstruct.writer import write_rtstruct
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError


def test_another_makers_structure_set_equals_its_mask(shared: Path):
    case = shared / "data" / "sts_001"
    (structure,) = read_rtstruct(case / "rtstruct" / "RS.dcm", read_reference(case / "dicom"))
    mask = np.asarray(nibabel.load(case / "nifti" / "CT_mask.nii.gz").dataobj).transpose(2, 1, 0) > 0
    assert structure.mask.count == 117_145
    assert np.array_equal(structure.mask.whole(), mask)
    assert (structure.name, structure.colour, structure.interpreted_type) == ("GTV_Mass_CT", (255, 0, 0), "GTV")


Change = Callable[[Dataset], None]


def set_patient(dataset: Dataset) -> None:
    dataset.PatientID = "SOMEBODY ELSE"


def set_frame(dataset: Dataset, keep_images: bool = False) -> None:
    dataset.FrameOfReferenceUID = dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"
    for item in dataset.StructureSetROISequence:
        item.ReferencedFrameOfReferenceUID = "1.2.3"
    if not keep_images:
        del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence


def shift(dataset: Dataset, offset: tuple[float, float, float]) -> None:
    for contour, points in contours_of(dataset):
        contour.ContourData = [f"{value:.2f}" for value in (points + offset).ravel()]


def spoil_coordinates(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = [1.0, 2.0, 3.0, 4.0]


def make_it_a_plan(dataset: Dataset) -> None:
    dataset.SOPClassUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (set_patient, "EXPORT_OTHER_PATIENT"),
        (set_frame, "EXPORT_OTHER_CT"),
        (partial(shift, offset=(0, 0, 1.2)), "CONTOURS_OFF_PLANE"),
        (partial(shift, offset=(0, 0, 100)), "CONTOURS_OFF_PLANE"),
        (spoil_coordinates, "SEGMENTATION_UNREADABLE"),
        (make_it_a_plan, "SEGMENTATION_UNREADABLE"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, reference, shell, change: Change, code: str):
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference)
    change(dataset)
    dataset.save_as(tmp_path / "rs.dcm")
    with pytest.raises(SegmentationError) as caught:
        read_rtstruct(tmp_path / "rs.dcm", reference)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        partial(set_frame, keep_images=True),
        partial(shift, offset=(0, 0, 0.05)),
        lambda dataset: dataset.__delattr__("PatientID"),
        lambda dataset: dataset.__delattr__("RTROIObservationsSequence"),
    ],
    ids=["own frame but the CT's images", "rounded heights", "no patient", "no observations"],
)
def test_files_that_are_sloppy_are_read(tmp_path: Path, reference, shell, change: Change):
    roi = make_roi(1, "Shell", shell)
    dataset = written(tmp_path / "rs.dcm", [roi], reference)
    change(dataset)
    dataset.save_as(tmp_path / "rs.dcm")
    assert not differing([roi], tmp_path / "rs.dcm", reference)


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", b"\0" * 128 + b"DICM" + b"\xff" * 64])
def test_damaged_files_are_refused(tmp_path: Path, reference: ReferenceSeries, content: bytes):
    (tmp_path / "rs.dcm").write_bytes(content)
    assert not is_structure_set(tmp_path / "rs.dcm")
    with pytest.raises(SegmentationError) as caught:
        read_rtstruct(tmp_path / "rs.dcm", reference)
    assert caught.value.code == "SEGMENTATION_UNREADABLE"


def test_a_file_that_was_cut_off_is_never_read_as_less(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    rois = [make_roi(number, f"Shell{number}", shell) for number in range(1, 4)]
    write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    content = (tmp_path / "rs.dcm").read_bytes()
    refused = 0
    for length in range(0, len(content), len(content) // 60):
        (tmp_path / "rs.dcm").write_bytes(content[:length])
        try:
            # whole contours may be there already, without what follows them
            assert not differing(rois, tmp_path / "rs.dcm", reference)
        except SegmentationError as error:
            assert error.code in ("SEGMENTATION_UNREADABLE", "EXPORT_OTHER_CT")
            refused += 1
    assert refused > 50


def test_structures_without_voxels_are_passed_over(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    rois = [make_roi(number, f"Shell{number}", shell) for number in range(1, 5)]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    del dataset.ROIContourSequence[0].ContourSequence
    dataset.ROIContourSequence[1].ContourSequence = dataset.ROIContourSequence[1].ContourSequence[:1]
    dataset.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "POINT"
    dataset.ROIContourSequence[1].ContourSequence[0].ContourData = ["0", "0", "5000"]
    del dataset.ROIContourSequence[2]
    dataset.save_as(tmp_path / "rs.dcm")
    report = ReadingReport()
    assert [structure.name for structure in read_rtstruct(tmp_path / "rs.dcm", reference, report)] == ["Shell4"]
    assert report.warnings() == [
        Problem("STRUCTURE_WITHOUT_VOXELS", {"names": "Shell1, Shell2, Shell3", "count": 3}),
        Problem("CONTOURS_SKIPPED", {"names": "Shell2", "count": 1}),
    ]
    assert is_structure_set(tmp_path / "rs.dcm")


def test_contours_that_leave_the_image_are_cut_at_its_border_and_named(tmp_path: Path, reference: ReferenceSeries):
    mask = ball(AXIAL.shape, (4, 14, 36), 12)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Ball", mask)], reference)
    assert problems_of(tmp_path / "rs.dcm", reference) == []
    shift(dataset, (5 * 0.9, 0, 0))
    dataset.save_as(tmp_path / "rs.dcm")
    (structure,) = read_rtstruct(tmp_path / "rs.dcm", reference)
    assert np.array_equal(structure.mask.whole()[:, :, 5:], mask[:, :, :-5])
    named = {"names": "Ball", "count": 1}
    assert problems_of(tmp_path / "rs.dcm", reference) == [Problem("STRUCTURES_CUT_AT_BORDER", named)]
    shift(dataset, (60.0, 0, 0))
    dataset.save_as(tmp_path / "rs.dcm")
    with pytest.raises(SegmentationError) as caught:
        read_rtstruct(tmp_path / "rs.dcm", reference)
    assert caught.value.code == "CONTOURS_OFF_PLANE"
    assert problems_of(tmp_path / "rs.dcm", reference) == [Problem("STRUCTURES_OUTSIDE_CT", named)]


def problems_of(path: Path, reference: ReferenceSeries) -> list[Problem]:
    report = ReadingReport()
    with suppress(SegmentationError):
        read_rtstruct(path, reference, report)
    return report.warnings()
