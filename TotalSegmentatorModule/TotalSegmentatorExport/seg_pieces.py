"""Where the frames of a DICOM SEG lie, and how a segment's voxels come from there onto the CT's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorEngine.geometry import LPS_FROM_RAS, Geometry
from TotalSegmentatorWire.errors import SegmentationError

from .placement import place
from .reference_series import ReferenceSeries
from .segments import Layer, Segment, Segmentation
from .voxel_mask import VoxelMask, union

SAME_PIXEL = 0.05
"""A frame lies on the CT's pixels where no corner is further from them, in voxels: headers round."""


@dataclass(frozen=True, eq=False)
class FramePlane:
    """Where a frame lies: LPS in mm of its first pixel's centre, unit vectors of a row and a column, distances."""

    position: np.ndarray
    orientation: np.ndarray
    spacing: tuple[float, float]
    """Of rows, of columns."""

    def points(self, ij: np.ndarray) -> np.ndarray:
        row_distance, column_distance = self.spacing
        return self.position + (np.asarray(ij) * (column_distance, row_distance)) @ self.orientation

    @property
    def normal(self) -> np.ndarray:
        normal = np.cross(*self.orientation)
        return normal / np.linalg.norm(normal)


@dataclass(eq=False)
class Pieces:
    """A segment's voxels as they were found: in each frame the box that holds them."""

    planes: list[FramePlane] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    """j, i of each box."""
    voxels: list[np.ndarray] = field(default_factory=list)

    def add(self, plane: FramePlane, inside: np.ndarray) -> None:
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if rows.size:
            self.planes.append(plane)
            self.starts.append((int(rows[0]), int(columns[0])))
            self.voxels.append(inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy())


def mask_on(pieces: Pieces, reference: ReferenceSeries, step: float) -> VoxelMask:
    places = [_place_on_pixels(plane, reference) for plane in pieces.planes]
    if any(place is None for place in places):
        return _resampled(pieces, reference, step)
    masks = []
    for (k, row, column), (j, i), voxels in zip(places, pieces.starts, pieces.voxels, strict=True):
        start = (k, row + j, column + i)
        _check_inside(start, voxels.shape, reference)
        masks.append(VoxelMask(voxels[np.newaxis], start, reference.grid.shape))
    return union(masks)


def _place_on_pixels(plane: FramePlane, reference: ReferenceSeries) -> tuple[int, int, int] | None:
    """k of the CT's plane and j, i of the CT's pixel that the frame's first pixel is; None where it is none."""
    corners = np.array([[0, 0], [reference.columns, 0], [0, reference.rows], [reference.columns, reference.rows]])
    ij, distance = reference.pixels_of(plane.points(corners))
    k = int(np.argmin(np.abs(reference.plane_distances - distance[0])))
    shift = np.round(ij[0])
    sideways = np.abs(ij - corners - shift).max()
    height = np.abs(distance - reference.plane_distances[k]).max() / reference.grid.spacing[2]
    return (k, int(shift[1]), int(shift[0])) if max(sideways, height) <= SAME_PIXEL else None


def _check_inside(start: tuple[int, int, int], size: tuple[int, int], reference: ReferenceSeries) -> None:
    beyond = max(
        max(-first, first + length - whole) * distance
        for first, length, whole, distance in zip(
            start[1:], size, reference.grid.shape[1:], reference.pixel_spacing, strict=True
        )
    )
    if beyond > 0:
        raise SegmentationError("EXPORT_GEOMETRY_DIFFERS", distance_mm=float(beyond))


def step_of(planes: Sequence[FramePlane]) -> float:
    """Distance in mm of neighbouring planes of the whole object; planes without voxels may have no frame."""
    distances = np.unique(np.round([plane.position @ planes[0].normal for plane in planes], 3))
    return float(np.diff(distances).min()) if len(distances) > 1 else 1.0


def _resampled(pieces: Pieces, reference: ReferenceSeries, step: float) -> VoxelMask:
    """The segment as a small volume on its own grid, put onto the CT's."""
    if not reference.is_regular:
        steps = np.diff(reference.plane_distances)
        raise SegmentationError("INPUT_IRREGULAR_SLICES", smallest_mm=float(steps.min()), largest_mm=float(steps.max()))
    first = pieces.planes[0]
    distances = np.array([(plane.position - first.position) @ first.normal for plane in pieces.planes])
    lowest = int(np.argmin(distances))
    ks = np.round((distances - distances[lowest]) / step).astype(int)
    starts = np.array(pieces.starts)
    ends = starts + [voxels.shape for voxels in pieces.voxels]
    corner = starts.min(axis=0)
    array = np.zeros((ks.max() + 1, *(ends.max(axis=0) - corner)), dtype=np.uint8)
    for k, start, end, voxels in zip(ks, starts - corner, ends - corner, pieces.voxels, strict=True):
        array[k, start[0] : end[0], start[1] : end[1]] |= voxels
    layer = Layer(array, _grid(pieces.planes[lowest], corner, array.shape, step))
    segment = Segment("segment", "segment", (0, 0, 0), 0, 1)
    return place(Segmentation((segment,), (layer,)), reference.grid).mask(segment)


def _grid(plane: FramePlane, corner: np.ndarray, shape: tuple[int, ...], step: float) -> Geometry:
    """``corner``: j, i of the plane's pixel that the grid begins with."""
    row_distance, column_distance = plane.spacing
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, 0] = plane.orientation[0] * column_distance
    ijk_to_lps[:3, 1] = plane.orientation[1] * row_distance
    ijk_to_lps[:3, 2] = plane.normal * step
    ijk_to_lps[:3, 3] = plane.points([[corner[1], corner[0]]])[0]
    return Geometry(shape, LPS_FROM_RAS @ ijk_to_lps)
