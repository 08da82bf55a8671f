"""Smooths contours within their plane, where a structure's pixels are coarser than its shape.

The pixels are blurred and the contour runs at the half level of what comes out, so that contours cannot cross each
other. Pixels may change sides, but only where no piece or hole appears, vanishes, joins or splits by it; pieces that
are so thin that blurring would take much of them away are left as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from .rings import Ring, smooth_ring

SMOOTHING_MM = 1.5
"""The usual standard deviation: half of the coarsest model's voxel of 3 mm, whose steps it levels. A disc of 10 mm
radius gets 0.1 mm smaller by it (sigma squared over twice the radius)."""
_LARGEST_LOSS = 0.1
"""Share of its pixels that a piece may lose; others are not smoothed."""
_REACH = 3
"""The blurring kernel ends at this many standard deviations."""
_MARGIN = 0.05
"""By how much the field is above 0.5 inside and below it outside at least. Where it is 0.55 here and 0 there the
contour comes to within 0.09 pixels of a pixel's centre along the row, 0.06 across a corner."""
_STRAIGHT = 0.01
"""Pixels by which a point may lie off the line of its neighbours and be left out; three rounds of that stay below the
0.06 above."""


@dataclass(frozen=True, eq=False)
class SmoothedPlane:
    """A plane's pixels after smoothing, with a border of outside ones."""

    inside: np.ndarray
    """bool (j, i)."""
    field: np.ndarray
    """float64 (j, i), above 0.5 exactly where ``inside`` is true; its half level is the contour."""
    offset: np.ndarray
    """(i, j) on the plane of the first pixel of both."""
    changed: int
    """Pixels that changed sides."""

    def ring(self, crossings: np.ndarray) -> Ring:
        return smooth_ring(crossings, thinned(crossings))


def smoothed(
    pixels: np.ndarray,
    start: tuple[int, int],
    shape: tuple[int, int],
    smoothing_mm: float,
    pixel_spacing: tuple[float, float],
) -> SmoothedPlane:
    """Smooths ``pixels`` (j, i), which begin at ``start`` of a plane of ``shape`` (rows, columns).

    ``pixel_spacing`` in mm along j, then i. What the image's border cuts is cut straight, not rounded.
    """
    from scipy.ndimage import gaussian_filter

    sigma = [smoothing_mm / spacing for spacing in pixel_spacing]
    border = [math.ceil(_REACH * value) + 1 for value in sigma]
    padded = np.pad(pixels, [(width, width) for width in border])
    first = [begin - width for begin, width in zip(start, border, strict=True)]
    within = tuple(
        slice(max(-begin, 0), min(size - begin, length))
        for begin, size, length in zip(first, shape, padded.shape, strict=True)
    )
    continued = _continued(padded, within)
    blurred = gaussian_filter(continued.astype(np.float64), sigma, truncate=_REACH, mode="nearest")
    wanted = np.zeros_like(padded)
    wanted[within] = blurred[within] > 0.5
    thin = _thin_pieces(padded, wanted)
    wanted |= thin
    inside = _moved(padded, wanted)
    values = np.where(inside, np.maximum(blurred, 0.5 + _MARGIN), np.minimum(blurred, 0.5 - _MARGIN))
    values[_beyond(within, padded.shape)] = 0.0
    exact = _saddles(inside) | _with_neighbours(thin)
    values[exact] = inside[exact]
    changed = int(np.count_nonzero(inside != padded))
    return SmoothedPlane(inside, values, np.array([first[1], first[0]], dtype=np.float64), changed)


def thinned(points: np.ndarray) -> np.ndarray:
    """bool (n,): which of a ring's ``points`` (n, 2) the polygon needs, when nearly straight lines have no points."""
    kept = np.ones(len(points), dtype=bool)
    for _round in range(3):
        places = np.flatnonzero(kept)
        if len(places) < 8:
            break
        middle = np.arange(1, len(places), 2)
        before, here, after = (points[places[(middle + step) % len(places)]] for step in (-1, 0, 1))
        line, off = after - before, here - before
        distance = np.abs(line[:, 0] * off[:, 1] - line[:, 1] * off[:, 0]) / np.hypot(line[:, 0], line[:, 1])
        kept[places[middle[distance < _STRAIGHT]]] = False
    return kept


# -- the parts ---------------------------------------------------------------------------------------------------------


def _continued(padded: np.ndarray, within: tuple[slice, slice]) -> np.ndarray:
    """The pixels, those at the image's border repeated beyond it."""
    rows, columns = (
        np.clip(np.arange(length), part.start, part.stop - 1) for length, part in zip(padded.shape, within, strict=True)
    )
    return padded[np.ix_(rows, columns)]


def _beyond(within: tuple[slice, slice], shape: tuple[int, int]) -> np.ndarray:
    beyond = np.ones(shape, dtype=bool)
    beyond[within] = False
    return beyond


def _thin_pieces(pixels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The pixels of those connected pieces of which too little would remain."""
    from scipy.ndimage import label

    pieces, count = label(pixels)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    remaining = np.bincount(pieces[wanted], minlength=count + 1)
    is_thin = remaining < (1 - _LARGEST_LOSS) * sizes
    is_thin[0] = False
    return is_thin[pieces]


def _moved(pixels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """``pixels`` turned into ``wanted``, as far as that is possible one pixel at a time without changing what is
    connected with what.

    Every second pixel of every second row is turned at once: they do not touch each other, so each one sees the
    neighbours that it would see if they were turned one after the other.
    """
    width = pixels.shape[1]
    around = np.array([1, width + 1, width, width - 1, -1, -width - 1, -width, -width + 1])
    weights = 1 << np.arange(8)
    simple = _simple_neighbourhoods()
    state, goal = pixels.ravel().copy(), wanted.ravel()
    while True:
        open_places = np.flatnonzero(state != goal)
        turned = False
        for row_parity in (0, 1):
            for column_parity in (0, 1):
                own = (open_places // width % 2 == row_parity) & (open_places % width % 2 == column_parity)
                places = open_places[own]
                places = places[simple[state[places[:, None] + around] @ weights]]
                state[places] = goal[places]
                turned = turned or bool(places.size)
        if not turned:
            return state.reshape(pixels.shape)


@cache
def _simple_neighbourhoods() -> np.ndarray:
    """bool (256,): where the middle pixel may change sides, by its eight neighbours (bit 0 to the right, then around).

    Inside pixels are connected by edges, outside ones by corners too: the middle is free where Yokoi's crossing number
    of edge connection is 1 (Yokoi, Toriwaki, Fukumura: An analysis of topological properties of digitized binary
    pictures using local features, 1975).
    """
    x = (np.arange(256)[:, None] >> np.arange(8)) & 1
    x = np.concatenate([x, x[:, :1]], axis=1)
    return sum(x[:, n] - x[:, n] * x[:, n + 1] * x[:, n + 2] for n in (0, 2, 4, 6)) == 1


def _saddles(inside: np.ndarray) -> np.ndarray:
    """The pixels of all squares of two by two in which two opposite corners are inside and the others are not.

    At them the field gets the values 0 and 1, so that the square's mean does not connect what is not connected.
    """
    upper_left, upper_right = inside[:-1, :-1], inside[:-1, 1:]
    lower_left, lower_right = inside[1:, :-1], inside[1:, 1:]
    square = (upper_left == lower_right) & (upper_right == lower_left) & (upper_left != upper_right)
    pixels = np.zeros_like(inside)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            pixels[rows, columns] |= square
    return pixels


def _with_neighbours(pixels: np.ndarray) -> np.ndarray:
    grown = pixels.copy()
    grown[1:] |= pixels[:-1]
    grown[:-1] |= pixels[1:]
    grown[:, 1:] |= pixels[:, :-1]
    grown[:, :-1] |= pixels[:, 1:]
    return grown
