"""Closed boundaries between inside and outside pixels, and which of their points a polygon needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_WHOLE = 1e-6
"""Pixels; coordinates that are nearer to a whole number mean it."""


@dataclass(frozen=True, eq=False)
class Ring:
    """One closed boundary; inside is to the right of the way as seen with j downwards. The first point is not repeated.

    It crosses from pixel to pixel: there is one crossing between every two neighbouring pixels that it separates.
    """

    crossings: np.ndarray
    """float64 (n, 2) of (i, j); one of both is a whole number."""
    between: np.ndarray
    """int64 (n, 2): the sums of the coordinates of the two pixels, twice their middle."""
    points: np.ndarray
    """float64 (n, 2): the polygon's points where ``kept`` is true: the crossing, or the corner that replaces it and the
    next one."""
    kept: np.ndarray
    """bool (n,)."""

    @property
    def polygon(self) -> np.ndarray:
        return self.points[self.kept]

    @property
    def enclosed_pixels(self) -> int:
        """How many pixels lie within the ring, those of holes included.

        The ring at the half level cuts an eighth of a pixel off each convex corner of the pixels' outline and adds as
        much at each concave one. A closed outline of right angles has four convex ones more: the ring's area is half a
        pixel smaller.
        """
        x, y = self.between[:, 0], self.between[:, 1]
        doubled = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)  # twice the area, in quarter pixels
        return round(abs(int(doubled)) / 8 + 0.5)

    def started_at(self, index: int) -> Ring:
        """The same ring from another point on, with arrays of its own."""
        return Ring(
            *(np.roll(values, -index, axis=0) for values in (self.crossings, self.between, self.points, self.kept))
        )

    def pass_through(self, position: int) -> None:
        """Has the polygon pass through a crossing, also where a corner had replaced it; in place."""
        for first in (position - 1, position):
            pair = [first % len(self.kept), (first + 1) % len(self.kept)]
            if (self.points[pair[0]] != self.crossings[pair[0]]).any():
                self.points[pair] = self.crossings[pair]
                self.kept[pair] = True


def level_ring(crossings: np.ndarray, inside: np.ndarray) -> Ring:
    """A ring at the half level of the pixels ``inside`` (j, i), of which all crossings lie midway between two pixels.

    Points on the line from the one before to the one after are left out. Where a straight stretch along a row meets one
    along a column, the level cuts the corner with two points; the corner itself takes their place, except where pixels
    touch by it. So a step of several pixels has two points; one of a single pixel has two anyway.
    """
    between = np.rint(2 * crossings).astype(np.int64)
    to_next = np.roll(between, -1, axis=0) - between
    to_here = np.roll(to_next, 1, axis=0)
    kept = to_here[:, 0] * to_next[:, 1] != to_here[:, 1] * to_next[:, 0]
    is_straight = (to_here == 0).any(axis=1)
    is_corner = is_straight & ~(to_next == 0).any(axis=1) & np.roll(is_straight, -2)
    is_corner &= (to_here == 0).argmax(axis=1) != (np.roll(to_next, -1, axis=0) == 0).argmax(axis=1)
    first = np.flatnonzero(is_corner)
    if not first.size:
        return Ring(crossings, between, crossings, kept)
    second = (first + 1) % len(between)
    corner = np.where(between[first] % 2 == 1, between[first], between[second])
    left, top = (corner - 1).T // 2
    upper_left, lower_right = inside[top, left], inside[top + 1, left + 1]
    touches = (upper_left == lower_right) & (inside[top, left + 1] == inside[top + 1, left])
    first, second, corner = first[~touches], second[~touches], corner[~touches]
    points = crossings.copy()
    points[first] = corner / 2
    kept[second] = False
    return Ring(crossings, between, points, kept)


def smooth_ring(crossings: np.ndarray, kept: np.ndarray) -> Ring:
    """A ring of a smoothed field, of which the points ``kept`` are needed."""
    # one coordinate is whole but for rounding; the other one is well away from any pixel's centre
    nearest = np.rint(crossings)
    crossings = np.where(np.abs(crossings - nearest) < _WHOLE, nearest, crossings)
    return Ring(crossings, (np.floor(crossings) + np.ceil(crossings)).astype(np.int64), crossings, kept)
