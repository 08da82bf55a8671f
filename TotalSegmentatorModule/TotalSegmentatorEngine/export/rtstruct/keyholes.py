"""Joins holes to the boundary around them, so that a component with holes becomes one polygon.

Each hole gets a channel that is passed twice, there and back, through the same two points. The channel runs between
two pixel columns, from the hole's top to the next boundary above it: the outer one, or another hole's. It never comes
near a pixel's centre, so that no rounding of coordinates can turn a pixel over, and what even-odd and non-zero
filling give is the same.

All rings must come from one field over the pixels (see contours.py): no two of them cross between the same two pixels
then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.export.rtstruct.ring_simplification import Ring


@dataclass(frozen=True, eq=False)
class _Channel:
    """Where the path around a ring is left for a hole."""

    hole: int
    position: int
    """The point of the ring at which the channel begins, or after which; the ring's length for its closing point."""
    is_after: bool
    point: np.ndarray


def join_holes(outer: Ring, holes: Sequence[Ring], inside: np.ndarray) -> np.ndarray:
    """The polygon (n, 2) of a component: its outer ring with its holes joined to it.

    ``inside`` (j, i) are the pixels, index = coordinate; its border must be outside everywhere.
    """
    rings = [outer, *(hole.started_at(_top(hole)) for hole in holes)]
    for hole in rings[1:]:
        hole.pass_through(0)
    channels = _channels(rings, inside)
    parts: list[np.ndarray] = []
    paths = [_path(rings, channels, 0)]
    while paths:  # not recursive: hole may hang below hole as often as the plane has rows
        step = next(paths[-1], None)
        if step is None:
            paths.pop()
        elif isinstance(step, int):
            paths.append(_path(rings, channels, step))
        else:
            parts.append(step)
    return np.concatenate(parts)


def _top(hole: Ring) -> int:
    """The point right of the last pixel in the hole's first row.

    The path around a hole goes up on its right side, so it is the point before the last one above that row. Above it
    lie two pixels that are inside, since a hole holds every outside pixel that touches it, also by a corner.
    """
    above = np.flatnonzero(hole.between[:, 1] == hole.between[:, 1].min())
    return int(above[np.argmax(hole.between[above, 0])]) - 1


def _channels(rings: list[Ring], inside: np.ndarray) -> list[list[_Channel]]:
    """For each ring its channels, in the order of the path around it."""
    found: list[list[_Channel]] = [[] for _ring in rings]
    starts = np.cumsum([0, *(len(ring.kept) for ring in rings)])
    stride = 2 * inside.shape[1]
    keys = np.concatenate([ring.between[:, 1] * stride + ring.between[:, 0] for ring in rings])
    order = np.argsort(keys)
    for number, hole in enumerate(rings[1:], start=1):
        column, top = int(hole.between[0, 0]) // 2, int(hole.between[0, 1]) // 2
        passable = inside[:top, column] & inside[:top, column + 1]
        end = int(np.flatnonzero(~passable)[-1])
        is_after = not (inside[end, column] or inside[end, column + 1])  # a level boundary crosses the channel
        between = (2 * column, 2 * end + 1) if is_after else (2 * column + 1, 2 * end)
        place = int(order[np.searchsorted(keys, between[1] * stride + between[0], sorter=order)])
        met = int(np.searchsorted(starts, place, side="right")) - 1
        position, points = place - int(starts[met]), rings[met].crossings
        following = points[(position + 1) % len(points)]  # where a boundary crosses the channel: right of the position
        point = (points[position] + following) / 2 if is_after else points[position]
        if not is_after:
            rings[met].pass_through(position)
        if met > 0 and position == 0 and not is_after:
            position = len(points)  # from a hole's own start: last, so that channels do not cross each other
        found[met].append(_Channel(number, position, is_after, point))
    return [sorted(channels, key=lambda channel: channel.position) for channels in found]


def _path(rings: list[Ring], channels: list[list[_Channel]], number: int) -> Iterator[np.ndarray | int]:
    """The path around a ring: points, and the numbers of the holes to go around in between.

    A hole's ring is entered and left at its first point.
    """
    ring = rings[number]
    is_hole = number > 0
    kept = np.flatnonzero(ring.kept)
    position = 0
    if is_hole:
        yield ring.crossings[:1]
        position = 1
    for channel in channels[number]:
        yield _between(ring, kept, position, channel.position + channel.is_after)
        yield channel.point[None]
        yield channel.hole
        yield channel.point[None]
        position = channel.position + 1
    yield _between(ring, kept, position, len(ring.kept))
    if is_hole and position <= len(ring.kept):
        yield ring.crossings[:1]


def _between(ring: Ring, kept: np.ndarray, first: int, end: int) -> np.ndarray:
    return ring.points[kept[np.searchsorted(kept, first) : np.searchsorted(kept, end)]]
