"""Smooths contours within their plane, where a structure's pixels are coarser than its shape.

The pixels are blurred and the contour runs at the half level of what comes out, so that contours cannot cross each
other. Pixels may change sides, but only where no piece or hole appears, vanishes, joins or splits by it; pieces that
are so thin that blurring would take much of them away are left as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from TotalSegmentatorEngine.export.rtstruct.plane_stacks import PlaneStack
from TotalSegmentatorEngine.export.rtstruct.ring_simplification import Ring, smooth_rings

SMOOTHING_MM = 2.0
"""The usual standard deviation: two thirds of the coarsest model's voxel of 3 mm, whose steps it levels (looked at on
labels of that model). A disc of 10 mm radius gets 0.2 mm smaller by it: sigma squared over twice the radius."""
_LARGEST_LOSS = 0.1
"""Share of its pixels that a piece may lose; others are not smoothed."""
_REACH = 3
"""The blurring kernel ends at this many standard deviations."""
_MARGIN = 0.05
"""By how much the field is above 0.5 inside and below it outside at least. Where it is 0.55 here and 0 there the
contour comes to within 0.09 pixels of a pixel's centre along the row, 0.06 across a corner."""


@dataclass(frozen=True, eq=False)
class SmoothedImage:
    """Planes after smoothing, in one image as they were before."""

    inside: np.ndarray
    """bool (j, i)."""
    field: np.ndarray
    """float64 (j, i), above 0.5 exactly where ``inside`` is true; its half level is the contour."""
    changed: int
    """Pixels that changed sides."""
    level: ClassVar[float] = 0.5

    def rings(self, crossings: np.ndarray, ends: np.ndarray) -> list[Ring]:
        return smooth_rings(crossings, ends)


def border_for(sigma: tuple[float, float]) -> tuple[int, int]:
    """How many outside pixels (j, i) planes need around them, so that the blurring of one does not reach the next.

    ``sigma`` is the standard deviation in pixels along j, then i.
    """
    return tuple(math.ceil(_REACH * value) + 1 for value in sigma)


def smoothed(stack: PlaneStack, sigma: tuple[float, float]) -> SmoothedImage:
    """Smooths the planes of ``stack``, which have the border of ``border_for``. ``sigma`` in pixels along j, then i.

    What the CT's border cuts is cut straight, not rounded.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    pixels, on_plane = stack.inside, _on_plane(stack)
    blurred = gaussian_filter(_continued(stack).astype(np.float64), sigma, truncate=_REACH, mode="nearest")
    wanted = (blurred > 0.5) & on_plane
    thin = _thin_pieces(pixels, wanted)
    if thin.any():  # nor does anything grow beside them
        wanted &= pixels | ~binary_dilation(thin, np.ones((3, 3)), math.ceil(max(sigma)))
    inside = _moved(pixels, wanted | thin)
    values = np.where(inside, np.maximum(blurred, 0.5 + _MARGIN), np.minimum(blurred, 0.5 - _MARGIN))
    values[~on_plane] = 0.0
    exact = _saddles(inside) | _with_neighbours(thin)
    values[exact] = inside[exact]
    return SmoothedImage(inside, values, int(np.count_nonzero(inside != pixels)))


# -- the parts ---------------------------------------------------------------------------------------------------------


def _on_plane(stack: PlaneStack) -> np.ndarray:
    """bool (j, i): the pixels that are not beyond the border of the CT."""
    on_plane = np.zeros_like(stack.inside)
    for placed in stack.planes:
        on_plane[placed.on_plane] = True
    return on_plane


def _continued(stack: PlaneStack) -> np.ndarray:
    """The pixels; those at the CT's border are repeated beyond it."""
    image = stack.inside.copy()
    for placed in stack.planes:
        if placed.on_plane == (placed.rows, placed.columns):
            continue
        rows, columns = (
            np.clip(np.arange(whole.start, whole.stop), part.start, part.stop - 1)
            for whole, part in zip((placed.rows, placed.columns), placed.on_plane, strict=True)
        )
        image[placed.rows, placed.columns] = stack.inside[np.ix_(rows, columns)]
    return image


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
