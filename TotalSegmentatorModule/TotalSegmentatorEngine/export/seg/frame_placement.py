"""Where the frames of a DICOM SEG lie, and how a segment's voxels come from there onto the CT's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.imaging.geometry import LPS_FROM_RAS, Geometry

SAME_PIXEL = 0.05
"""A frame lies on the CT's pixels where no corner is further from them, in voxels: headers round."""

UNEVEN_STEPS = 0.1
"""Frames that are resampled may lie so far from where even steps would put them, in steps or in pixels."""

SAME_DIRECTION = 2e-3
"""Largest difference of a direction cosine (0.1 degrees): headers round to three decimals."""


@dataclass(frozen=True, eq=False)
class FramePlane:
    """Where a frame lies: LPS in mm of its first pixel's centre, unit vectors of a row and a column, distances."""

    position: np.ndarray
    orientation: np.ndarray
    spacing: tuple[float, float]
    """Of rows, of columns."""

    @classmethod
    def stated(cls, position: Sequence[float], orientation: Sequence[float], spacing: Sequence[float]) -> FramePlane:
        """As ImagePositionPatient, ImageOrientationPatient and PixelSpacing have it. Raises ValueError for no plane."""
        plane = cls(np.array(position), np.array(orientation).reshape(2, 3), (spacing[0], spacing[1]))
        numbers = np.array([*plane.position, *plane.orientation.ravel(), *plane.spacing])
        if plane.position.size != 3 or not np.isfinite(numbers).all() or min(plane.spacing) <= 0:
            raise ValueError("no plane")
        if np.linalg.norm(np.cross(*plane.orientation)) < 0.5:
            raise ValueError("no plane")
        return plane

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


class PiecePlacer:
    """Brings the segments of one object onto the planes of a CT."""

    def __init__(self, reference: ReferenceSeries, planes: Sequence[FramePlane]) -> None:
        """``planes``: those of all frames of the object; frames in one plane share theirs."""
        self._reference = reference
        self._step = _step(planes)
        self._distances = reference.plane_distances
        self._places = {plane: self._place_on_pixels(plane) for plane in dict.fromkeys(planes)}

    def mask(self, pieces: Pieces) -> VoxelMask:
        """A segment's voxels. Raises SegmentationError: EXPORT_GEOMETRY_DIFFERS, and where it cannot be resampled
        INPUT_IRREGULAR_SLICES (the CT's slices are uneven), SEGMENTATION_UNREADABLE (its own frames are)."""
        places = [self._places[plane] for plane in pieces.planes]
        if self.is_resampled(pieces):
            return _resampled(pieces, self._reference, self._step)
        masks = []
        for (k, row, column), (j, i), voxels in zip(places, pieces.starts, pieces.voxels, strict=True):
            start = (k, row + j, column + i)
            _check_inside(start, voxels.shape, self._reference)
            masks.append(VoxelMask(voxels[np.newaxis], start, self._reference.grid.shape))
        return union(masks)

    def is_resampled(self, pieces: Pieces) -> bool:
        """True where the segment is not on the CT's own pixels, so that its shape changes a little."""
        return any(self._places[plane] is None for plane in pieces.planes)

    def _place_on_pixels(self, plane: FramePlane) -> tuple[int, int, int] | None:
        """k of the CT's plane and j, i of the CT's pixel that the frame's first pixel is; None where it is none."""
        rows, columns = self._reference.rows, self._reference.columns
        corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]])
        ij, distance = self._reference.pixels_of(plane.points(corners))
        k = int(np.argmin(np.abs(self._distances - distance[0])))
        shift = np.round(ij[0])
        sideways = np.abs(ij - corners - shift).max()
        height = np.abs(distance - self._distances[k]).max() / self._reference.grid.spacing[2]
        return (k, int(shift[1]), int(shift[0])) if max(sideways, height) <= SAME_PIXEL else None


def _step(planes: Sequence[FramePlane]) -> float:
    """Distance in mm of neighbouring planes; planes without voxels may have no frame."""
    distances = np.unique(np.round([plane.position @ planes[0].normal for plane in dict.fromkeys(planes)], 3))
    return float(np.diff(distances).min()) if len(distances) > 1 else 1.0


def _check_inside(start: tuple[int, int, int], size: tuple[int, int], reference: ReferenceSeries) -> None:
    beyond = max(
        max(-first, first + length - whole) * distance
        for first, length, whole, distance in zip(
            start[1:], size, reference.grid.shape[1:], reference.pixel_spacing, strict=True
        )
    )
    if beyond > 0:
        raise SegmentationError("EXPORT_GEOMETRY_DIFFERS", distance_mm=float(beyond))


def _resampled(pieces: Pieces, reference: ReferenceSeries, step: float) -> VoxelMask:
    """The segment as a small volume on its own grid, put onto the CT's."""
    if reference.irregular is not None:
        raise reference.irregular
    first = pieces.planes[0]
    distances = np.array([(plane.position - first.position) @ first.normal for plane in pieces.planes])
    lowest = int(np.argmin(distances))
    steps = (distances - distances[lowest]) / step
    ks = np.round(steps).astype(int)
    if np.abs(steps - ks).max() > UNEVEN_STEPS or not all(_is_above(plane, first) for plane in pieces.planes):
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="its frames are not evenly stacked")
    starts = np.array(pieces.starts)
    ends = starts + [voxels.shape for voxels in pieces.voxels]
    corner = starts.min(axis=0)
    array = np.zeros((ks.max() + 1, *(ends.max(axis=0) - corner)), dtype=np.uint8)
    for k, start, end, voxels in zip(ks, starts - corner, ends - corner, pieces.voxels, strict=True):
        array[k, start[0] : end[0], start[1] : end[1]] |= voxels
    layer = Layer(array, _grid(pieces.planes[lowest], corner, array.shape, step))
    segment = Segment("segment", "segment", (0, 0, 0), 0, 1)
    return place(Segmentation((segment,), (layer,)), reference.grid).mask(segment)


def _is_above(plane: FramePlane, first: FramePlane) -> bool:
    """True where the two frames have the same pixels in a row along their normal."""
    aside = (plane.position - first.position) @ first.orientation.T / (first.spacing[1], first.spacing[0])
    is_parallel = np.abs(plane.orientation - first.orientation).max() <= SAME_DIRECTION
    return bool(is_parallel and np.abs(aside).max() <= UNEVEN_STEPS and np.allclose(plane.spacing, first.spacing))


def _grid(plane: FramePlane, corner: np.ndarray, shape: tuple[int, ...], step: float) -> Geometry:
    """``corner``: j, i of the plane's pixel that the grid begins with."""
    row_distance, column_distance = plane.spacing
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, 0] = plane.orientation[0] * column_distance
    ijk_to_lps[:3, 1] = plane.orientation[1] * row_distance
    ijk_to_lps[:3, 2] = plane.normal * step
    ijk_to_lps[:3, 3] = plane.points([[corner[1], corner[0]]])[0]
    return Geometry(shape, LPS_FROM_RAS @ ijk_to_lps)
