"""Pixel padding becomes air.

Pixel Padding Value (0028,0120), with Pixel Padding Range Limit (0028,0121) a range, names stored values that mean "no
image here", mostly outside the round field of a scanner (PS3.3 C.7.5.1.1.2). Rescaled like a measurement it is anything
from -3024 to 64512 HU, and a network sees metal or nothing known in it.

Some headers state a padding value that real pixels have too, such as 0 in a CT that is stored in HU. So a stated value
is believed everywhere only where it lies outside what a CT measures; otherwise only in the flat areas that begin at the
corners of a slice, as those outside a round field do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader

AIR_HU = -1024
"""What padding becomes: the lowest value of the customary scale (stored 0, Rescale Intercept -1024)."""

HIGHEST_MEASURED_HU = 3071
"""Top of the customary 12-bit scale."""

HIGHEST_AIR_HU = -900
"""Padding between AIR_HU and this is air already and is left as it is."""

SMALLEST_FLAT_AREA = 4
"""Pixels of one value side by side: fewer are the noise of a measurement."""

_log = logging.getLogger(__name__)

Range = tuple[float, float]
"""Lowest and highest HU of padding, widened by half a stored step."""


def padding_range(header: SliceHeader) -> Range | None:
    """The rescaled padding values of a slice; None where its header states none, or a Range Limit alone."""
    if not header.padding:
        return None
    ends = [_as_stored(value, header) * header.slope + header.intercept for value in header.padding]
    half = abs(header.slope) / 2
    return min(ends) - half, max(ends) + half


def _as_stored(value: int, header: SliceHeader) -> int:
    """The 16 bits of ``value`` as the pixels' own format takes them: the element's own sign (US or SS) is often wrong,
    and a decoder drops the bits above Bits Stored."""
    allocated, stored, is_signed = header.stored_type
    bits = stored if 0 < stored <= allocated else (allocated or 16)
    value &= (1 << bits) - 1
    return value - (1 << bits) if is_signed and value >> (bits - 1) else value


def is_unmeasured(found: Range | None) -> bool:
    """True for a range of values that no CT measures: whatever has one of them is padding."""
    return found is not None and (found[1] < AIR_HU or found[0] > HIGHEST_MEASURED_HU)


def with_air(
    planes: np.ndarray, ranges: Sequence[Range | None], listen: Callable[[], None] = lambda: None
) -> np.ndarray:
    """``planes`` (slices, rows, columns) in HU, padding turned to AIR_HU; ``ranges``: what is padding in each of them.

    Changes ``planes`` in place unless its type cannot hold AIR_HU. ``listen`` is called for each slice.
    """
    if not any(ranges):
        return planes
    if planes.dtype.kind == "u" or planes.dtype.itemsize == 1:
        planes = planes.astype(np.int32 if planes.dtype.itemsize <= 2 else np.int64)
    count = 0
    for plane, found in zip(planes, ranges, strict=True):
        listen()
        if found:
            count += _fill(plane, *found)
    if count:
        _log.info("%d voxels of pixel padding became air", count)
    return planes


def _fill(plane: np.ndarray, lowest: float, highest: float) -> int:
    """Turns the padding of one slice to air; returns how many pixels those were."""
    if is_unmeasured((lowest, highest)):
        mask = (plane >= lowest) & (plane <= highest)
    else:
        mask = _flat_corners(plane, lowest, highest) | ((plane >= lowest) & (plane < AIR_HU))
    count = int(np.count_nonzero(mask))
    if count:
        plane[mask] = AIR_HU
    return count


def _flat_corners(plane: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """The areas of one value that begin at a corner whose value is padding, but no air already."""
    from scipy.ndimage import label

    mask = np.zeros(plane.shape, bool)
    for j, i in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        value = plane[j, i]
        if mask[j, i] or not lowest <= value <= highest or AIR_HU <= value <= HIGHEST_AIR_HU:
            continue
        areas, _ = label(plane == value)
        area = areas == areas[j, i]
        if np.count_nonzero(area) >= SMALLEST_FLAT_AREA:
            mask |= area
    return mask
