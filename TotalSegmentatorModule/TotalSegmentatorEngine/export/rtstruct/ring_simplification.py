"""Closed boundaries between inside and outside pixels, and which of their points a polygon needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_WHOLE = 1e-6
"""Pixels; coordinates that are nearer to a whole number mean it."""
_STRAIGHT = 0.01
"""Pixels by which a point of a smoothed ring may lie off the line of its neighbours and be left out. Three rounds of
that stay below the distance that such a ring keeps from pixels' centres (contour_smoothing.py)."""
_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Ring:
    """One closed boundary, in the direction that contours.py gives it: inside is to the right of the path seen with j
    downwards. The first point is not repeated.

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


def level_rings(crossings: np.ndarray, ends: Sequence[int], inside: np.ndarray) -> list[Ring]:
    """Rings at the half level of the pixels ``inside`` (j, i): all crossings lie (nearly) midway between two
    pixels.

    ``crossings`` (n, 2) are those of all rings, ``ends`` where each ring ends in them.

    Points on the line from the one before to the one after are left out. Where a straight stretch along a row meets one
    along a column, the level cuts the corner with two points; the corner itself takes their place, except where pixels
    touch by it. So a step of several pixels has two points; one of a single pixel has two anyway.
    """
    after, before = _neighbours(len(crossings), ends)
    between = np.rint(2 * crossings).astype(np.int64)
    to_next = between[after] - between
    to_here = to_next[before]
    kept = to_here[:, 0] * to_next[:, 1] != to_here[:, 1] * to_next[:, 0]
    points = crossings.copy()

    first = np.flatnonzero(kept & (to_next != 0).all(axis=1))
    second = after[first]
    comes, goes = to_here[first], to_next[second]
    first = first[((comes == 0) & (goes != 0)).any(axis=1) & ((comes != 0) & (goes == 0)).any(axis=1)]
    second = after[first]
    of_first = between[first] % 2 == 1
    corner = np.where(of_first, between[first], between[second])
    left, top = (corner - 1).T // 2
    touches = (inside[top, left] == inside[top + 1, left + 1]) & (inside[top, left + 1] == inside[top + 1, left])
    points[first[~touches]] = np.where(of_first, crossings[first], crossings[second])[~touches]
    kept[second[~touches]] = False
    return _split(ends, crossings, between, points, kept)


def smooth_rings(crossings: np.ndarray, ends: Sequence[int]) -> list[Ring]:
    """Rings of a smoothed field, of which nearly straight stretches have no points; arguments as of ``level_rings``."""
    # one coordinate is whole but for rounding; the other one is well away from any pixel's centre
    nearest = np.rint(crossings)
    crossings = np.where(np.abs(crossings - nearest) < _WHOLE, nearest, crossings)
    between = (np.floor(crossings) + np.ceil(crossings)).astype(np.int64)
    kept = np.ones(len(crossings), dtype=bool)
    ring = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    for _round in range(_ROUNDS):
        places = np.flatnonzero(kept)
        sizes = np.bincount(ring[places], minlength=len(ends))
        still = np.cumsum(sizes)
        after, before = _neighbours(len(places), still)
        number = np.arange(len(places)) - (still - sizes)[ring[places]]  # within the ring
        line, off = crossings[places[after]] - crossings[places[before]], crossings[places] - crossings[places[before]]
        area = np.abs(line[:, 0] * off[:, 1] - line[:, 1] * off[:, 0])
        is_needless = area < _STRAIGHT * np.hypot(line[:, 0], line[:, 1])
        # of two neighbours at most one: every second point goes, in rings that keep enough
        kept[places[is_needless & (number % 2 == 1) & (sizes[ring[places]] >= 8)]] = False
    return _split(ends, crossings, between, crossings, kept)


def _neighbours(count: int, ends: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """For each point of all rings the next and the previous one of its ring."""
    ends = np.asarray(ends, dtype=np.intp)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.intp)
    after, before = np.arange(1, count + 1), np.arange(-1, count - 1)
    after[ends - 1] = starts
    before[starts] = ends - 1
    return after, before


def _split(ends: Sequence[int], *values: np.ndarray) -> list[Ring]:
    return [Ring(*(value[start:end] for value in values)) for start, end in pairwise([0, *ends])]
