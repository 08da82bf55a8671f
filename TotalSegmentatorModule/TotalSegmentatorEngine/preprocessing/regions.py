"""Where in a CT a network has to run: regions of a grid, found on a coarser one, widened where a structure is cut."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

import cc3d
import numpy as np
from scipy import ndimage

from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region

MARGIN_MM = 20.0
"""Between a structure's box on the coarse grid and the region's border, on each side; as TotalSegmentator's
``roi_subset`` adds to its crop (2.18, nnunet.py, ``addon``)."""
WIDENING_MM = 60.0
"""By how much a region grows on each side where a structure reaches its border."""
_SMALLEST_PIECE = 0.05
"""Components of a structure below this share of its largest one are strays: a single voxel far away would make a region
of nearly the whole body. A larger one that was missed is found where it reaches the region's border."""


def boxes_by_label(labels: np.ndarray, known: Collection[int]) -> dict[int, Region]:
    """The box of each of the ``known`` labels that occurs in ``labels`` (z, y, x) uint8."""
    return {
        label: box
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None and label in known
    }


def large_pieces(labels: np.ndarray, label: int, box: Region) -> list[Region]:
    """Boxes of a label's connected components without its strays; ``box`` encloses them all."""
    found = cc3d.statistics(cc3d.connected_components(labels[box] == label, connectivity=6))
    sizes = found["voxel_counts"][1:]  # the background comes first
    return [
        tuple(slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(box, piece, strict=True))
        for piece, size in zip(found["bounding_boxes"][1:], sizes, strict=True)
        if size >= _SMALLEST_PIECE * sizes.max()
    ]


def enclosing(regions: Iterable[Region]) -> Region | None:
    """The smallest region that contains all of them; None for none."""
    regions = list(regions)
    if not regions:
        return None
    return tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*regions, strict=True)
    )


def on_finer_grid(box: Region, coarse: NetworkGrid, fine: NetworkGrid, margin_mm: float = MARGIN_MM) -> Region:
    """A box of the ``coarse`` grid on the ``fine`` one of the same CT, with a margin on every side.

    Both grids lie corner to corner on the CT, so index i of one is i (m-1)/(n-1) of the other. Half a coarse voxel is
    added, which its label may cover.
    """
    region = []
    for axis, part in enumerate(box):
        size, wanted = coarse.shape[axis], fine.shape[axis]
        if size == 1:  # one voxel covers the whole axis
            region.append(slice(0, wanted))
            continue
        factor = (wanted - 1) / (size - 1)
        margin = margin_mm / fine.spacing[axis]
        first = math.floor((part.start - 0.5) * factor - margin)
        last = math.ceil((part.stop - 0.5) * factor + margin)
        region.append(slice(max(first, 0), min(max(last, first) + 1, wanted)))
    return tuple(region)


def extended(region: Region, shape: Sequence[int], patch_size: Sequence[int], step: float) -> Region:
    """The region extended, within a grid of ``shape``, to the most that the same number of tiles covers.

    Context beyond a structure helps the network, and costs nothing as long as no tile is added. ``patch_size`` is
    in the grid's axes. nnU-Net's rule: tiles along an axis = ceil((size - patch) / (patch x step)) + 1.
    """
    grown = []
    for part, size, patch in zip(region, shape, patch_size, strict=True):
        length = part.stop - part.start
        tiles = _tiles_along(length, patch, step)
        largest = min(patch + math.floor((tiles - 1) * patch * step), size)
        while largest > length and _tiles_along(largest, patch, step) > tiles:
            largest -= 1  # the product was rounded up to a whole number
        first = min(max(part.start - (largest - length) // 2, 0), size - largest)
        grown.append(slice(first, first + largest) if largest > length else part)
    return tuple(grown)


def _tiles_along(length: int, patch: int, step: float) -> int:
    return 1 if length <= patch else math.ceil((length - patch) / (patch * step)) + 1


def cut_sides(labels: np.ndarray, region: Region, shape: Sequence[int], wanted: Iterable[int]) -> list[tuple[int, int]]:
    """Sides of the region at which one of the ``wanted`` labels ends because the region does.

    ``labels`` (z, y, x) are those of the region; ``shape`` is the grid's. A side is (axis, -1 or 1). The grid's own
    border is where the CT ends, so it cuts nothing; nor does a stray count as cut, which would make
    the region grow in vain.
    """
    inner = {(axis, -1) for axis, part in enumerate(region) if part.start > 0}
    inner |= {(axis, 1) for axis, (part, size) in enumerate(zip(region, shape, strict=True)) if part.stop < size}
    return sorted(inner & set(_labels_by_side(labels, set(wanted)))) if inner else []


def labels_at(labels: np.ndarray, sides: Iterable[tuple[int, int]]) -> set[int]:
    """The labels that reach these sides of ``labels`` (z, y, x) with more than a stray."""
    by_side = _labels_by_side(labels, set(range(1, 256)))
    return {label for side in sides for label in by_side.get(side, ())}


def _labels_by_side(labels: np.ndarray, wanted: set[int]) -> dict[tuple[int, int], set[int]]:
    by_side: dict[tuple[int, int], set[int]] = {}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or label not in wanted or not _sides_of(box, labels.shape):
            continue
        for piece in large_pieces(labels, label, box):
            for side in _sides_of(piece, labels.shape):
                by_side.setdefault(side, set()).add(label)
    return by_side


def _sides_of(box: Region, shape: Sequence[int]) -> list[tuple[int, int]]:
    """The sides of an array of ``shape`` that the box touches."""
    first = [(axis, -1) for axis, part in enumerate(box) if part.start == 0]
    return first + [(axis, 1) for axis, (part, size) in enumerate(zip(box, shape, strict=True)) if part.stop == size]


def widened(region: Region, sides: Iterable[tuple[int, int]], grid: NetworkGrid) -> Region:
    """The region with WIDENING_MM more on each of the ``sides``, within the grid."""
    parts = list(region)
    for axis, direction in sides:
        more = math.ceil(WIDENING_MM / grid.spacing[axis])
        part = parts[axis]
        if direction < 0:
            parts[axis] = slice(max(part.start - more, 0), part.stop)
        else:
            parts[axis] = slice(part.start, min(part.stop + more, grid.shape[axis]))
    return tuple(parts)


def contains(outer: Region, inner: Region) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))


def shape_of(region: Region) -> tuple[int, int, int]:
    return tuple(part.stop - part.start for part in region)
