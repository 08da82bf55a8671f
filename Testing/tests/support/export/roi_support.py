"""Structures for the tests of what goes into the archive: an odd body on a small CT, without a segmentation behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_support import in_position, write_ct_series
from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_state import ReviewState

ENCODINGS = ("binary", "labelmap")
SHAPE = (7, 19, 22)  # k, j, i; 19 x 22 pixels are no whole number of bytes
RAS_GRID = np.array([[0.7, 0, 0, -20.0], [0, 0.9, 0, 35.5], [0, 0, 2.5, 110.25], [0, 0, 0, 1.0]])
LEFT_KIDNEY = RoiCodes(
    category=Code("SCT", "123037004", "Anatomical Structure"),
    type=Code("SCT", "64033007", "Kidney"),
    modifier=Code("SCT", "7771000", "Left"),
)


def kidney(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """bool (k, j, i): a lump, lopsided along every axis, with a hole; plane 0 is empty."""
    k, j, i = np.indices(shape)
    lump = ((k - 3.2) / 2.4) ** 2 + ((j - 8) / 5.5) ** 2 + ((i - 7) / 5) ** 2 < 1
    lump[3, 8, 7] = False
    lump[2, 3, 15] = True
    return lump


def tumour(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Overlaps the kidney and touches the border of the image."""
    mask = np.zeros(shape, bool)
    mask[3:6, 9:19, 9:22] = True
    mask[4, 12:14, 12:15] = False
    return mask


def a_roi(number: int, name: str, mask: np.ndarray, **changes) -> Roi:
    values = {
        "number": number,
        "name": name,
        "description": "104-1.5mm, version 0.1.0",
        "colour": (200, 100, 50),
        "interpreted_type": "ORGAN",
        "algorithm": "AUTOMATIC",
        "algorithm_name": "TotalSegmentatorModule",
        "codes": None,
        "review_state": ReviewState.UNREVIEWED,
        "is_cut": False,
        "sources": (name.lower(),),
        "voxels": lambda: VoxelMask.cropped(mask),
    }
    return Roi(**{**values, **changes})


def two_rois(shape: tuple[int, int, int] = SHAPE, overlapping: bool = True) -> list[Roi]:
    """A segmented kidney and a tumour that somebody drew."""
    lump = tumour(shape) if overlapping else tumour(shape) & ~kidney(shape)
    drawn = {"algorithm": "MANUAL", "algorithm_name": "", "review_state": ReviewState.APPROVED, "is_cut": True}
    return [
        a_roi(1, "Kidney_L", kidney(shape), codes=LEFT_KIDNEY),
        a_roi(2, "GTV", lump, colour=(0, 255, 0), sources=("Segment_1",), **drawn),
    ]


def a_reference(folder: Path, position: str = "HFS", grid: np.ndarray = RAS_GRID, **attributes) -> ReferenceSeries:
    """A CT series of air, ``SHAPE`` on ``grid`` but for the order of its voxels, which is that of ``position``."""
    air, geometry = in_position(np.full(SHAPE, -1000, np.int16), Geometry(SHAPE, grid), position)
    return read_reference(write_ct_series(folder, air, geometry, position, **attributes))


def whole_masks(rois: list[Roi]) -> list[np.ndarray]:
    return [roi.voxels().whole() for roi in rois]


def at_steps(reference: ReferenceSeries, steps: list[float]) -> ReferenceSeries:
    """The same planes at other distances."""
    heights = np.cumsum([0.0, *steps])
    start = reference.planes[0].position
    planes = [
        replace(plane, position=start + height * reference.normal)
        for plane, height in zip(reference.planes, heights, strict=True)
    ]
    return replace(reference, planes=tuple(planes), irregular=differing(min(steps), max(steps)))


def differing(smallest: float, largest: float) -> SegmentationError:
    return SegmentationError("INPUT_IRREGULAR_SLICES", smallest_mm=smallest, largest_mm=largest)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(SegmentationError) as caught:
        action()
    assert "{" not in caught.value.problem.what + caught.value.problem.todo
    return caught.value.code


def rois_for(encoding: str, shape: tuple[int, int, int] = SHAPE) -> list[Roi]:
    """Structures that the encoding can hold."""
    return two_rois(shape, overlapping=encoding == "binary")


def assert_same_masks(read: list[ReadStructure], rois: list[Roi]) -> None:
    assert [(structure.number, structure.name) for structure in read] == [(roi.number, roi.name) for roi in rois]
    for structure, mask in zip(read, whole_masks(rois), strict=True):
        np.testing.assert_array_equal(structure.mask.whole(), mask)
