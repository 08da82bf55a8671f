"""Puts the segments of a segmentation onto a CT's grid, whatever the extents of their layers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Geometry

ALIGNED_VOXELS = 0.02
"""Two lattices are the same one where no corner of a layer lies further from a voxel of the CT, in voxels: headers
round, and a boundary is drawn half a voxel from the nearest centre."""

BEYOND_VOXELS = 1.0
"""A resampled segment may reach so far beyond the outermost voxel centres of the CT, in voxels: a finer grid covers
the outer halves of the CT's voxels."""

LARGEST_COUNTED_LABEL = 65535
"""SciPy makes room for every value up to the largest; where that is larger, the values are numbered first."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class _PlacedLayer:
    array: np.ndarray
    """The layer's voxels, its axes in the order and direction of the grid's where it is aligned."""
    start: tuple[int, int, int] | None
    """k, j, i of the grid for the array's first voxel; None for a layer that must be resampled."""
    to_layer: np.ndarray
    """4x4: k, j, i indices of the grid to indices of ``array``."""

    @cached_property
    def boxes(self) -> dict[int, Box]:
        """Label value to the box of ``array`` that holds it."""
        return _boxes(self.array)


class PlacedSegmentation:
    """Gives each segment's voxels on ``grid``. To ask for a segment that has voxels outside of the grid raises
    SegmentationError("EXPORT_GEOMETRY_DIFFERS"); one that nobody asks for does no harm."""

    def __init__(self, segmentation: Segmentation, grid: Geometry, field_of_view: Box | None = None) -> None:
        """``field_of_view``: the part of the grid on which the segmentation was made, all of it by default."""
        self.grid = grid
        self._field_of_view = field_of_view or tuple(slice(0, size) for size in grid.shape)
        self.segments = segmentation.segments
        self.left_out = segmentation.left_out
        self._layers = [_placed(layer, grid) for layer in segmentation.layers]
        self._resampled: dict[tuple[int, int], VoxelMask] = {}

    def is_at_border(self, box: Box) -> bool:
        """Whether ``box`` (k, j, i) touches the border of the grid, or of the part on which the segmentation was made:
        what lies there may go on beyond."""
        return any(
            part.start <= max(seen.start, 0) or part.stop >= min(seen.stop, size)
            for part, seen, size in zip(box, self._field_of_view, self.grid.shape, strict=True)
        )

    def is_resampled(self, segment: Segment) -> bool:
        """True where the segment's lattice is not the grid's, so that its shape changes a little."""
        return self._layers[segment.layer].start is None

    def box(self, segment: Segment) -> Box | None:
        """The box of the grid that holds the segment's voxels and touches them on all sides; None without voxels."""
        layer = self._layers[segment.layer]
        if segment.label not in layer.boxes:
            return None
        self._check_inside(segment)
        if layer.start is None:
            mask = self.mask(segment)
            return None if mask.is_empty else mask.box
        return tuple(
            slice(part.start + first, part.stop + first)
            for part, first in zip(layer.boxes[segment.label], layer.start, strict=True)
        )

    def image(self, layer: int) -> np.ndarray | None:
        """All voxels of a layer as an image (k, j, i) of the grid; None where that would take more than moving them."""
        array, start = self._layers[layer].array, self._layers[layer].start
        if start is None or min(start) < 0 or (np.add(start, array.shape) > self.grid.shape).any():
            return None
        if array.shape == self.grid.shape:
            return array
        image = np.zeros(self.grid.shape, array.dtype)
        image[tuple(slice(first, first + size) for first, size in zip(start, array.shape, strict=True))] = array
        return image

    def mask(self, segment: Segment) -> VoxelMask:
        """The segment's voxels."""
        layer = self._layers[segment.layer]
        if segment.label not in layer.boxes:
            return VoxelMask(np.zeros((0, 0, 0), bool), (0, 0, 0), self.grid.shape)
        self._check_inside(segment)
        if layer.start is None:
            return self._resample(segment)
        box = layer.boxes[segment.label]
        voxels = np.ascontiguousarray(layer.array[box] == segment.label)
        start = tuple(part.start + first for part, first in zip(box, layer.start, strict=True))
        return VoxelMask(voxels, start, self.grid.shape)

    def _resample(self, segment: Segment) -> VoxelMask:
        """Linear interpolation of 0 and 1, cut at a half: the boundary stays midway between the voxels' centres."""
        from scipy.ndimage import affine_transform

        key = (segment.layer, segment.label)
        if key not in self._resampled:
            layer = self._layers[segment.layer]
            box = layer.boxes[segment.label]
            source = np.pad((layer.array[box] == segment.label).astype(np.float32), 1)
            low, high = _limits(np.linalg.inv(layer.to_layer), box)
            first = np.clip(np.floor(low - 1), 0, np.array(self.grid.shape)).astype(int)
            end = np.clip(np.ceil(high + 2), 0, np.array(self.grid.shape)).astype(int)
            offset = layer.to_layer[:3, :3] @ first + layer.to_layer[:3, 3] - [part.start - 1 for part in box]
            values = affine_transform(
                source, layer.to_layer[:3, :3], offset, output_shape=tuple(np.maximum(end - first, 0)), order=1
            )
            inside = values >= 0.5
            self._resampled[key] = VoxelMask.cropped(inside, tuple(int(low) for low in first), self.grid.shape)
        return self._resampled[key]

    def is_inside(self, segment: Segment) -> bool:
        """False where it has voxels outside of the grid."""
        return self._beyond_mm(segment) == 0

    def _check_inside(self, segment: Segment) -> None:
        distance = self._beyond_mm(segment)
        if distance:
            raise SegmentationError("EXPORT_GEOMETRY_DIFFERS", distance_mm=distance)

    def _beyond_mm(self, segment: Segment) -> float:
        """How far the segment's voxels lie outside of the grid; 0 where rounding explains it."""
        layer = self._layers[segment.layer]
        box = layer.boxes.get(segment.label)
        if box is None:
            return 0.0
        tolerance = ALIGNED_VOXELS if layer.start is not None else BEYOND_VOXELS
        low, high = _limits(np.linalg.inv(layer.to_layer), box)
        beyond = np.maximum(-low, high - (np.array(self.grid.shape) - 1))
        if beyond.max() <= tolerance:
            return 0.0
        return float((np.maximum(beyond, 0) * np.array(self.grid.spacing)[::-1]).max())


def place(segmentation: Segmentation, grid: Geometry, field_of_view: Box | None = None) -> PlacedSegmentation:
    """The segmentation on the CT's grid."""
    return PlacedSegmentation(segmentation, grid, field_of_view)


def box_on(part: Geometry, grid: Geometry) -> Box | None:
    """The box (k, j, i) of ``grid`` that the voxels of ``part`` are, which may reach beyond it; None unless both have
    the same lattice and voxels in common."""
    to_grid = _by_kji(np.linalg.inv(grid.ijk_to_ras) @ part.ijk_to_ras)
    turn = _lattice_turn(to_grid, part.shape)
    if turn is None:
        return None
    ends = np.array([_moved([0, 0, 0], turn), _moved([size - 1 for size in part.shape], turn)])
    first, last = ends.min(axis=0).astype(int), ends.max(axis=0).astype(int)
    if (last < 0).any() or (first >= np.array(grid.shape)).any():
        return None
    return tuple(slice(int(low), int(high) + 1) for low, high in zip(first, last, strict=True))


def _placed(layer: Layer, grid: Geometry) -> _PlacedLayer:
    array = _whole_numbers(layer.array)
    to_layer = _by_kji(np.linalg.inv(layer.geometry.ijk_to_ras) @ grid.ijk_to_ras)
    turned = _lattice_turn(np.linalg.inv(to_layer), array.shape)
    if turned is None:
        return _PlacedLayer(array, None, to_layer)
    turn = turned[:3, :3]
    start = np.minimum(_moved([0, 0, 0], turned), _moved([size - 1 for size in array.shape], turned))
    axes = [int(np.flatnonzero(row)[0]) for row in turn]
    array = array.transpose(axes)
    array = array[tuple(slice(None, None, int(turn[axis, axes[axis]])) for axis in range(3))]
    aligned = np.eye(4)
    aligned[:3, 3] = -start
    return _PlacedLayer(array, tuple(int(first) for first in start), aligned)


def _lattice_turn(to_grid: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray | None:
    """4x4 of whole numbers: k, j, i indices of an image of ``shape`` to those of a grid, where ``to_grid`` is that but
    for rounding; None where the voxels do not lie on the grid's."""
    turn = np.round(to_grid[:3, :3])
    corners = np.array([[k, j, i] for k in (0, shape[0] - 1) for j in (0, shape[1] - 1) for i in (0, shape[2] - 1)])
    on_grid = corners @ to_grid[:3, :3].T + to_grid[:3, 3]
    shift = np.round(on_grid[0] - turn @ corners[0])
    is_turn = all(np.array_equal(np.abs(turn).sum(axis=axis), np.ones(3)) for axis in (0, 1))
    if not is_turn or np.abs(on_grid - (corners @ turn.T + shift)).max() > ALIGNED_VOXELS:
        return None
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = turn, shift
    return whole


def _moved(indices: Sequence[int], matrix: np.ndarray) -> np.ndarray:
    return matrix[:3, :3] @ indices + matrix[:3, 3]


def _by_kji(matrix: np.ndarray) -> np.ndarray:
    """A 4x4 matrix between i, j, k indices as one between k, j, i indices."""
    turned = matrix.copy()
    turned[:3, :3] = matrix[2::-1, 2::-1]
    turned[:3, 3] = matrix[2::-1, 3]
    return turned


def _limits(matrix: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest indices that the voxels of ``box`` have after ``matrix``."""
    corners = np.array([[k, j, i] for k in _sides(box[0]) for j in _sides(box[1]) for i in _sides(box[2])])
    moved = corners @ matrix[:3, :3].T + matrix[:3, 3]
    return moved.min(axis=0), moved.max(axis=0)


def _sides(part: slice) -> tuple[int, int]:
    return part.start, part.stop - 1


def _boxes(array: np.ndarray) -> dict[int, Box]:
    from scipy.ndimage import find_objects

    if not array.size or array.max() <= LARGEST_COUNTED_LABEL:
        found = find_objects(array)
        return {label: box for label, box in enumerate(found, start=1) if box is not None}
    labels, numbers = np.unique(array, return_inverse=True)
    found = find_objects(numbers.reshape(array.shape) + 1)
    return {int(label): box for label, box in zip(labels, found, strict=True) if label != 0}


def _whole_numbers(array: np.ndarray) -> np.ndarray:
    """Segment values as SciPy wants them: floating point (Slicer allows it) becomes whole, negative values nothing."""
    if array.dtype.kind == "f":
        array = np.rint(array).astype(np.int32)
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        array = np.maximum(array, 0)
    return array.astype(np.uint8) if array.dtype.kind == "b" else array
