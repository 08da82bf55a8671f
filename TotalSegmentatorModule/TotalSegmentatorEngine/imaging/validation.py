"""What every CT must pass before a network sees it, whatever file or wire it came by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry

MINIMUM_VOXELS = 3
"""Fewest voxels along each axis. The pipelines resample from corner voxel to corner voxel, which one slice cannot be;
two or three slices are what scouts have, never a scan. Thin slabs from 3 slices on run, however poor the result."""

HIGHEST_PLAUSIBLE_MINIMUM_HU = -200
"""A CT holds air, or at least fat (about -100 HU) with its noise. An image that never falls below this was windowed,
rescaled to 0..255, stored without its intercept of -1024, or is no CT."""

LOWEST_PLAUSIBLE_MAXIMUM_HU = 100
"""A CT of a person holds bone or contrast medium; a maximum below this means rescaled or windowed values."""

SIXTEEN_BITS = (-32768, 65535)
"""Scanners store 16 bits a pixel; a value beyond them was not measured."""


SMALLEST_SPACING_MM, LARGEST_SPACING_MM = 0.05, 10.0
"""Micro-CTs of specimens are finer; no CT of a person is coarser in plane, not even for attenuation correction."""

SMALLEST_EXTENT_MM, LARGEST_EXTENT_MM = 20.0, 2200.0
"""A tooth or one vertebra is wider; the longest tables scan 2 m."""

ENDS_OF_16_BITS = (-32768, 32767, 65535)
"""Marks, padding and overflows; no proof of a CT."""

_SLICES_AT_ONCE = 32


def check_volume(volume: Volume, listen: Callable[[], None] = lambda: None) -> list[Problem]:
    """Refuses what cannot be segmented and returns warnings about what looks odd.

    Costs one minimum and one maximum over the array (0.1 s for 512x512x400), whatever its type. ``listen`` is called
    before each slab; it may raise to stop.

    Raises SegmentationError: INPUT_TOO_FEW_SLICES, INPUT_DEGENERATE_DIRECTION, INPUT_SHEARED, INPUT_NON_FINITE.
    """
    check_size(volume.geometry.shape)
    check_geometry(volume.geometry)
    lowest, highest = _extremes(volume.array, listen)
    if not (np.isfinite(lowest) and np.isfinite(highest)):  # NaN anywhere makes both NaN
        count = volume.array.size - int(np.count_nonzero(np.isfinite(volume.array)))
        raise SegmentationError("INPUT_NON_FINITE", count=count)
    if lowest == ENDS_OF_16_BITS[0] or highest in ENDS_OF_16_BITS[1:]:
        lowest, highest = _extremes(volume.array, listen, ENDS_OF_16_BITS)
    if is_plausible(lowest, highest):
        return []
    return [Problem("IMPLAUSIBLE_HU", {"minimum": lowest, "maximum": highest})]


def _extremes(array: np.ndarray, listen: Callable[[], None], ignored: tuple[int, ...] = ()) -> tuple[float, float]:
    """The lowest and the highest value beside those that are ``ignored``; NaN where there is one, 0 where all are
    ignored."""
    found = []
    for first in range(0, len(array), _SLICES_AT_ONCE):
        listen()
        slab = array[first : first + _SLICES_AT_ONCE]
        measured = slab[~np.isin(slab, ignored)] if ignored else slab
        if measured.size:
            found += [float(measured.min()), float(measured.max())]
    return (float(np.min(found)), float(np.max(found))) if found else (0.0, 0.0)


def check_size(shape: tuple[int, ...]) -> None:
    """Raises SegmentationError("INPUT_TOO_FEW_SLICES") for a shape (k, j, i) with an axis below MINIMUM_VOXELS."""
    if min(shape) < MINIMUM_VOXELS:
        raise SegmentationError("INPUT_TOO_FEW_SLICES", voxels=int(min(shape)), minimum=MINIMUM_VOXELS)


def check_extent(geometry: Geometry) -> None:
    """Refuses a grid of an unlikely size: most often its lengths are in another unit, or its voxel sizes are made up.

    In plane means the two axes with the smaller voxels, and the two longer ones: a slab may be thin, its slices thick.
    Raises SegmentationError("INPUT_SIZE_UNLIKELY").
    """
    spacing = geometry.spacing
    extents = sorted(step * size for step, size in zip(spacing, reversed(geometry.shape), strict=True))
    finest, in_plane = sorted(spacing)[:2]
    detail = ""
    if finest < SMALLEST_SPACING_MM:
        detail = f"its voxels are {finest:.3g} mm apart"
    elif in_plane > LARGEST_SPACING_MM:
        detail = f"its voxels are {in_plane:.3g} mm apart in the slices"
    elif extents[2] > LARGEST_EXTENT_MM:
        detail = f"it is {extents[2]:.0f} mm long"
    elif extents[1] < SMALLEST_EXTENT_MM:
        detail = f"it is {extents[1]:.3g} mm wide"
    if detail:
        raise SegmentationError("INPUT_SIZE_UNLIKELY", detail=detail)


def is_plausible(lowest: float, highest: float) -> bool:
    """True where a CT in Hounsfield units can have these extremes."""
    return (
        SIXTEEN_BITS[0] <= lowest < HIGHEST_PLAUSIBLE_MINIMUM_HU
        and LOWEST_PLAUSIBLE_MAXIMUM_HU < highest <= SIXTEEN_BITS[1]
    )
