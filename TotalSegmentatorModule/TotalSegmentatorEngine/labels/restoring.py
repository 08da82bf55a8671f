"""Restores labels from the network's grid to the CT's.

Every voxel of the CT takes the label of the nearest voxel of the network's grid, as TotalSegmentator resamples its
labels. Here "turned" means the CT at its own spacing in the axes of the network's grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import Structure

from TotalSegmentatorEngine.preprocessing.resampling import Matrices, nearest_indices, zoom_matrix

if TYPE_CHECKING:
    from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region

_LABELS = 256


def restore_labels(
    labels: np.ndarray, grid: NetworkGrid, box: Region, on_plane: Callable[[float], None] = lambda share: None
) -> np.ndarray:
    """uint8 labels of the CT's own grid (k, j, i), C-contiguous. ``on_plane`` gets the done share 0..1; it may raise.

    ``labels`` (uint8, of the shape of ``box``) lie at ``box`` on the network's grid; outside of it is background.
    """
    own_order = range(3) if grid.reorientation is None else np.argsort(grid.reorientation.axes)
    restored = np.zeros([grid.full_shape[axis] for axis in own_order], dtype=np.uint8)
    turned = restored if grid.reorientation is None else grid.reorientation.view(restored)
    covered = _covered(grid, box)
    sources = [
        nearest[samples] - voxels.start for nearest, samples, voxels in zip(_nearest(grid), covered, box, strict=True)
    ]
    _take_into(turned[covered], labels, sources, on_plane)
    return restored


def found_on_grid(
    labels: np.ndarray,
    grid: NetworkGrid,
    box: Region,
    structures: Iterable[Structure],
    on_plane: Callable[[], None] = lambda: None,
) -> list[FoundStructure]:
    """What ``merging.found_structures`` finds in the restored labels, in the given order, without restoring them.

    ``labels`` and ``box`` as for ``restore_labels``. Counts and extents are of the voxels of the CT. ``on_plane`` is
    called again and again; it may raise to stop.
    """
    nearest = _nearest(grid)
    weights = [
        np.bincount(indices, minlength=size)[voxels]
        for indices, size, voxels in zip(nearest, grid.shape, box, strict=True)
    ]
    counts, occurs = _count(labels, weights, on_plane)
    own_indices = _own_indices(grid)
    found = []
    for structure in structures:
        if counts[structure.label] == 0:
            continue
        corners = np.empty((2, 3), dtype=np.intp)
        for axis in range(3):
            voxels = np.flatnonzero(occurs[axis][structure.label]) + box[axis].start
            corners[0, axis] = np.searchsorted(nearest[axis], voxels[0], side="left")
            corners[1, axis] = np.searchsorted(nearest[axis], voxels[-1], side="right") - 1
        extent = [n for own in reversed(own_indices) for n in sorted(int(own[tuple(corner)]) for corner in corners)]
        found.append(FoundStructure(structure.label, structure.name, int(counts[structure.label]), extent))
    return found


def smooth_matrices(grid: NetworkGrid, region: Region) -> tuple[Matrices, Region]:
    """Linear interpolation from corner to corner, from ``region`` of the network's grid to the turned CT.

    Gives for each axis a float32 matrix (voxels of the CT, voxels of the region), and the box of those voxels in the
    turned CT: the ones whose nearest voxel of the grid lies in the region. Along an axis without such a voxel the
    slice is empty and the matrix has no rows. At the region's edge a row has only the voxels inside; its weights are
    scaled so that they still add up to 1.
    """
    covered = _covered(grid, region)
    matrices = []
    for size, wanted, samples, voxels in zip(grid.shape, grid.full_shape, covered, region, strict=True):
        matrix = zoom_matrix(size, wanted, 1)[samples, voxels]
        # the nearest voxel has at least half of the weight, so no row is empty
        matrices.append(matrix / matrix.sum(axis=1, keepdims=True))
    return tuple(matrices), covered


def _nearest(grid: NetworkGrid) -> list[np.ndarray]:
    """Along each axis for each voxel of the turned CT the nearest one of the grid; these never decrease."""
    return [nearest_indices(size, wanted) for size, wanted in zip(grid.shape, grid.full_shape, strict=True)]


def _covered(grid: NetworkGrid, region: Region) -> Region:
    """The voxels of the turned CT whose nearest voxel of the grid lies in the region."""
    return tuple(
        slice(int(np.searchsorted(nearest, voxels.start)), int(np.searchsorted(nearest, voxels.stop)))
        for nearest, voxels in zip(_nearest(grid), region, strict=True)
    )


def _take_into(
    target: np.ndarray, labels: np.ndarray, sources: Sequence[np.ndarray], on_plane: Callable[[float], None]
) -> None:
    """target[z, y, x] = labels[sources[0][z], sources[1][y], sources[2][x]], whatever the strides of ``target``."""
    # walks through the target as it lies in memory: several times faster than across it
    order = sorted(range(3), key=lambda axis: abs(target.strides[axis]), reverse=True)
    forward = tuple(slice(None, None, -1) if target.strides[axis] < 0 else slice(None) for axis in order)
    target = target.transpose(order)[forward]
    planes = np.ascontiguousarray(labels.transpose(order))
    slices, rows, columns = (sources[axis][step] for axis, step in zip(order, forward, strict=True))
    source, plane = -1, None
    for position, index in enumerate(slices):
        on_plane(position / len(slices))
        if index != source:
            source, plane = index, planes[index].take(columns, axis=1).take(rows, axis=0)
        target[position] = plane


def _count(
    labels: np.ndarray, weights: Sequence[np.ndarray], on_plane: Callable[[], None]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """For each label the sum of weights[0][z] * weights[1][y] * weights[2][x] over its voxels (int64), and for each
    axis a table (label, position): whether the label has a voxel there that counts."""
    counts = np.zeros(_LABELS, dtype=np.int64)
    occurs = [np.zeros((_LABELS, size), dtype=bool) for size in labels.shape]
    plane_weights = np.multiply.outer(weights[1], weights[2]).ravel()
    for position, weight in enumerate(weights[0]):
        on_plane()
        plane = labels[position].ravel()
        voxels = np.flatnonzero(plane)
        voxels = voxels[plane_weights[voxels] > 0]
        if weight == 0 or voxels.size == 0:
            continue
        here = plane[voxels]
        in_plane = np.bincount(here, weights=plane_weights[voxels], minlength=_LABELS)  # float64, exact up to 2**53
        counts += weight * in_plane.astype(np.int64)
        occurs[0][:, position] = in_plane > 0
        rows, columns = np.divmod(voxels, labels.shape[2])
        occurs[1][here, rows] = True
        occurs[2][here, columns] = True
    return counts, occurs


def _own_indices(grid: NetworkGrid) -> list[np.ndarray]:
    """Three arrays over the turned CT, which take no memory: each voxel's k, j and i on the CT's own grid."""
    own_order = range(3) if grid.reorientation is None else np.argsort(grid.reorientation.axes)
    shape = [grid.full_shape[axis] for axis in own_order]
    indices = [np.broadcast_to(line, shape) for line in np.indices(shape, sparse=True)]
    return indices if grid.reorientation is None else [grid.reorientation.view(index) for index in indices]
