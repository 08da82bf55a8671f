"""Contours back to pixels by the plain rule: a pixel is inside where its centre is inside the polygons.

Points are (i, j) in pixels: (0, 0) is the centre of the first pixel. All contours of a plane are filled together, so
that holes come out however they are written: as keyholes, as contours of their own (exclusive or), or both.

Rule for points on a boundary: an edge belongs to the rows from its smaller j up to, but without, its larger j, and
turns over every pixel whose i is at or right of the crossing. A left or upper boundary is inside, a right or lower
one is not, so that neighbouring polygons share no pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Rule = Literal["even-odd", "non-zero"]


def fill_contours(contours: Sequence[np.ndarray], shape: tuple[int, int], rule: Rule = "even-odd") -> np.ndarray:
    """bool (j, i) of ``shape`` (rows, columns): the pixels inside the closed ``contours``, each (n, 2) of (i, j)."""
    filled = np.zeros(shape, dtype=bool)
    inside, box = fill_box(contours, shape, rule)
    filled[box] = inside
    return filled


def fill_box(
    contours: Sequence[np.ndarray], shape: tuple[int, int], rule: Rule = "even-odd"
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """As ``fill_contours``, but only the box of the plane that the contours reach: its pixels and where it lies."""
    rows, columns = (int(size) for size in shape)
    starts, ends = _edges(contours)
    if not len(starts):
        return np.zeros((0, 0), dtype=bool), (slice(0, 0), slice(0, 0))
    low, high = np.minimum(starts, ends).min(axis=0), np.maximum(starts, ends).max(axis=0)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("a contour has a point that is not a finite number")
    # floor and ceiling, clipped while they are floats: a point far outside must not overflow an integer
    left, top = (int(value) for value in np.clip(np.floor(low), 0, (columns, rows)))
    right, bottom = (int(value) for value in np.clip(np.ceil(high) + 1, 0, (columns, rows)))
    if right <= left or bottom <= top:
        return np.zeros((0, 0), dtype=bool), (slice(0, 0), slice(0, 0))
    row, column, direction = _crossings(starts, ends, top, bottom)
    width = right - left + 1  # one more for crossings right of the last pixel
    place = (row - top) * width + np.clip(column, left, right).astype(np.intp) - left
    size = (bottom - top) * width
    if rule == "even-odd":
        turned = np.bincount(place, minlength=size).reshape(-1, width)
        inside = np.cumsum(turned, axis=1) & 1 == 1
    else:
        turned = np.bincount(place, weights=direction, minlength=size).reshape(-1, width)
        inside = np.cumsum(turned, axis=1) != 0
    return inside[:, :-1], (slice(top, bottom), slice(left, right))


def _edges(contours: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Float64 (n, 2) and (n, 2): where each edge starts and ends, the closing ones included."""
    closed = [np.asarray(contour, dtype=np.float64).reshape(-1, 2) for contour in contours]
    closed = [contour for contour in closed if len(contour)]
    if not closed:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return np.concatenate(closed), np.concatenate([np.roll(contour, -1, axis=0) for contour in closed])


def _crossings(
    starts: np.ndarray, ends: np.ndarray, top: int, bottom: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where edges cross the rows ``top`` to ``bottom`` - 1: the row, the first pixel column at or right of it (float),
    and +1 for an edge towards larger j, else -1.

    An edge's crossings are always computed from its upper end, so that an edge that is passed twice, there and back,
    crosses at exactly the same place and turns nothing.
    """
    falls = ends[:, 1] > starts[:, 1]
    upper, lower = np.where(falls[:, None], starts, ends), np.where(falls[:, None], ends, starts)
    first = np.clip(np.ceil(upper[:, 1]), top, bottom).astype(np.intp)
    count = np.clip(np.ceil(lower[:, 1]), top, bottom).astype(np.intp) - first
    crossing = count > 0
    first, count, direction = first[crossing], count[crossing], np.where(falls[crossing], 1.0, -1.0)
    upper, lower = upper[crossing], lower[crossing]
    slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
    edge = np.repeat(np.arange(len(count)), count)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    column = np.ceil(upper[edge, 0] + (row - upper[edge, 1]) * slope[edge])
    return row, column, direction[edge]
