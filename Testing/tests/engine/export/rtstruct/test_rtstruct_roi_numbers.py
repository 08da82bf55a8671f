"""Structure sets in which numbers are no keys: structures are told apart, joined or left out, and said by name."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from rtstruct_changes import BALLS, FIRST, THIRD, Reading, points_of, set_points
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct


def share_numbers(dataset: Dataset) -> None:
    dataset.StructureSetROISequence[1].ROINumber = 1
    dataset.ROIContourSequence[1].ReferencedROINumber = 1
    dataset.RTROIObservationsSequence[1].ReferencedROINumber = 1


def test_structures_that_share_a_number_are_told_apart_by_their_order(read):
    found = read(share_numbers)
    found.assert_read(**BALLS)
    assert found.said == {"STRUCTURES_TOLD_APART": "A, B"}


@pytest.mark.parametrize("kind", ["one without contours", "another order"])
def test_structures_that_share_a_number_and_cannot_be_told_apart_are_left_out(read, kind: str):
    def change(dataset: Dataset) -> None:
        share_numbers(dataset)
        if kind == "another order":
            dataset.ROIContourSequence = [dataset.ROIContourSequence[n] for n in (2, 0, 1)]
        else:
            del dataset.ROIContourSequence[0]

    found = read(change)
    found.assert_read(C=THIRD)
    assert found.said == {"STRUCTURES_NUMBER_SHARED": "A, B"}


def test_where_all_share_a_number_and_cannot_be_told_apart_the_file_is_refused(read):
    def change(dataset: Dataset) -> None:
        for item in dataset.StructureSetROISequence:
            item.ROINumber = 7
        for item in dataset.ROIContourSequence:
            item.ReferencedROINumber = 7
        del dataset.ROIContourSequence[1]

    found = read(change)
    assert found.error == "EXPORT_NUMBERS_SHARED"
    assert found.said == {"STRUCTURES_NUMBER_SHARED": "A, B, C"}


def test_a_structure_that_is_listed_twice_is_one(read):
    def change(dataset: Dataset) -> None:
        dataset.StructureSetROISequence.append(copy.deepcopy(dataset.StructureSetROISequence[0]))

    found = read(change)
    found.assert_read(**BALLS)
    assert found.said == {"STRUCTURES_JOINED": "A"}


def split_contours(dataset: Dataset) -> None:
    rest = copy.deepcopy(dataset.ROIContourSequence[1])
    half = len(rest.ContourSequence) // 2
    rest.ContourSequence = rest.ContourSequence[half:]
    dataset.ROIContourSequence[1].ContourSequence = dataset.ROIContourSequence[1].ContourSequence[:half]
    dataset.ROIContourSequence.append(rest)


def test_contours_of_one_structure_in_two_items_are_joined(read):
    found = read(split_contours)
    found.assert_read(**BALLS)
    assert found.said == {"STRUCTURES_JOINED": "B"}


def test_contours_of_one_number_that_overlap_are_left_out(read):
    """They can be two structures, or one with a hole."""

    def change(dataset: Dataset) -> None:
        dataset.ROIContourSequence.append(copy.deepcopy(dataset.ROIContourSequence[1]))
        for contour in dataset.ROIContourSequence[-1].ContourSequence:
            set_points(contour, points_of(contour) + np.array([3.0, 0, 0]))

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_NUMBER_SHARED": "B"}


def test_contours_without_a_structure_are_counted(read):
    def change(dataset: Dataset) -> None:
        dataset.ROIContourSequence[1].ReferencedROINumber = 99

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert set(found.said) == {"CONTOURS_WITHOUT_STRUCTURE", "STRUCTURE_WITHOUT_VOXELS"}
    assert found.said["STRUCTURE_WITHOUT_VOXELS"] == "B"


def test_a_structure_without_a_number_is_left_out(read):
    def change(dataset: Dataset) -> None:
        del dataset.StructureSetROISequence[1].ROINumber

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said["STRUCTURES_DAMAGED"] == "B"


@pytest.mark.parametrize("types", [("ORGAN", "ORGAN"), ("PTV", "ORGAN"), ("", "CTV")])
def test_contradictory_observations_give_no_type(tmp_path: Path, reference: ReferenceSeries, types: tuple[str, str]):
    def change(dataset: Dataset) -> None:
        dataset.RTROIObservationsSequence.append(copy.deepcopy(dataset.RTROIObservationsSequence[0]))
        for item, kind in zip((dataset.RTROIObservationsSequence[n] for n in (0, -1)), types, strict=True):
            item.RTROIInterpretedType = kind

    found = Reading(tmp_path, reference, change)
    read = read_rtstruct(found.path, reference)[0].interpreted_type
    stated = {kind for kind in types if kind}
    assert read == ("" if len(stated) > 1 else stated.pop())
    assert found.said == ({"STRUCTURES_TYPE_CONTRADICTED": "A"} if types[0] == "PTV" else {})
