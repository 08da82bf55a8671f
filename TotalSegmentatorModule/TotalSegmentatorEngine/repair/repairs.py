"""One repair of one structure: which segments get which voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_rules import Repair

from TotalSegmentatorEngine.export.core.segmentation import Segment
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.mask_pieces import largest_piece
from TotalSegmentatorEngine.repair.gap import bridge
from TotalSegmentatorEngine.repair.pieces import filled, piece_at, without_islands

_AROUND_GAP_MM = 25.0
"""A bridge may leave the box of its tube so far."""


@dataclass(frozen=True)
class RepairOrder:
    kind: str
    """One of Repair.ALL that changes voxels."""
    segment_id: str
    other_id: str = ""
    """For MOVE_PIECE the segment that gets the piece, none for the background; for MERGE_INTO the one that gets all."""
    makes_other: bool = False
    """For MOVE_PIECE: the other segment is not there yet."""
    place_ras_mm: tuple[float, float, float] | None = None
    """For BRIDGE_GAP and MOVE_PIECE, in the space of the CT's own matrix."""
    smallest_ml: float = 0.0
    """For REMOVE_ISLANDS."""


def repaired(
    placed: PlacedSegmentation, order: RepairOrder, read_ct: Callable[[], Volume | None]
) -> dict[str, VoxelMask]:
    """Segment ids to their new voxels; those that do not change are not in it.

    ``read_ct``: HU on the grid of ``placed``; only BRIDGE_GAP needs it. Raises SegmentationError: REPAIR_NO_SEGMENT,
    REPAIR_NEEDS_CT, and what ``bridge`` raises.
    """
    segment = _segment(placed, order.segment_id)
    mask = placed.mask(segment)
    if mask.is_empty:
        return {}
    if order.kind in (Repair.MOVE_PIECE, Repair.MERGE_INTO):
        changed = _moved(placed, order, mask)
    else:
        changed = {order.segment_id: _mended(placed, order, segment, mask, read_ct)}
    if order.makes_other:
        return changed
    return {each: new for each, new in changed.items() if not _is_same(new, placed.mask(_segment(placed, each)))}


def _mended(
    placed: PlacedSegmentation,
    order: RepairOrder,
    segment: Segment,
    mask: VoxelMask,
    read_ct: Callable[[], Volume | None],
) -> VoxelMask:
    if order.kind == Repair.LARGEST_PIECE:
        return VoxelMask.cropped(largest_piece(mask.voxels), mask.start, mask.shape)
    if order.kind == Repair.REMOVE_ISLANDS:
        kept = without_islands(mask.voxels, order.smallest_ml / placed.grid.voxel_ml)
        return VoxelMask.cropped(kept, mask.start, mask.shape)
    if order.kind == Repair.FILL_HOLES:
        inside, low = _padded(mask, np.ones(3, int))
        return VoxelMask.cropped(
            inside | (filled(inside) & ~_taken(placed, segment, low, inside.shape)), low, mask.shape
        )
    if order.kind == Repair.BRIDGE_GAP:
        volume = read_ct()
        if volume is None:
            raise SegmentationError("REPAIR_NEEDS_CT")
        spacing = np.array(placed.grid.spacing[::-1])
        inside, low = _padded(mask, np.ceil(_AROUND_GAP_MM / spacing).astype(int))
        box = tuple(slice(first, first + size) for first, size in zip(low, inside.shape, strict=True))
        taken = _taken(placed, segment, low, inside.shape)
        place = _index(placed, order) - low
        return VoxelMask.cropped(bridge(inside, taken, volume.array[box], spacing, place), low, mask.shape)
    raise SegmentationError("BAD_REQUEST", detail="kind")


def _moved(placed: PlacedSegmentation, order: RepairOrder, mask: VoxelMask) -> dict[str, VoxelMask]:
    whole = order.kind == Repair.MERGE_INTO
    piece = mask.voxels if whole else piece_at(mask.voxels, _index(placed, order) - mask.start)
    changed = {order.segment_id: VoxelMask.cropped(mask.voxels & ~piece, mask.start, mask.shape)}
    if order.makes_other and order.other_id:
        changed[order.other_id] = VoxelMask.cropped(piece, mask.start, mask.shape)
    elif order.other_id:
        other = placed.mask(_segment(placed, order.other_id))
        changed[order.other_id] = union([other, VoxelMask.cropped(piece, mask.start, mask.shape)])
    elif whole:
        raise SegmentationError("BAD_REQUEST", detail="other_id")
    return changed


def _segment(placed: PlacedSegmentation, segment_id: str) -> Segment:
    found = next((segment for segment in placed.segments if segment.id == segment_id), None)
    if found is None:
        raise SegmentationError("REPAIR_NO_SEGMENT")
    return found


def _index(placed: PlacedSegmentation, order: RepairOrder) -> np.ndarray:
    """k, j, i, not rounded, of the order's place."""
    if order.place_ras_mm is None:
        raise SegmentationError("BAD_REQUEST", detail="place_ras_mm")
    return (np.linalg.inv(placed.grid.ijk_to_ras) @ [*order.place_ras_mm, 1.0])[2::-1]


def _padded(mask: VoxelMask, margin: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    """The voxels with ``margin`` (k, j, i) around them as far as the grid goes, and the first voxel's index."""
    low = np.maximum(np.array(mask.start) - margin, 0)
    high = np.minimum(np.array(mask.start) + mask.voxels.shape + margin, mask.shape)
    start = tuple(int(first) for first in low)
    return mask.part(start, high - low), start


def _taken(
    placed: PlacedSegmentation, segment: Segment, low: tuple[int, int, int], shape: tuple[int, ...]
) -> np.ndarray:
    """bool of the box that begins at ``low``: the voxels of other structures."""
    taken = np.zeros(shape, bool)
    for other in placed.segments:
        box = None if other.id == segment.id else placed.box(other)
        if box is not None and all(
            part.start < first + size and first < part.stop for part, first, size in zip(box, low, shape, strict=True)
        ):
            taken |= placed.mask(other).part(low, shape)
    return taken


def _is_same(one: VoxelMask, other: VoxelMask) -> bool:
    if one.is_empty or other.is_empty:
        return one.is_empty == other.is_empty
    return one.start == other.start and np.array_equal(one.voxels, other.voxels)
