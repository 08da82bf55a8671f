"""The contours of a structure as the bytes of DICOM's Contour Sequence.

A structure set can have tens of thousands of contours with millions of numbers. One Python object per number, as a
general DICOM library makes, takes minutes; here a contour is turned into its text at once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from TotalSegmentatorEngine.export.dicom.reference_series import Plane, ReferenceSeries
from TotalSegmentatorEngine.export.dicom.text import decimal_string

COORDINATE_DIGITS = 2
"""Contours are written to 0.01 mm: no planning system draws finer, and a value stays within 16 bytes."""

CLOSED_PLANAR = "CLOSED_PLANAR"
CLOSED_PLANAR_XOR = "CLOSEDPLANAR_XOR"
"""Contour Geometric Type, PS3.3 C.8.8.6.1."""

_ITEM = 0xFFFEE000
_CONTOUR_IMAGE_SEQUENCE = 0x30060016
_CONTOUR_GEOMETRIC_TYPE = 0x30060042
_NUMBER_OF_CONTOUR_POINTS = 0x30060046
_CONTOUR_NUMBER = 0x30060048
_CONTOUR_DATA = 0x30060050
_REFERENCED_SOP_CLASS_UID = 0x00081150
_REFERENCED_SOP_INSTANCE_UID = 0x00081155
_REFERENCED_FRAME_NUMBER = 0x00081160

_FEWEST_POINTS = 3


class ContourWriter:
    """Turns contours on the planes of one CT into items of Contour Sequence, Implicit VR Little Endian (PS3.5 7.1.3).

    >>> writer = ContourWriter(reference)
    >>> triangle = np.array([[3.5, 4.0], [4.0, 3.5], [4.0, 4.0]])
    >>> writer.item(plane=12, points=triangle, number=1, kind=CLOSED_PLANAR)
    """

    def __init__(self, reference: ReferenceSeries) -> None:
        self._reference = reference
        self._digits = coordinate_digits(reference)
        self._unit = 10.0**-self._digits
        self._constant_axes = _constant_axes(reference, self._unit)
        self._texts: dict[int, str] = {}
        self._images: dict[int, bytes] = {}

    def item(self, plane: int, points: np.ndarray, number: int, kind: str) -> tuple[bytes, int] | None:
        """The item and its number of points; ``points`` (n, 2) are pixel coordinates (i, j).

        None for a contour that rounding leaves with fewer than three different points.
        """
        steps = self._rounded(plane, points)
        if steps is None:
            return None
        content = b"".join(
            (
                self._image(plane),
                element(_CONTOUR_GEOMETRIC_TYPE, kind),
                element(_NUMBER_OF_CONTOUR_POINTS, str(len(steps))),
                element(_CONTOUR_NUMBER, str(number)),
                element(_CONTOUR_DATA, self._text(plane, steps)),
            )
        )
        return item(content), len(steps)

    def _rounded(self, plane: int, points: np.ndarray) -> np.ndarray | None:
        """LPS in units of the last digit (n, 3), without points equal to the one before."""
        steps = np.rint(self._reference.points_lps(plane, points) / self._unit).astype(np.int64)
        steps[:, self._constant_axes] = 0
        steps = steps[(steps != np.roll(steps, 1, axis=0)).any(axis=1)]
        if len(steps) < _FEWEST_POINTS or len(np.unique(steps, axis=0)) < _FEWEST_POINTS:
            return None
        return steps

    def _text(self, plane: int, steps: np.ndarray) -> str:
        """x, y and z of all points; an axis that is constant on the planes keeps the digits of the plane's position."""
        values: list[str] = [""] * steps.size
        for axis in range(3):
            if self._constant_axes[axis]:
                values[axis::3] = [decimal_string(self._reference.planes[plane].position[axis])] * len(steps)
            else:
                values[axis::3] = [self._coordinate(step) for step in steps[:, axis].tolist()]
        return "\\".join(values)

    def _coordinate(self, step: int) -> str:
        text = self._texts.get(step)
        if text is None:
            text = f"{step * self._unit + 0.0:.{self._digits}f}".rstrip("0").rstrip(".")
            self._texts[step] = text
        return text

    def _image(self, plane: int) -> bytes:
        if plane not in self._images:
            self._images[plane] = element(_CONTOUR_IMAGE_SEQUENCE, _image_item(self._reference.planes[plane]))
        return self._images[plane]


def coordinate_digits(reference: ReferenceSeries) -> int:
    """Digits after the point: more than two only where a pixel is so small that rounding could move a boundary over a
    pixel's centre, or a point over the middle between two pixels. Boundaries stay 0.33 pixels away from all centres,
    smoothed ones 0.03, and points 0.02 pixels inside of that middle; rounding moves a point by at most 0.7 units of the
    last digit, which are 1/36 of a pixel at most, along an axis half a unit."""
    return max(COORDINATE_DIGITS, math.ceil(-math.log10(min(reference.pixel_spacing) / 36)))


def _constant_axes(reference: ReferenceSeries, unit: float) -> np.ndarray:
    """bool (3,): LPS axes along which no point of a plane lies elsewhere than its first pixel, to half a unit."""
    row_distance, column_distance = reference.pixel_spacing
    extents = np.abs(reference.orientation) * [[reference.columns * column_distance], [reference.rows * row_distance]]
    return extents.sum(axis=0) < unit / 2


def _image_item(plane: Plane) -> bytes:
    content = element(_REFERENCED_SOP_CLASS_UID, plane.sop_class_uid, b"\0")
    content += element(_REFERENCED_SOP_INSTANCE_UID, plane.sop_instance_uid, b"\0")
    if plane.frame_number is not None:
        content += element(_REFERENCED_FRAME_NUMBER, str(plane.frame_number))
    return item(content)


# -- Implicit VR Little Endian -----------------------------------------------------------------------------------------


def element(tag: int, value: str | bytes, padding: bytes = b" ") -> bytes:
    """A data element: tag, length and value, which gets ``padding`` where its length is odd. Text is ASCII."""
    content = value.encode("ascii") if isinstance(value, str) else value
    if len(content) % 2:
        content += padding
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(content)) + content


def item(content: bytes) -> bytes:
    """An item of a sequence, with its length: PS3.5 7.5."""
    return struct.pack("<HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(content)) + content


def sequence_header(tag: int, items: Sequence[bytes]) -> bytes:
    """What goes before the items of a sequence."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, sum(map(len, items)))
