"""The contours of one structure of a structure set, on the planes of a CT.

What is odd about them is either reported and read all the same (points and open curves enclose nothing, a contour that
stands there twice counts once, of two that cross the overlap is outside, a misspelled type is understood), or it makes
the structure unreadable: contours beside the planes, or damaged ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.dicom.object import items_of
from TotalSegmentatorEngine.export.dicom.reading_report import (
    DAMAGED,
    NUMBER_SHARED,
    OFF_PLANE,
    OUTSIDE_CT,
    ReadingReport,
)
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.overlapping_contours import do_cross, without_repeats
from TotalSegmentatorEngine.export.rtstruct.rasterising import fill_contours
from TotalSegmentatorEngine.export.rtstruct.roi_items import RoiItems

if TYPE_CHECKING:
    from pydicom import Dataset

OFF_PLANE_MM = 0.1
"""Largest distance of a contour's points from an image plane. Makers round coordinates to 0.01 mm or 0.1 mm; a contour
that lies further away was drawn on other planes, and to move it to the next one would change its volume."""

CUT_PIXELS = 1.0
"""A contour that reaches further than this beyond the centres of the outermost pixels is cut at the image's border;
contours of structures that fill the image run half a pixel outside of them."""

_CLOSED = ("CLOSEDPLANAR", "CLOSEDPLANARXOR")
_OPEN = ("POINT", "OPENPLANAR", "OPENNONPLANAR")
"""Contour Geometric Type, PS3.3 C.8.8.6.1, without what is no letter."""
_SPELLED_RIGHT = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")

_NUMBERS = b"0123456789+-.eE \t\r\n\\"
"""What Contour Data is made of: decimal strings, PS3.5 6.2, in some files broken into lines. NumPy would pass over
zeroed bytes in a number."""

_FEWEST_POINTS = 3

PlaneContours = dict[int, list[np.ndarray]]
"""The closed contours of one structure by plane, each (n, 2) of pixel coordinates (i, j)."""


class UnreadableContoursError(Exception):
    """``code``: one of REASONS; ``error``: what to raise where the file holds nothing else."""

    def __init__(self, code: str, error: SegmentationError) -> None:
        super().__init__(code)
        self.code = code
        self.error = error


def contours_on_planes(roi: RoiItems, reference: ReferenceSeries, report: ReadingReport) -> PlaneContours:
    """Raises UnreadableContoursError for a structure that cannot be read whole."""
    polygons: list[np.ndarray] = []
    of_item: list[int] = []
    for number, item in enumerate(roi.contours):
        found = _polygons(item, roi.name, report)
        polygons += found
        of_item += [number] * len(found)
    if not polygons:
        return {}
    pixels, planes = _placed(polygons, reference)
    by_plane: dict[int, list[int]] = defaultdict(list)
    for position, plane in enumerate(planes):
        by_plane[plane].append(position)
    kept = {plane: _once(positions, pixels, reference) for plane, positions in by_plane.items()}
    repeated = len(pixels) - sum(len(positions) for positions in kept.values())
    if repeated:
        report.note("CONTOURS_REPEATED", roi.name, repeated)
    if len(set(of_item)) > 1:
        _check_apart(kept, pixels, of_item, reference, roi.name)
        report.note("STRUCTURES_JOINED", roi.name)
    contours = {plane: [pixels[position] for position in positions] for plane, positions in kept.items()}
    if any(do_cross(polygons, reference.grid.shape[1:]) for polygons in contours.values()):
        report.note("CONTOURS_CROSS", roi.name)
    return contours


def reaches_beyond(contours: PlaneContours, reference: ReferenceSeries) -> bool:
    """True where a contour leaves the image within its plane, so that it is cut there."""
    largest = np.array([reference.columns, reference.rows]) - 1 + CUT_PIXELS
    polygons = (polygon for polygons in contours.values() for polygon in polygons)
    return any((polygon < -CUT_PIXELS).any() or (polygon > largest).any() for polygon in polygons)


# -- items -------------------------------------------------------------------------------------------------------------


def _polygons(roi: Dataset, name: str, report: ReadingReport) -> list[np.ndarray]:
    """Points (n, 3), LPS in mm, of the contours that enclose an area."""
    polygons = []
    for item in items_of(roi, "ContourSequence"):
        stated = str(item.get("ContourGeometricType") or "").strip()
        kind = re.sub(r"[^A-Z]", "", stated.upper())
        points = None if kind in _OPEN else _points(item)
        if points is None or _is_line(points):
            report.note("CONTOURS_SKIPPED", name)
            continue
        if kind and kind not in _CLOSED:
            raise UnreadableContoursError(DAMAGED, _damage("a contour is of an unknown kind"))
        if stated not in _SPELLED_RIGHT:
            report.note("CONTOURS_TAKEN_AS_CLOSED", name)
        polygons.append(points)
    return polygons


def _is_line(points: np.ndarray) -> bool:
    """True for a contour of fewer than three different points; a longer one is not looked at: it would take time, and
    what encloses nothing fills nothing."""
    return len(points) < _FEWEST_POINTS or (
        len(points) <= _FEWEST_POINTS + 1 and len(np.unique(points, axis=0)) < _FEWEST_POINTS
    )


def _points(item: Dataset) -> np.ndarray:
    """LPS in mm, (n, 3). Parsed from the bytes: pydicom would make an object of each of millions of numbers."""
    element = item.get_item("ContourData") if "ContourData" in item else None
    value = None if element is None else element.value
    try:
        if isinstance(value, bytes):
            if 0 <= getattr(element, "length", 0) < 0xFFFFFFFF and len(value) != element.length:
                raise ValueError("cut off")
            value = value.rstrip(b" \0")
            if value.translate(None, _NUMBERS):
                raise ValueError("no decimal strings")
            value = value.split(b"\\") if value else []
        numbers = np.array([] if value is None else value, dtype=np.float64)
        points = numbers.reshape(-1, 3)
    except (TypeError, ValueError):
        raise UnreadableContoursError(DAMAGED, _damage("a contour's coordinates are damaged")) from None
    if not np.isfinite(points).all() or not _has_stated_count(item, len(points)):
        raise UnreadableContoursError(DAMAGED, _damage("a contour's coordinates are damaged"))
    return points


def _has_stated_count(item: Dataset, count: int) -> bool:
    """Number of Contour Points says how many there are; where it contradicts them, some may be missing."""
    try:
        stated = item.get("NumberOfContourPoints")
        return stated is None or str(stated).strip() == "" or int(stated) == count
    except (TypeError, ValueError, OverflowError):
        return False


def _damage(detail: str) -> SegmentationError:
    return SegmentationError("SEGMENTATION_UNREADABLE", detail=detail)


# -- planes ------------------------------------------------------------------------------------------------------------


def _placed(polygons: list[np.ndarray], reference: ReferenceSeries) -> tuple[list[np.ndarray], list[int]]:
    """Pixel coordinates (n, 2: i, j) of each polygon, and the plane on which it lies."""
    pixels, along_normal = reference.pixels_of(np.concatenate(polygons))
    ends = np.cumsum([len(points) for points in polygons])[:-1]
    planes = reference.plane_distances
    outside = max(OFF_PLANE_MM, reference.grid.spacing[2] / 2)  # half a slice is still its place
    lowest, highest = planes.min() - outside, planes.max() + outside
    on_planes: list[int] = []
    beyond = between = 0
    for heights in np.split(along_normal, ends):
        plane = int(np.abs(planes - heights[0]).argmin())
        on_planes.append(plane)
        if np.abs(heights - planes[plane]).max() <= OFF_PLANE_MM:
            continue
        if heights.max() < lowest or heights.min() > highest:
            beyond += 1
        else:
            between += 1
    if beyond or between:
        error = SegmentationError("CONTOURS_OFF_PLANE", count=beyond + between)
        raise UnreadableContoursError(OFF_PLANE if between else OUTSIDE_CT, error)
    return np.split(pixels, ends), on_planes


def _once(positions: list[int], pixels: list[np.ndarray], reference: ReferenceSeries) -> list[int]:
    """Those contours of one plane that are no repetition of another one."""
    kept = without_repeats([pixels[position] for position in positions], reference.pixel_spacing)
    return [positions[number] for number in kept]


def _check_apart(
    kept: dict[int, list[int]], pixels: list[np.ndarray], of_item: list[int], reference: ReferenceSeries, name: str
) -> None:
    """Contours of one number in several items are one structure where they lie beside each other; where they overlap,
    they can as well be two structures, or a hole."""
    for positions in kept.values():
        covered = np.zeros(reference.grid.shape[1:], dtype=bool)
        for item in {of_item[position] for position in positions}:
            own = [pixels[position] for position in positions if of_item[position] == item]
            inside = fill_contours(own, covered.shape)
            if (covered & inside).any():
                raise UnreadableContoursError(NUMBER_SHARED, SegmentationError("EXPORT_NUMBERS_SHARED", names=name))
            covered |= inside
