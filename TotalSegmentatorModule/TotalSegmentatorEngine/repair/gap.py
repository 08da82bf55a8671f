"""Bridges a gap in a tube: grows from one end to the other through tissue that looks like the tube."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_opening, distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.mask_pieces import numbered_pieces
from TotalSegmentatorEngine.repair.pieces import piece_at

LONGEST_GAP_MM = 80.0
"""A longer one is not bridged: there is too much to choose from, and the user draws it better. The longest missing part
of an iliac artery or colon that a contour of a few slices on both sides explains."""
HU_PERCENTILES = (2.0, 98.0)
"""What the tube's voxels near the gap have, without the outliers of its wall."""
HU_MARGIN = 20.0
"""Noise and the change of contrast along a vessel."""
NEAR_MM = 40.0
"""From the gap's ends: how far the tube is looked at for its CT numbers and its radius."""
SMOOTH_MM = 1.0
"""Standard deviation of the filter against noise before the CT numbers are compared."""


@dataclass(frozen=True)
class _Ends:
    """Where the two pieces should meet; indices (k, j, i)."""

    first: np.ndarray
    second: np.ndarray
    length_mm: float


def bridge(mask: np.ndarray, taken: np.ndarray, ct: np.ndarray, spacing: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The structure with the gap nearest to ``place`` bridged.

    ``mask``: bool (k, j, i) with at least two pieces; ``taken``: voxels of other structures, which stay theirs; ``ct``:
    HU; ``spacing``: mm along (k, j, i); ``place``: index (k, j, i, not rounded). Raises SegmentationError:
    REPAIR_NO_GAP (one piece only), REPAIR_GAP_LONG, REPAIR_NO_BRIDGE.
    """
    first, second = _pieces_at(mask, place)
    ends = _ends(first, second, spacing)
    if ends.length_mm > LONGEST_GAP_MM:
        raise SegmentationError("REPAIR_GAP_LONG", length_mm=round(ends.length_mm), longest_mm=round(LONGEST_GAP_MM))
    tube = first | second
    near = tube & (_distance_to_points([ends.first, ends.second], mask.shape, spacing) <= NEAR_MM)
    radius_mm = float(np.percentile(distance_transform_edt(tube, sampling=spacing)[near], 95)) + spacing.max()
    corridor = _distance_to_segment(ends, mask.shape, spacing) <= max(2 * radius_mm, 0.35 * ends.length_mm + radius_mm)
    smooth = gaussian_filter(ct.astype(np.float32), SMOOTH_MM / spacing)
    low, high = np.percentile(smooth[near], HU_PERCENTILES)
    candidates = corridor & ~taken & (smooth >= low - HU_MARGIN) & (smooth <= high + HU_MARGIN)
    grown = _connection(candidates & ~mask, first, second, spacing, radius_mm)
    return mask | grown


def _pieces_at(mask: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two pieces nearest to ``place``."""
    first = piece_at(mask, place)
    rest = mask & ~first
    if not rest.any():
        raise SegmentationError("REPAIR_NO_GAP")
    return first, piece_at(rest, place)


def _ends(first: np.ndarray, second: np.ndarray, spacing: np.ndarray) -> _Ends:
    """The nearest voxels of the two pieces."""
    of_first, of_second = np.argwhere(first), np.argwhere(second)
    distances, nearest = cKDTree(of_second * spacing).query(of_first * spacing)
    best = int(np.argmin(distances))
    return _Ends(of_first[best], of_second[nearest[best]], float(distances[best]))


def _connection(
    candidates: np.ndarray, first: np.ndarray, second: np.ndarray, spacing: np.ndarray, radius_mm: float
) -> np.ndarray:
    """The part of ``candidates`` that touches both pieces, without the leaks that are thinner than the tube. Raises
    SegmentationError("REPAIR_NO_BRIDGE")."""
    for opening_mm in (radius_mm / 2, radius_mm / 4, 0.0):
        opened = (
            candidates if opening_mm == 0 else binary_opening(candidates | first | second, _ball(opening_mm, spacing))
        )
        numbers = numbered_pieces(opened & ~first & ~second)
        touching = [set(np.unique(numbers[_grown(piece)])) - {0} for piece in (first, second)]
        both = sorted(touching[0] & touching[1])
        if both:
            return np.isin(numbers, both)
    raise SegmentationError("REPAIR_NO_BRIDGE")


def _grown(mask: np.ndarray) -> np.ndarray:
    """With all voxels that touch it."""
    return distance_transform_edt(~mask) < 1.8


def _ball(radius_mm: float, spacing: np.ndarray) -> np.ndarray:
    reach = np.maximum((radius_mm / spacing).astype(int), 0)
    offsets = np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
    return sum((offset * step) ** 2 for offset, step in zip(offsets, spacing, strict=True)) <= radius_mm**2


def _distance_to_points(points: list[np.ndarray], shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    """mm from each voxel to the nearest of the indices."""
    outside = np.ones(shape, bool)
    for point in points:
        outside[tuple(point)] = False
    return distance_transform_edt(outside, sampling=spacing)


def _distance_to_segment(ends: _Ends, shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    """mm from each voxel to the straight line between the ends."""
    start, along = ends.first * spacing, (ends.second - ends.first) * spacing
    grids = np.ogrid[tuple(slice(0, size) for size in shape)]
    offsets = [grid * step - first for grid, step, first in zip(grids, spacing, start, strict=True)]
    length2 = max(float(along @ along), 1e-9)
    share = np.clip(sum(offset * part for offset, part in zip(offsets, along, strict=True)) / length2, 0.0, 1.0)
    return np.sqrt(sum((offset - share * part) ** 2 for offset, part in zip(offsets, along, strict=True)))
