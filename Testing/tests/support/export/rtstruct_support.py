"""Structures, CT series and judges for the tests of structure sets."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from export_support import write_ct_series
from pydicom import Dataset
from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorEngine.imaging.geometry import Geometry, geometry_from_lps
from TotalSegmentatorWire.tables.review_state import ReviewState

AXIAL = geometry_from_lps((9, 30, 40), (0.9, 1.1, 2.5), (1, 0, 0, 0, 1, 0, 0, 0, 1), (-17.123, 30.5, -881.325))
"""The grid of the small CTs."""

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


def hollow_ball() -> np.ndarray:
    """A structure on AXIAL with a hole on most of its planes, and an island in the hole."""
    outside = ball(AXIAL.shape, (4, 14, 19), 11)
    return outside & ~ball(AXIAL.shape, (4, 14, 19), 7) | ball(AXIAL.shape, (4, 14, 19), 2)


def reference_on(folder: Path, geometry: Geometry = AXIAL, **attributes) -> ReferenceSeries:
    """A CT series of zeros."""
    return read_reference(write_ct_series(folder, np.zeros(geometry.shape, np.int16), geometry, **attributes))


def written(
    path: Path, rois: list[Roi], reference: ReferenceSeries, options: StructureSetOptions | None = None
) -> Dataset:
    write_rtstruct(path, rois, reference, options)
    return read(path)


def differing(rois: list[Roi], path: Path, reference: ReferenceSeries) -> dict[str, int]:
    """Voxels by structure that are not the same when the file is read back."""
    back = {structure.number: structure for structure in read_rtstruct(path, reference)}
    assert [back[roi.number].name for roi in rois] == [roi.name for roi in rois]
    counts = {roi.name: _difference(roi.voxels(), back[roi.number].mask) for roi in rois}
    return {name: count for name, count in counts.items() if count}


def _difference(one: VoxelMask, other: VoxelMask) -> int:
    if one.start == other.start and one.voxels.shape == other.voxels.shape:
        return int(np.count_nonzero(one.voxels != other.voxels))
    return int(np.count_nonzero(one.whole() != other.whole()))


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
