"""Contours of one plane that should not be as they are: the same one twice, or two that cross.

All contours of a plane are filled together by the even-odd rule, under which a contour that is there twice would turn
an area into a hole. The second one is the same polygon: perhaps from another starting point, the other way round, or
rounded differently. A hole or an island never runs along the same line as the contour around it; nor does it cross it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from TotalSegmentatorEngine.export.rtstruct.rasterising import fill_contours

SAME_LINE_MM = 0.1
SAME_LINE_PIXELS = 0.2
"""Two contours are one where no point of either is further from the other: the smaller of the two. Makers round to
0.1 mm, which moves a point by 0.07 mm at most."""

CROSSING_PIXELS = 3
CROSSING_SHARE = 0.01
"""Two contours cross where each has at least so many pixels outside of the other, and this share of the smaller one:
a hole that touches the contour around it can be rounded over it."""

_POINTS_AT_ONCE = 1 << 20


def without_repeats(contours: Sequence[np.ndarray], pixel_spacing: tuple[float, float]) -> list[int]:
    """Positions of the ``contours`` of one plane, each (n, 2) of pixel coordinates (i, j), that repeat no earlier one.

    ``pixel_spacing``: distance in mm of rows, of columns.
    """
    if len(contours) < 2:
        return list(range(len(contours)))
    tolerance = min(SAME_LINE_MM, SAME_LINE_PIXELS * min(pixel_spacing))
    scale = (pixel_spacing[1], pixel_spacing[0])
    polygons = [np.asarray(contour, dtype=np.float64) * scale for contour in contours]
    boxes = np.array([[*polygon.min(axis=0), *polygon.max(axis=0)] for polygon in polygons])
    order = np.argsort(boxes[:, 0], kind="stable")
    ends = np.searchsorted(boxes[order, 0], boxes[order, 0] + tolerance, side="right")
    repeats: set[int] = set()
    for place, first in enumerate(order.tolist()):
        near = order[place + 1 : ends[place]]
        same_box = np.abs(boxes[near] - boxes[first]).max(axis=1, initial=0.0) <= tolerance
        for second in near[same_box].tolist():
            if not repeats & {first, second} and _is_same_line(polygons[first], polygons[second], tolerance):
                repeats.add(max(first, second))
    return [number for number in range(len(polygons)) if number not in repeats]


def do_cross(contours: Sequence[np.ndarray], shape: tuple[int, int]) -> bool:
    """True where two of the ``contours`` of a plane, each (n, 2) of (i, j), overlap and neither encloses the other.

    ``shape``: rows and columns of the plane.
    """
    if len(contours) < 2:
        return False
    low = np.array([contour.min(axis=0) for contour in contours])
    high = np.array([contour.max(axis=0) for contour in contours])
    filled: dict[int, np.ndarray] = {}
    for second in range(1, len(contours)):
        touching = (low[:second] < high[second]).all(axis=1) & (high[:second] > low[second]).all(axis=1)
        for first in np.flatnonzero(touching).tolist():
            for number in (first, second):
                if number not in filled:
                    filled[number] = fill_contours([contours[number]], shape)
            one, other = filled[first], filled[second]
            common = int(np.count_nonzero(one & other))
            outside = min(int(np.count_nonzero(one)), int(np.count_nonzero(other))) - common
            if common and outside >= max(CROSSING_PIXELS, CROSSING_SHARE * (common + outside)):
                return True
    return False


def _is_same_line(first: np.ndarray, second: np.ndarray, tolerance: float) -> bool:
    """The areas are compared too: a line that turns back lies on the contour, and encloses less."""
    length = np.linalg.norm(np.roll(first, -1, axis=0) - first, axis=1).sum()
    if abs(_area(first) - _area(second)) > length * tolerance:
        return False
    return _lies_on(_with_middles(first), second, tolerance) and _lies_on(_with_middles(second), first, tolerance)


def _area(polygon: np.ndarray) -> float:
    """Enclosed by ``polygon`` (n, 2), in its unit squared, whichever way it runs."""
    i, j = (polygon - polygon[0]).T
    return abs(float(i @ np.roll(j, -1) - j @ np.roll(i, -1))) / 2


def _with_middles(polygon: np.ndarray) -> np.ndarray:
    """The points of ``polygon`` and those half-way between them."""
    return np.concatenate([polygon, (polygon + np.roll(polygon, -1, axis=0)) / 2])


def _lies_on(points: np.ndarray, polygon: np.ndarray, tolerance: float) -> bool:
    """True where each of ``points`` (n, 2) is within ``tolerance`` of the closed ``polygon`` (m, 2)."""
    along = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.maximum((along**2).sum(axis=1), np.finfo(float).tiny)
    step = max(1, _POINTS_AT_ONCE // len(polygon))
    for start in range(0, len(points), step):
        offset = points[start : start + step, None, :] - polygon[None]
        share = np.clip((offset * along).sum(axis=2) / lengths, 0.0, 1.0)
        nearest = ((offset - share[..., None] * along) ** 2).sum(axis=2).min(axis=1)
        if nearest.max() > tolerance**2:
            return False
    return True
