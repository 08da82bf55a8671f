"""Structures beside the planes or of another frame of reference are left out by name, the others are read."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from rtstruct_changes import BALLS, FIRST, THIRD, Reading, contours, points_of, set_points
from rtstruct_support import contours_of
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorWire.errors.problem import SegmentationError


@pytest.mark.parametrize(
    ("offset", "number", "code"),
    [(1.25, 0, "STRUCTURES_OFF_PLANE"), (0.2, -1, "STRUCTURES_OFF_PLANE"), (500.0, 3, "STRUCTURES_OUTSIDE_CT")],
)
def test_one_contour_beside_the_planes_leaves_the_structure_out(read, offset: float, number: int, code: str):
    def change(dataset: Dataset) -> None:
        contour = contours(dataset, 1)[number]
        set_points(contour, points_of(contour) + np.array([0, 0, offset]), 3)

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {code: "B"}


def test_a_contour_that_is_not_flat_leaves_the_structure_out(read):
    def change(dataset: Dataset) -> None:
        points = points_of(contours(dataset, 1)[2])
        points[3:6, 2] += 1.0
        set_points(contours(dataset, 1)[2], points)

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_OFF_PLANE": "B"}


def drop_images(dataset: Dataset) -> None:
    """As many programs write it: no images are listed, and contours name none."""
    for item in dataset.ReferencedFrameOfReferenceSequence:
        if "RTReferencedStudySequence" in item:
            del item.RTReferencedStudySequence
    for contour, _ in contours_of(dataset):
        if "ContourImageSequence" in contour:
            del contour.ContourImageSequence


def another_frame(dataset: Dataset, uid: str = "1.2.3.4") -> Dataset:
    item = Dataset()
    item.FrameOfReferenceUID = uid
    dataset.ReferencedFrameOfReferenceSequence.append(item)
    return item


@pytest.mark.parametrize("with_images", [True, False])
def test_a_structure_of_another_frame_is_left_out(read, with_images: bool):
    """Even where its contours name the CT's images: what contradicts itself is not placed."""

    def change(dataset: Dataset) -> None:
        if not with_images:
            drop_images(dataset)
        another_frame(dataset)
        dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3.4"

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_OTHER_FRAME": "B"}


def test_a_structure_that_says_no_frame_where_there_are_two_is_left_out(read):
    def change(dataset: Dataset) -> None:
        drop_images(dataset)
        another_frame(dataset)
        del dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_OTHER_FRAME": "B"}


def test_a_structure_that_says_no_frame_is_known_by_its_images(read):
    def change(dataset: Dataset) -> None:
        another_frame(dataset)
        for item in dataset.StructureSetROISequence:
            del item.ReferencedFrameOfReferenceUID

    found = read(change)
    found.assert_read(**BALLS)
    assert found.said == {}


def test_images_of_another_frame_contradict_the_structures_own(read):
    def change(dataset: Dataset) -> None:
        study, series, image = Dataset(), Dataset(), Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4.5"
        series.SeriesInstanceUID, series.ContourImageSequence = "1.2.3.4.6", [image]
        study.RTReferencedSeriesSequence = [series]
        another_frame(dataset).RTReferencedStudySequence = [study]
        for contour in contours(dataset, 1):
            contour.ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5"

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_OTHER_FRAME": "B"}


def test_images_that_are_not_of_the_ct_are_said(read):
    def change(dataset: Dataset) -> None:
        for contour in contours(dataset, 1):
            contour.ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5"

    found = read(change)
    found.assert_read(**BALLS)
    assert found.said == {"STRUCTURES_OTHER_IMAGES": "B"}


def test_a_file_that_says_nothing_about_its_images_is_read_with_a_warning(read):
    def change(dataset: Dataset) -> None:
        drop_images(dataset)
        del dataset.ReferencedFrameOfReferenceSequence
        for item in (dataset, *dataset.StructureSetROISequence):
            for name in ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID"):
                if name in item:
                    delattr(item, name)

    found = read(change)
    found.assert_read(**BALLS)
    assert set(found.said) == {"EXPORT_ORIGIN_UNSTATED"}


# -- what is said ------------------------------------------------------------------------------------------------------


def test_many_names_are_abbreviated(read):
    def change(dataset: Dataset) -> None:
        for number in range(20):
            item = copy.deepcopy(dataset.StructureSetROISequence[0])
            item.ROINumber, item.ROIName = 100 + number, f"Empty {number}" + " and a very long name" * (number == 0)
            dataset.StructureSetROISequence.append(item)

    said = read(change).said["STRUCTURE_WITHOUT_VOXELS"]
    assert said == "Empty 0 and a very long name, Empty 1, Empty 2, Empty 3, Empty 4, Empty 5 and 14 more"


def test_a_file_that_was_cut_off_is_refused_and_not_read_as_less(tmp_path: Path, reference: ReferenceSeries):
    """Also where the cut leaves whole contours and structures before it."""
    found = Reading(tmp_path, reference, lambda dataset: None)
    content = found.path.read_bytes()
    for length in range(len(content) // 3, len(content), 997):
        found.path.write_bytes(content[:length])
        report = ReadingReport()
        with pytest.raises(SegmentationError):
            read_rtstruct(found.path, reference, report)
