"""From a structure's pixels to contours on the planes of the CT.

A boundary runs at the half level: midway between an inside and an outside pixel, diagonally where it steps by one
pixel (ring_simplification.py). It stays a third of a pixel and more away from all pixel centres, so that filling by
pixel centre gives back the same pixels, also after coordinates were rounded. Pixels that touch by a corner only are
not connected; a hole, though, holds all outside pixels that touch it. Points within straight lines are left out.

Points are (i, j) in pixels: (0, 0) is the centre of a plane's first pixel. Outer rings have a positive area in (i, j),
that is, they run counter-clockwise about row x column, the plane's normal; holes run clockwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorWire.tables.export_formats import HOLES, KEYHOLE, XOR

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.rtstruct.contour_smoothing import SMOOTHING_MM, SmoothedImage, border_for, smoothed
from TotalSegmentatorEngine.export.rtstruct.keyholes import join_holes
from TotalSegmentatorEngine.export.rtstruct.plane_stacks import plane_stacks
from TotalSegmentatorEngine.export.rtstruct.ring_simplification import Ring, level_rings

_ABOVE = 2.0
"""A value that no field reaches."""

_LEVEL = 0.52
"""The boundary's level in a field that is 0 outside and 1 inside: 0.02 pixels nearer to the inside pixel than midway.

Readers that round points to pixels and fill the boundary too (rt_utils and others, by OpenCV's fillPoly) then round to
the inside pixel and get the same pixels as everybody else; from points midway they round outwards half of the time.
0.02 pixels are more than the rounding of coordinates, and 0.016 mm at 0.8 mm.
"""


@dataclass(frozen=True)
class ContourOptions:
    """How contours are made."""

    holes: str = KEYHOLE
    """Joined to the boundary around them by a channel, or contours of their own."""
    smoothing: bool | float = False
    """Standard deviation in mm of the in-plane smoothing; True for the usual one, False or 0 for none."""
    smallest_island_mm2: float = 0.0
    """Pieces whose contour encloses a smaller area are left out."""

    def __post_init__(self) -> None:
        if self.holes not in HOLES:
            raise ValueError(f"holes must be keyhole or xor, not {self.holes}")
        for name in ("smoothing", "smallest_island_mm2"):
            if not 0 <= float(getattr(self, name)) < float("inf"):
                raise ValueError(f"{name} must be a number from 0 up")

    @property
    def smoothing_mm(self) -> float:
        return SMOOTHING_MM if self.smoothing is True else float(self.smoothing)


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed polygon on a plane of the CT."""

    plane: int
    """k of the grid."""
    points: np.ndarray
    """float64 (n, 2) of (i, j), n >= 3; the first point is not repeated at the end."""
    is_hole: bool
    """True for a contour that cuts a hole; never where holes are joined."""


@dataclass
class RoiContours:
    """The contours of a structure, and what was left out or changed."""

    contours: list[Contour] = field(default_factory=list)
    """In the order of the planes."""
    islands: int = 0
    """Pieces on a plane that were left out because they are small."""
    island_pixels: int = 0
    """How many pixels those had."""
    changed_pixels: int = 0
    """How many pixels the smoothing moved to the other side of the boundary."""

    def __iter__(self) -> Iterator[Contour]:
        return iter(self.contours)

    def __len__(self) -> int:
        return len(self.contours)


def roi_contours(
    mask: VoxelMask, options: ContourOptions | None = None, pixel_spacing: tuple[float, float] = (1.0, 1.0)
) -> RoiContours:
    """The contours of a structure on all planes that it has pixels on.

    ``pixel_spacing`` is DICOM's: the distance in mm of rows (along j), then of columns (along i).
    """
    options = options or ContourOptions()
    found = RoiContours()
    smallest_pixels = options.smallest_island_mm2 / float(np.prod(pixel_spacing))
    sigma = tuple(options.smoothing_mm / distance for distance in pixel_spacing)
    for stack in plane_stacks(mask, border_for(sigma)):
        image = smoothed(stack, sigma) if options.smoothing_mm > 0 else _LevelImage(stack.inside)
        found.changed_pixels += image.changed
        components = _without_islands(_components(image), smallest_pixels, found)
        for polygon, is_hole in _polygons(components, image.inside, options.holes):
            placed = stack.plane_of(polygon[0, 1])
            found.contours.append(Contour(placed.plane, polygon + placed.shift, is_hole))
    found.contours.sort(key=lambda contour: contour.plane)
    return found


# -- the steps ---------------------------------------------------------------------------------------------------------


class _LevelImage:
    """Pixels as they are; the counterpart of SmoothedImage."""

    changed = 0
    level = _LEVEL

    def __init__(self, inside: np.ndarray) -> None:
        self.inside = inside
        self.field = inside.astype(np.float64)

    def rings(self, crossings: np.ndarray, ends: np.ndarray) -> list[Ring]:
        return level_rings(crossings, ends, self.inside)


def _components(image: _LevelImage | SmoothedImage) -> list[list[Ring]]:
    """For each connected piece its outer ring, then its holes.

    contourpy decides a saddle by the mean of its four corners. Of a 0/1 mask that is 0.5, which is not above the
    level, so that inside pixels are connected by edges only; ``smoothed`` sees to it that it holds there, too.
    """
    from contourpy import FillType, contour_generator

    # the direction of the points comes from here: OuterOffset runs outer rings one way and their holes the other
    generator = contour_generator(z=image.field, name="serial", fill_type=FillType.OuterOffset)
    pieces, offsets = generator.filled(image.level, _ABOVE)
    if not pieces:
        return []
    lengths = np.concatenate([np.diff(ends.astype(np.intp)) for ends in offsets])
    crossings = np.concatenate(pieces)
    is_first_again = np.zeros(len(crossings), dtype=bool)  # contourpy repeats a ring's first point at its end
    is_first_again[np.cumsum(lengths) - 1] = True
    rings = iter(image.rings(crossings[~is_first_again], np.cumsum(lengths - 1)))
    return [[next(rings) for _ring in range(len(ends) - 1)] for ends in offsets]


def _without_islands(components: list[list[Ring]], smallest_pixels: float, found: RoiContours) -> list[list[Ring]]:
    if smallest_pixels <= 0:
        return components
    kept = []
    for rings in components:
        enclosed = [ring.enclosed_pixels for ring in rings]
        if enclosed[0] < smallest_pixels:
            found.islands += 1
            found.island_pixels += enclosed[0] - sum(enclosed[1:])
        else:
            kept.append(rings)
    return kept


def _polygons(components: list[list[Ring]], inside: np.ndarray, holes: str) -> Iterator[tuple[np.ndarray, bool]]:
    """Points and whether they cut a hole, of each contour."""
    for rings in components:
        if holes == XOR:
            yield from ((ring.polygon, number > 0) for number, ring in enumerate(rings))
        elif len(rings) == 1:
            yield rings[0].polygon, False
        else:
            yield join_holes(rings[0], rings[1:], inside), False
