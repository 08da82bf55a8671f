"""The tiles that the exact run of a network over a whole image has, and the voxels that each of them decides.

Where tiles overlap, the Gaussian weights of the sliding window let the tile with the nearest middle decide. So each
tile has a cell: the voxels that are nearer to its middle than to that of any other. Tiles lie on a rectangular grid, so
a cell is a box, and the cells of all tiles divide the image without overlap: whole clusters of a cluster sample.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Cell:
    """One tile; all boxes are of the image as the network gets it (z, y, x in the network's axes)."""

    tile: Box
    """What the network sees; it may reach beyond an image that is smaller than the patch."""
    box: Box
    """What it decides; lies within the image."""

    @property
    def in_tile(self) -> Box:
        """The cell's place in the tile's own prediction."""
        return tuple(
            slice(own.start - outer.start, own.stop - outer.start)
            for own, outer in zip(self.box, self.tile, strict=True)
        )

    @property
    def voxels(self) -> int:
        sizes = [part.stop - part.start for part in self.box]
        return sizes[0] * sizes[1] * sizes[2]


def cells_of(starts: Sequence[Sequence[int]], patch_size: Sequence[int], shape: Sequence[int]) -> list[Cell]:
    """The cells of all tiles over an image of ``shape``, in the order in which they run.

    ``starts``: positions along each axis in the image padded to the patch (inference.sliding_window.Window).
    """
    axes = [
        _along_axis(places, patch, size, (max(size, patch) - size) // 2)
        for places, patch, size in zip(starts, patch_size, shape, strict=True)
    ]
    return [
        Cell(tuple(tile for tile, _ in parts), tuple(cell for _, cell in parts)) for parts in itertools.product(*axes)
    ]


def _along_axis(starts: Sequence[int], patch: int, size: int, before: int) -> list[tuple[slice, slice]]:
    """Tile and cell along one axis; a voxel half-way between two middles belongs to the later one."""
    places = [start - before for start in starts]
    ends = [(first + second + patch) // 2 for first, second in itertools.pairwise(places)]
    borders = [0, *ends, size]
    return [
        (slice(place, place + patch), slice(first, last))
        for place, first, last in zip(places, borders[:-1], borders[1:], strict=True)
    ]


def overlap(first: Box, second: Box) -> Box | None:
    """What two boxes have in common; None where that is nothing."""
    common = tuple(
        slice(max(one.start, other.start), min(one.stop, other.stop)) for one, other in zip(first, second, strict=True)
    )
    return None if any(part.start >= part.stop for part in common) else common
