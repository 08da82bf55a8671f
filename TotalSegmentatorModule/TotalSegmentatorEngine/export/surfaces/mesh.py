"""Makes a smooth closed surface of a structure's voxels, with the voxels' volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.tables.export_formats import LPS

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import LPS_FROM_RAS, Geometry

if TYPE_CHECKING:
    from scipy.sparse import csr_array


SMOOTHING_ROUNDS = 15
SHRINKING, GROWING = 0.5, -0.53
"""Taubin's two steps (A signal processing approach to fair surface design, SIGGRAPH 1995): each round moves a vertex
half-way to the mean of its neighbours and then a little further back, which takes the staircase of the voxels away and
leaves larger shapes alone. 1/0.5 - 1/0.53 = 0.11 is his pass band."""

_VOLUME_ROUNDS = 10
_VOLUME_TOLERANCE = 0.002
_FARTHEST_OFFSET = 1.0
"""In voxels of the finest axis. Only structures of a few voxels need more than a tenth of it."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed triangle mesh whose faces, seen from outside, run counter-clockwise."""

    vertices: np.ndarray
    """float64 (n, 3), mm."""
    faces: np.ndarray
    """int (m, 3)."""

    @property
    def volume_mm3(self) -> float:
        """By the divergence theorem; positive where the faces look outward."""
        return _volume(self.vertices, self.faces)

    @property
    def normals(self) -> np.ndarray:
        """Unit vectors that look outward, one a vertex, weighted by the areas of its faces; float64 (n, 3)."""
        return unit_vectors(_vertex_areas(self.vertices, self.faces))


def surface_of(mask: VoxelMask, grid: Geometry, space: str, plane_positions: np.ndarray | None = None) -> Mesh:
    """The surface of ``mask`` on ``grid`` in mm of ``space`` ("lps" or "ras").

    ``plane_positions``: LPS in mm of each plane's first voxel, (planes, 3), for a CT whose steps differ.
    Marching cubes at the half level of the mask, smoothed, then moved along its normals until it holds the volume of
    the voxels: marching cubes cuts their corners, which are most of a thin vessel.
    """
    from skimage.measure import marching_cubes

    padded = np.pad(mask.voxels, 1).astype(np.float32)
    corners, faces, _normals, _values = marching_cubes(padded, 0.5)
    kji = corners.astype(np.float64) - 1 + mask.start
    vertices = _positions(kji, grid, plane_positions)
    if space == LPS:
        vertices = vertices @ LPS_FROM_RAS[:3, :3]
    faces = faces.astype(np.int64)
    if _volume(vertices, faces) < 0:  # depends on the handedness of the grid
        faces = faces[:, ::-1]
    smooth = _smoothed(vertices, faces)
    wanted = _voxel_volume(mask, grid, plane_positions)
    return Mesh(_with_volume(smooth, faces, wanted, _FARTHEST_OFFSET * min(grid.spacing)), faces)


def _positions(kji: np.ndarray, grid: Geometry, plane_positions: np.ndarray | None) -> np.ndarray:
    """RAS in mm of array indices (n, 3), between the planes too."""
    if plane_positions is None:
        return kji[:, ::-1] @ grid.ijk_to_ras[:3, :3].T + grid.ijk_to_ras[:3, 3]
    planes = np.asarray(plane_positions, dtype=np.float64) @ LPS_FROM_RAS[:3, :3]
    lower = np.clip(np.floor(kji[:, 0]).astype(int), 0, max(len(planes) - 2, 0))
    upper = np.minimum(lower + 1, len(planes) - 1)
    step = planes[upper] - planes[lower] if len(planes) > 1 else grid.ijk_to_ras[:3, 2]
    in_plane = kji[:, :0:-1] @ grid.ijk_to_ras[:3, :2].T
    return planes[lower] + (kji[:, 0] - lower)[:, np.newaxis] * step + in_plane


def _voxel_volume(mask: VoxelMask, grid: Geometry, plane_positions: np.ndarray | None) -> float:
    from TotalSegmentatorEngine.statistics.voxel_volumes import volume_ml

    distances = None
    if plane_positions is not None:
        normal = np.cross(*grid.ijk_to_lps[:3, :2].T)
        distances = np.asarray(plane_positions) @ (normal / np.linalg.norm(normal))
    return 1000 * volume_ml(mask, grid, distances)


# -- smoothing ---------------------------------------------------------------------------------------------------------


def _smoothed(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    mean_of_neighbours = _neighbour_means(len(vertices), faces)
    moved = vertices
    for _ in range(SMOOTHING_ROUNDS):
        for weight in (SHRINKING, GROWING):
            moved = moved + weight * (mean_of_neighbours @ moved - moved)
    return moved


def _neighbour_means(count: int, faces: np.ndarray) -> csr_array:
    """A matrix that turns positions (count, 3) into the mean positions of their neighbours."""
    from scipy.sparse import csr_array

    starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    pairs = np.unique(np.concatenate([starts * count + ends, ends * count + starts]))
    rows, columns = np.divmod(pairs, count)
    weights = 1 / np.bincount(rows, minlength=count)[rows]
    return csr_array((weights, (rows, columns)), shape=(count, count))


def _with_volume(vertices: np.ndarray, faces: np.ndarray, wanted: float, farthest: float) -> np.ndarray:
    """Moves all vertices outward or inward by one distance until the mesh holds ``wanted`` mm³, or ``farthest``."""
    offset = 0.0
    moved = vertices
    directions = unit_vectors(_vertex_areas(vertices, faces))
    for _ in range(_VOLUME_ROUNDS):
        missing = wanted - _volume(moved, faces)
        if abs(missing) <= _VOLUME_TOLERANCE * wanted:
            break
        area = float(np.linalg.norm(_face_areas(moved, faces), axis=1).sum())
        offset = float(np.clip(offset + missing / area, -farthest, farthest))
        moved = vertices + offset * directions
    return moved


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """``vectors`` (n, 3) at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vectors (m, 3) along the faces' outward normals, as long as their areas in mm²."""
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    return np.cross(b - a, c - a) / 2


def _vertex_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    areas = _face_areas(vertices, faces)
    summed = np.empty_like(vertices)
    for axis in range(3):
        weights = np.repeat(areas[:, axis], 3)
        summed[:, axis] = np.bincount(faces.ravel(), weights=weights, minlength=len(vertices))
    return summed


def _volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    centred = vertices - vertices.mean(axis=0)
    a, b, c = (centred[faces[:, n]] for n in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)
