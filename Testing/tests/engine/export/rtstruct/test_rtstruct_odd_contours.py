"""Contours of others that are there twice, misspelled, open or damaged: what is done with them is said by name."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from rtstruct_changes import BALLS, FIRST, SHAPE, THIRD, Change, Reading, contours, points_of, set_points
from rtstruct_support import ball, hollow_ball, make_roi, written
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions
from TotalSegmentatorWire.errors.problem import SegmentationError

# -- contours that are there twice -------------------------------------------------------------------------------------


def with_middles(points: np.ndarray) -> np.ndarray:
    middles = (points + np.roll(points, -1, axis=0)) / 2
    return np.stack([points, middles], axis=1).reshape(-1, 3)


SAME = {
    "as it is": lambda points: points,
    "reversed": lambda points: points[::-1],
    "from another point": lambda points: np.roll(points, 5, axis=0),
    "closed again": lambda points: np.concatenate([points, points[:1]]),
    "with points between": with_middles,
    "rounded": lambda points: np.round(points, 1) * [1, 1, 0] + points * [0, 0, 1],
    "moved by rounding": lambda points: points + np.array([0.04, -0.04, 0]),
}


@pytest.mark.parametrize("way", SAME)
@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_contour_that_is_there_twice_counts_once(read, way: str, kind: str):
    def change(dataset: Dataset) -> None:
        for contour in list(contours(dataset, 0)):
            again = copy.deepcopy(contour)
            set_points(again, SAME[way](points_of(contour)), 3)
            again.ContourGeometricType = contour.ContourGeometricType = kind
            contours(dataset, 0).append(again)

    found = read(change)
    found.assert_read(**BALLS)
    assert found.said == {"CONTOURS_REPEATED": "A"}


def test_a_contour_that_is_there_three_times_and_in_another_item_counts_once(read):
    def change(dataset: Dataset) -> None:
        contours(dataset, 0).append(copy.deepcopy(contours(dataset, 0)[2]))
        contours(dataset, 0).append(copy.deepcopy(contours(dataset, 0)[2]))
        dataset.ROIContourSequence.append(copy.deepcopy(dataset.ROIContourSequence[0]))

    found = read(change)
    found.assert_read(**BALLS)
    assert found.said["CONTOURS_REPEATED"] == "A"


@pytest.mark.parametrize("holes", ["keyhole", "xor"])
def test_holes_and_islands_are_no_repetitions(tmp_path: Path, reference: ReferenceSeries, holes: str):
    options = StructureSetOptions(contours=ContourOptions(holes))
    mask = hollow_ball()
    shell = ball(SHAPE, (4, 14, 19), 6) & ~ball(SHAPE, (4, 14, 19), 5)  # one pixel thick
    for voxels in (mask, shell):
        written(tmp_path / "rs.dcm", [make_roi(1, "Shell", voxels)], reference, options)
        report = ReadingReport()
        (structure,) = read_rtstruct(tmp_path / "rs.dcm", reference, report)
        np.testing.assert_array_equal(structure.mask.whole(), voxels)
        assert report.warnings() == []


def test_contours_that_cross_are_said(read):
    """A copy that was moved by two pixels is no repetition; its overlap with the first is outside, by the rule."""

    def change(dataset: Dataset) -> None:
        again = copy.deepcopy(contours(dataset, 0)[4])
        set_points(again, points_of(again) + np.array([1.8, 0, 0]))
        contours(dataset, 0).append(again)

    found = read(change)
    assert found.said == {"CONTOURS_CROSS": "A"}
    assert found.masks[0][1].sum() != FIRST.sum()


# -- odd contours ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["closed_planar", "CLOSED PLANAR", "Closed_Planar", "", "closedplanar_xor", None])
def test_a_misspelled_type_is_understood_and_said(read, kind: str | None):
    def change(dataset: Dataset) -> None:
        for contour in contours(dataset, 1):
            contour.ContourGeometricType = kind or ""
            if kind is None:
                del contour.ContourGeometricType

    found = read(change)
    found.assert_read(**BALLS)
    assert found.said == {"CONTOURS_TAKEN_AS_CLOSED": "B"}


def test_an_unknown_type_leaves_the_structure_out(read):
    def change(dataset: Dataset) -> None:
        contours(dataset, 1)[0].ContourGeometricType = "FILLED"

    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_DAMAGED": "B"}


def add_point(dataset: Dataset) -> Dataset:
    extra = copy.deepcopy(contours(dataset, 1)[0])
    contours(dataset, 1).append(extra)
    return extra


def two_points(dataset: Dataset) -> None:
    extra = add_point(dataset)
    set_points(extra, points_of(extra)[:2])


def there_and_back(dataset: Dataset) -> None:
    extra = add_point(dataset)
    set_points(extra, points_of(extra)[[0, 1, 0]])


def open_curve(dataset: Dataset) -> None:
    add_point(dataset).ContourGeometricType = "open_planar"


def no_data(dataset: Dataset) -> None:
    extra = add_point(dataset)
    del extra.ContourData, extra.NumberOfContourPoints


def empty_data(dataset: Dataset) -> None:
    extra = add_point(dataset)
    extra.ContourData, extra.NumberOfContourPoints = [], 0


@pytest.mark.parametrize("change", [two_points, there_and_back, open_curve, no_data, empty_data])
def test_what_encloses_nothing_is_skipped_and_said(read, change: Change):
    found = read(change)
    found.assert_read(**BALLS)
    assert found.said == {"CONTOURS_SKIPPED": "B"}


def not_a_number(dataset: Dataset) -> None:
    points = points_of(contours(dataset, 1)[0])
    contours(dataset, 1)[0].ContourData = ["nan", *(f"{value:.2f}" for value in points.ravel()[1:])]


def infinite(dataset: Dataset) -> None:
    points = points_of(contours(dataset, 1)[0])
    contours(dataset, 1)[0].ContourData = ["1e999", *(f"{value:.2f}" for value in points.ravel()[1:])]


def one_number_less(dataset: Dataset) -> None:
    contours(dataset, 1)[0].ContourData = contours(dataset, 1)[0].ContourData[:-1]


def points_missing(dataset: Dataset) -> None:
    contours(dataset, 1)[0].ContourData = contours(dataset, 1)[0].ContourData[:-9]


def no_points_left(dataset: Dataset) -> None:
    contours(dataset, 1)[0].ContourData = []


def data_missing(dataset: Dataset) -> None:
    del contours(dataset, 1)[0].ContourData


def test_a_zeroed_byte_in_a_number_leaves_the_structure_out(tmp_path: Path, reference: ReferenceSeries):
    found = Reading(tmp_path, reference, lambda dataset: None)
    content = bytearray(found.path.read_bytes())
    place = content.index(b".", content.index(b"CLOSED_PLANAR") + 30) - 1  # a digit of A's first contour
    content[place] = 0
    found.path.write_bytes(bytes(content))
    report = ReadingReport()
    assert [structure.name for structure in read_rtstruct(found.path, reference, report)] == ["B", "C"]
    assert [(problem.code, problem.values["names"]) for problem in report.warnings()] == [("STRUCTURES_DAMAGED", "A")]


@pytest.mark.parametrize(
    "change", [not_a_number, infinite, one_number_less, points_missing, no_points_left, data_missing]
)
def test_damaged_contours_leave_the_structure_out(read, change: Change):
    found = read(change)
    found.assert_read(A=FIRST, C=THIRD)
    assert found.said == {"STRUCTURES_DAMAGED": "B"}


def test_a_damaged_colour_does_no_harm(read):
    def change(dataset: Dataset) -> None:
        dataset.ROIContourSequence[1].ROIDisplayColor = [300, -1, 5]
        del dataset.ROIContourSequence[2].ROIDisplayColor

    read(change).assert_read(**BALLS)


def test_zeroed_blocks_never_change_voxels_without_a_word(tmp_path: Path, reference: ReferenceSeries):
    """Changed digits cannot be noticed; missing ones are: the structure is refused, left out or named."""
    found = Reading(tmp_path, reference, lambda dataset: None)
    content = found.path.read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(120):
        start, length = int(random.integers(400, len(content))), int(random.integers(1, 80))
        found.path.write_bytes(content[:start] + bytes(min(length, len(content) - start)) + content[start + length :])
        report = ReadingReport()
        try:
            read = read_rtstruct(found.path, reference, report)
        except SegmentationError:
            refused += 1
            continue
        named = ", ".join(problem.values["names"] for problem in report.warnings())
        for structure in read:
            if structure.name in BALLS and structure.name not in named.split(", "):
                np.testing.assert_array_equal(structure.mask.whole(), BALLS[structure.name], f"block at {start}")
    assert refused < 120
