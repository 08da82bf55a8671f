"""Puts the planes of a structure below each other into one image, so that one call serves many small planes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask

_PIXELS = 500_000
"""About as many pixels has an image; one plane is never split."""


@dataclass(frozen=True)
class PlacedPlane:
    """Where a plane's pixels, cut to their bounding box and with a border around them, lie in the image."""

    plane: int
    """k of the grid."""
    rows: slice
    columns: slice
    shift: tuple[int, int]
    """(i, j) to be added to the image's coordinates to get those on the plane."""
    on_plane: tuple[slice, slice]
    """The rows and columns of the image that lie on the plane; the rest of the border is beyond it."""


@dataclass(frozen=True, eq=False)
class PlaneStack:
    """Planes in one image; all else in it is outside."""

    inside: np.ndarray
    """bool (j, i)."""
    planes: list[PlacedPlane]

    def plane_of(self, row: float) -> PlacedPlane:
        ends = [placed.rows.stop for placed in self.planes]
        return self.planes[int(np.searchsorted(ends, row, side="right"))]


def plane_stacks(mask: VoxelMask, border: tuple[int, int] = (1, 1)) -> Iterator[PlaneStack]:
    """All planes on which the structure has pixels, in their order, with ``border`` (j, i) outside pixels around."""
    waiting: list[tuple[int, np.ndarray, tuple[int, int]]] = []
    pixels = 0
    for index, plane in enumerate(mask.voxels):
        cut = _cropped(plane)
        if cut is None:
            continue
        inside, first = cut
        waiting.append((mask.start[0] + index, inside, (mask.start[1] + first[0], mask.start[2] + first[1])))
        pixels += (inside.shape[0] + 2 * border[0]) * (inside.shape[1] + 2 * border[1])
        if pixels >= _PIXELS:
            yield _stacked(waiting, border, mask.shape[1:])
            waiting, pixels = [], 0
    if waiting:
        yield _stacked(waiting, border, mask.shape[1:])


def _cropped(plane: np.ndarray) -> tuple[np.ndarray, tuple[int, int]] | None:
    """The pixels (j, i) cut to their bounding box, and where that begins; None where there are none."""
    rows = np.flatnonzero(plane.any(axis=1))
    if not rows.size:
        return None
    rows = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(plane[rows].any(axis=0))
    columns = slice(int(columns[0]), int(columns[-1]) + 1)
    return plane[rows, columns], (rows.start, columns.start)


def _stacked(
    cuts: list[tuple[int, np.ndarray, tuple[int, int]]], border: tuple[int, int], shape: tuple[int, int]
) -> PlaneStack:
    down, across = border
    heights = [inside.shape[0] + 2 * down for _plane, inside, _start in cuts]
    width = max(inside.shape[1] for _plane, inside, _start in cuts) + 2 * across
    image = np.zeros((sum(heights), width), dtype=bool)
    planes = []
    row = 0
    for (plane, inside, start), height in zip(cuts, heights, strict=True):
        image[row + down : row + height - down, across : across + inside.shape[1]] = inside
        shift = (start[1] - across, start[0] - down - row)
        on_plane = (
            slice(max(row, -shift[1]), min(row + height, shape[0] - shift[1])),
            slice(max(0, -shift[0]), min(inside.shape[1] + 2 * across, shape[1] - shift[0])),
        )
        columns = slice(0, inside.shape[1] + 2 * across)
        planes.append(PlacedPlane(plane, slice(row, row + height), columns, shift, on_plane))
        row += height
    return PlaneStack(image, planes)
