"""A CT series with a segmentation on it, and the command ``export`` on both."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from export_support import write_ct_series
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG
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


def error_code(capsys: pytest.CaptureFixture) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error ")]
    return lines[-1].split()[1].rstrip(":") if lines else ""


def spoiled_ct(case: Case, change) -> Path:
    """A copy of the CT with ``change`` applied to each file (dataset, number of the slice)."""
    folder = case.folder / "spoiled"
    shutil.copytree(case.ct, folder)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        change(dataset, int(dataset.InstanceNumber) - 1)
        dataset.save_as(path)
    return folder


def no_frame(dataset, number: int) -> None:
    dataset.FrameOfReferenceUID = ""
