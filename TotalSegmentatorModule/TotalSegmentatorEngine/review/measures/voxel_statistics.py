"""Number, box and centre of the voxels of labels, and which labels two images have at other places.

Images are [S, A, R] or any other order of axes, the same for boxes and centres.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import cc3d
import numpy as np

Box = tuple[slice, slice, slice]

_PLANES_AT_ONCE = 32
"""Less than 0.1 s for 512 x 512 voxels a plane."""
_FEWEST_FOR_A_PASS = 12
"""To look at all labels in one pass takes as long as to look for so many one by one."""


@dataclass(frozen=True, eq=False)
class VoxelStatistics:
    """Of one label."""

    voxels: int
    box: Box
    """Its faces touch voxels."""
    centre: np.ndarray
    """An index, between voxels."""


def statistics_of(
    image: np.ndarray, labels: Collection[int], check_cancelled: Callable[[], None]
) -> dict[int, VoxelStatistics]:
    """Those of ``labels`` that have a voxel. ``image``: unsigned whole numbers."""
    if len(labels) >= _FEWEST_FOR_A_PASS:
        found = _of_all(image, check_cancelled)
        return {label: found[label] for label in labels if label in found}
    single = {}
    for label in labels:
        check_cancelled()
        single[label] = _of_one(image, label)
    return {label: measured for label, measured in single.items() if measured is not None}


def labels_that_differ(before: np.ndarray, after: np.ndarray) -> set[int]:
    """The labels of all voxels at which two images of the same shape differ, in the one and in the other."""
    differing: set[int] = set()
    order = _memory_order(after)
    for old, new in zip(order.view(before), order.view(after), strict=True):
        where = old != new
        if where.any():
            differing.update(np.unique(old[where]).tolist(), np.unique(new[where]).tolist())
    return differing


def _of_all(image: np.ndarray, check_cancelled: Callable[[], None]) -> Mapping[int, VoxelStatistics]:
    """A slab at a time: cc3d lets nobody interrupt it."""
    found: dict[int, VoxelStatistics] = {}
    for first in range(0, len(image), _PLANES_AT_ONCE):
        check_cancelled()
        measured = cc3d.statistics(image[first : first + _PLANES_AT_ONCE])
        for label in np.flatnonzero(measured["voxel_counts"]).tolist():
            if label:
                planes, *others = measured["bounding_boxes"][label]
                box = (slice(planes.start + first, planes.stop + first), *others)
                centre = measured["centroids"][label] + [first, 0, 0]
                part = VoxelStatistics(int(measured["voxel_counts"][label]), box, centre)
                found[label] = _joined(found[label], part) if label in found else part
    return found


def _joined(one: VoxelStatistics, other: VoxelStatistics) -> VoxelStatistics:
    voxels = one.voxels + other.voxels
    box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True))
    return VoxelStatistics(voxels, box, (one.centre * one.voxels + other.centre * other.voxels) / voxels)


def _of_one(image: np.ndarray, label: int) -> VoxelStatistics | None:
    order = _memory_order(image)
    ordered = order.view(image)
    box = _box_of(ordered, label)
    if box is None:
        return None
    mask = ordered[box] == label
    along = [mask.sum(axis=others) for others in ((1, 2), (0, 2), (0, 1))]
    centre = [
        np.dot(counts, np.arange(len(counts))) / counts.sum() + part.start
        for counts, part in zip(along, box, strict=True)
    ]
    return order.undone(VoxelStatistics(int(along[0].sum()), box, np.array(centre)), ordered.shape)


def _box_of(ordered: np.ndarray, label: int) -> Box | None:
    """None without a voxel. A plane at a time, which fits into the cache."""
    planes, seen = [], np.zeros(ordered.shape[1:], bool)
    for number, plane in enumerate(ordered):
        inside = plane == label
        if inside.any():
            planes.append(number)
            seen |= inside
    if not planes:
        return None
    spans = [np.flatnonzero(seen.any(axis=other)) for other in (1, 0)]
    return (slice(planes[0], planes[-1] + 1), *(slice(int(span[0]), int(span[-1]) + 1) for span in spans))


@dataclass(frozen=True)
class _MemoryOrder:
    """The order of axes in which neighbours lie side by side in memory: everything is several times as fast in it."""

    axes: tuple[int, ...]
    is_reversed: tuple[bool, ...]
    """Of each of ``axes``."""

    def view(self, image: np.ndarray) -> np.ndarray:
        steps = tuple(slice(None, None, -1 if each else None) for each in self.is_reversed)
        return image.transpose(self.axes)[steps]

    def undone(self, found: VoxelStatistics, shape: tuple[int, ...]) -> VoxelStatistics:
        """``found`` in an image of ``shape`` in this order, as in the image itself."""
        box, centre = list(found.box), found.centre.copy()
        for position, (axis, is_reversed) in enumerate(zip(self.axes, self.is_reversed, strict=True)):
            part, size = found.box[position], shape[position]
            box[axis] = slice(size - part.stop, size - part.start) if is_reversed else part
            centre[axis] = size - 1 - found.centre[position] if is_reversed else found.centre[position]
        return VoxelStatistics(found.voxels, tuple(box), centre)


def _memory_order(image: np.ndarray) -> _MemoryOrder:
    axes = tuple(sorted(range(image.ndim), key=lambda axis: -abs(image.strides[axis])))
    return _MemoryOrder(axes, tuple(image.strides[axis] < 0 for axis in axes))
