"""The regular grid that the positions of slices follow, by least squares, and how far each slice is from it.

Headers round positions, often to 0.1 mm: the steps of a CT of 0.625 mm are then 0.6 and 0.7 mm. No slice is further
than 0.05 mm from its place for that, whereas the steps differ by twice as much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LARGEST_DISTANCE_MM = 0.06
"""Farthest that a slice of a regular series is from its place: half of a rounding to 0.1 mm, and a little."""

LARGEST_DISTANCE_STEPS = 0.1
"""The same in steps of the series: rounding to 0.1 mm leaves nothing to tell of steps below half a millimetre."""

EXACT_MM = 0.01
"""Positions closer than this to a line follow it; rounded ones do not."""


@dataclass(frozen=True, eq=False)
class SliceLine:
    """The straight line through the slices' positions."""

    direction: np.ndarray
    """LPS, shape (3,): how far the line goes for each mm along the normal."""
    beside: np.ndarray
    """How far each slice lies beside the line, within its plane: LPS in mm, shape (slices, 3)."""
    tilt_degrees: float
    """Angle between the normal and the line that most slices follow: a few beside it do not turn it."""


def slice_line(positions: np.ndarray, normal: np.ndarray) -> SliceLine:
    """The line of least squares through ``positions`` (LPS in mm, shape (slices, 3), two at least) over their distance
    along ``normal`` (unit length).

    Where the positions jitter about a perpendicular line by no more than rounding explains, the line is that one: its
    slant is the rounding's.
    """
    along = positions @ normal
    lateral = positions - np.outer(along, normal)
    slope, _ = _line_fit(along, lateral)
    slanted = _from_mean(lateral - np.outer(along, slope))
    upright = _from_mean(lateral)
    if np.abs(slanted).max() > EXACT_MM and np.abs(upright).max() <= LARGEST_DISTANCE_MM:
        return SliceLine(normal, upright, 0.0)
    slant = min(np.linalg.norm(slope), np.linalg.norm(_usual_slope(along, lateral)))
    return SliceLine(normal + slope, slanted, float(np.degrees(np.arctan(slant))))


def _usual_slope(along: np.ndarray, lateral: np.ndarray) -> np.ndarray:
    """Median of the slopes between slices that lie half the series apart."""
    half = (len(along) + 1) // 2
    rise, run = lateral[half:] - lateral[:-half], along[half:] - along[:-half]
    return np.median(rise / run[:, None], axis=0)


def _from_mean(lateral: np.ndarray) -> np.ndarray:
    return lateral - lateral.mean(axis=0)


def step_fit(along: np.ndarray, places: np.ndarray | None = None) -> tuple[float, float, np.ndarray]:
    """``along`` (mm, shape (slices,)) as start + place * step, by least squares; ``places`` are 0, 1, 2, ... if None.

    Returns start (mm, of place 0), step (mm) and how far each slice is beyond its place (mm, shape (slices,)).
    """
    numbers = np.arange(len(along), dtype=np.float64) if places is None else places.astype(np.float64)
    step, start = _line_fit(numbers, along)
    return float(start), float(step), along - start - numbers * step


def is_regular(off: np.ndarray, step_mm: float) -> bool:
    """True where no slice is too far from its place; ``off``: how far each is, LPS in mm, shape (slices, 3), or along
    the normal only, shape (slices,). Each coordinate is rounded by itself, so each counts by itself.
    """
    return bool(np.abs(off).max() <= min(LARGEST_DISTANCE_MM, LARGEST_DISTANCE_STEPS * step_mm))


def grid_of(
    positions: np.ndarray, normal: np.ndarray, stated_steps_mm: Iterable[float] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Origin and step (LPS in mm, shape (3,) each) of the grid of two or more slices, ordered along ``normal``.

    From the first to the last slice in equal parts, unless the positions are rounded: it is that of least squares then.
    Rounding leaves its step open by a little, so one of ``stated_steps_mm`` is taken if it fits the positions as well.
    """
    numbers = np.arange(len(positions), dtype=np.float64)
    step_vector = (positions[-1] - positions[0]) / (len(positions) - 1)
    off = positions - positions[0] - np.outer(numbers, step_vector)
    normal = normal / np.linalg.norm(normal)
    along = positions @ normal
    _, step, off_mm = step_fit(along)
    line = slice_line(positions, normal)
    if np.abs(off).max() <= EXACT_MM or not is_regular(line.beside + np.outer(off_mm, normal), step):
        return positions[0], step_vector
    from_middle = numbers - numbers.mean()
    for stated in stated_steps_mm:
        off_mm = along - along.mean() - from_middle * stated
        if is_regular(line.beside + np.outer(off_mm, normal), stated):
            step = stated
            break
    return positions.mean(axis=0) + from_middle[0] * step * line.direction, step * line.direction


def _line_fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and value at 0 of ``y`` (n,) or (n, m) over ``x`` (n,), by least squares."""
    from_mean = x - x.mean()
    slope = from_mean @ (y - y.mean(axis=0)) / (from_mean @ from_mean)
    return slope, y.mean(axis=0) - x.mean() * slope
