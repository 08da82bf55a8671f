"""What is read of a structure set of three balls after somebody has changed it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import Dataset, Sequence
from rtstruct_support import AXIAL, ball, make_roi, written
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorWire.errors.problem import SegmentationError

SHAPE = AXIAL.shape
FIRST, SECOND, THIRD = (ball(SHAPE, (4, 14, i), 5) for i in (8, 20, 32))
"""Three balls beside each other."""

Change = Callable[[Dataset], None]


class Reading:
    """What is read of a structure set of three balls, A, B and C, after a change."""

    def __init__(self, folder: Path, reference: ReferenceSeries, change: Change) -> None:
        self.path = folder / "rs.dcm"
        rois = [make_roi(number, name, mask) for number, (name, mask) in enumerate(BALLS.items(), start=1)]
        dataset = written(self.path, rois, reference)
        change(dataset)
        dataset.save_as(self.path)
        report = ReadingReport()
        self.error = ""
        self.masks: list[tuple[str, np.ndarray]] = []
        try:
            read = read_rtstruct(self.path, reference, report)
            self.masks = [(structure.name, structure.mask.whole()) for structure in read]
        except SegmentationError as error:
            self.error = error.code
        self.said = {problem.code: problem.values["names"] for problem in report.warnings()}
        assert not any("{" in problem.what + problem.todo for problem in report.warnings())

    def assert_read(self, **masks: np.ndarray) -> None:
        assert self.error == ""
        assert [name for name, _ in self.masks] == list(masks)
        for name, found in self.masks:
            np.testing.assert_array_equal(found, masks[name], name)


BALLS = {"A": FIRST, "B": SECOND, "C": THIRD}


def contours(dataset: Dataset, number: int) -> Sequence:
    return dataset.ROIContourSequence[number].ContourSequence


def points_of(contour: Dataset) -> np.ndarray:
    return np.array(contour.ContourData, dtype=float).reshape(-1, 3)


def set_points(contour: Dataset, points: np.ndarray, digits: int = 2) -> None:
    contour.ContourData = [f"{value:.{digits}f}" for value in np.ravel(points)]
    contour.NumberOfContourPoints = len(points)
