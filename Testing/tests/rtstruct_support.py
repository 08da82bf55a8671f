"""Structures, CT series and judges for the tests of structure sets."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from TotalSegmentatorExport.roi import Code, Roi, RoiCodes
from TotalSegmentatorExport.voxel_mask import VoxelMask
from TotalSegmentatorWire.review_state import ReviewState

KIDNEY_RIGHT = RoiCodes(
    category=Code("SCT", "123037004", "Anatomical Structure"),
    type=Code("SCT", "64033007", "Kidney"),
    modifier=Code("SCT", "24028007", "Right"),
    fma=Code("FMA", "7204", "Right kidney"),
)


def make_roi(number: int, name: str, voxels: np.ndarray | VoxelMask, **fields) -> Roi:
    """A structure whose voxels (k, j, i) cover the whole grid; ``fields`` replace the usual ones."""
    mask = voxels if isinstance(voxels, VoxelMask) else VoxelMask.cropped(voxels)
    usual = {
        "description": "TotalSegmentator 104 3mm 0.1.0",
        "colour": (200, 100, 50),
        "interpreted_type": "ORGAN",
        "algorithm": "AUTOMATIC",
        "algorithm_name": "TotalSegmentatorModule",
        "codes": KIDNEY_RIGHT,
        "review_state": ReviewState.UNREVIEWED,
        "is_cut": False,
        "sources": (name,),
    }
    return Roi(number=number, name=name, voxels=lambda: mask, **(usual | fields))


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """bool (k, j, i) of the voxels within ``radius`` voxels of ``centre``."""
    grids = np.ogrid[tuple(slice(0, size) for size in shape)]
    return sum((grid - middle) ** 2 for grid, middle in zip(grids, centre, strict=True)) <= radius**2


def contours_of(dataset: Dataset) -> Iterator[tuple[Dataset, np.ndarray]]:
    """Each contour's item with its points (n, 3) in LPS, mm."""
    for roi in dataset.ROIContourSequence:
        for contour in roi.ContourSequence:
            yield contour, np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)


def read(path: Path) -> Dataset:
    return pydicom.dcmread(path)


def conformance_errors(path: Path) -> set[str]:
    """What dciodvfy calls an error in the file; skips the test where that program is not installed."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    result = subprocess.run([program, str(path)], capture_output=True, check=False)
    output = (result.stdout + result.stderr).decode("utf-8", "replace")
    return {line for line in output.splitlines() if line.startswith("Error")}
