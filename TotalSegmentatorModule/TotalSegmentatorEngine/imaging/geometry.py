"""The one home of geometry: grids in patient space, RAS and LPS, voxel order, canonical orientation.

Conventions, everywhere in the engine:

- an image array has the axes (k, j, i): slice, row, column; that is SimpleITK's and Slicer's array order;
- ``ijk_to_ras`` is the 4x4 matrix from (column i, row j, slice k, 1) to RAS millimetres (x grows to the
  patient's right, y to the front, z to the head; LPS has x and y negated);
- nobody else in the engine flips, transposes or negates axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""4x4; its own inverse."""

MAXIMUM_SHEAR_DEGREES = 0.1
"""Largest deviation of two axes from a right angle. The same limit as for the gantry tilt of a DICOM series: at 500 mm
of scan length 0.1 degrees shift the last slice by 0.9 mm, less than a voxel of the finest model (1.5 mm)."""

MINIMUM_DETERMINANT = 1e-3
"""Smallest absolute determinant of the three unit direction vectors that still counts as a volume: below it two of the
axes run within 0.06 degrees of one line or plane."""

MM3_PER_ML = 1000.0


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid of an image in patient space."""

    shape: tuple[int, int, int]
    """Number of slices, rows, columns (k, j, i)."""
    ijk_to_ras: np.ndarray
    """4x4 float64, see the module's conventions."""

    def __post_init__(self) -> None:
        matrix = np.array(self.ijk_to_ras, dtype=np.float64).reshape(4, 4)
        matrix.setflags(write=False)
        object.__setattr__(self, "ijk_to_ras", matrix)
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels in mm along i, j, k (columns, rows, slices)."""
        return tuple(float(length) for length in np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0))

    @property
    def direction(self) -> np.ndarray:
        """3x3; its columns are the unit vectors of i, j, k in RAS."""
        return self.ijk_to_ras[:3, :3] / np.asarray(self.spacing)

    @property
    def origin(self) -> np.ndarray:
        """RAS position in mm of the centre of voxel (0, 0, 0)."""
        return self.ijk_to_ras[:3, 3]

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return abs(float(np.linalg.det(self.ijk_to_ras[:3, :3])))

    @property
    def voxel_ml(self) -> float:
        return self.voxel_mm3 / MM3_PER_ML

    @property
    def is_left_handed(self) -> bool:
        return bool(np.linalg.det(self.ijk_to_ras[:3, :3]) < 0)

    @property
    def shear_degrees(self) -> float:
        """Largest deviation of two of the axes from a right angle."""
        direction = self.direction
        cosines = np.abs((direction.T @ direction)[np.triu_indices(3, 1)])
        return float(np.degrees(np.arcsin(np.clip(cosines, 0.0, 1.0))).max())

    @property
    def ijk_to_lps(self) -> np.ndarray:
        """4x4 float64; LPS is the space of DICOM, ITK and our NRRD files."""
        return LPS_FROM_RAS @ self.ijk_to_ras

    def matches(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """True when both grids have the same shape and no corner voxel lies further apart than ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        far = [size - 1 for size in reversed(self.shape)]
        corners = np.array([[i, j, k, 1.0] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])])
        apart = corners @ (self.ijk_to_ras - other.ijk_to_ras).T
        return bool(np.abs(apart).max() <= tolerance_mm)


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image: ``array`` with the axes (k, j, i), and its grid."""

    array: np.ndarray
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise ValueError(f"array {self.array.shape} and grid {self.geometry.shape} differ in shape")


def geometry_from_lps(
    shape: tuple[int, ...], spacing: tuple[float, ...], direction: tuple[float, ...], origin: tuple[float, ...]
) -> Geometry:
    """The grid as ITK and DICOM describe it.

    ``shape`` is (k, j, i); ``spacing`` (mm, along i, j, k), ``direction`` (9 numbers, row by row, columns are the unit
    vectors of i, j, k) and ``origin`` (mm) are in LPS.
    """
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = np.asarray(direction, dtype=np.float64).reshape(3, 3) * np.asarray(spacing, dtype=np.float64)
    ijk_to_lps[:3, 3] = origin
    return Geometry(shape, LPS_FROM_RAS @ ijk_to_lps)


def check_geometry(geometry: Geometry) -> None:
    """Refuses grids that are no straight volume in space; left-handed grids are fine.

    Raises SegmentationError("INPUT_DEGENERATE_DIRECTION") for non-finite numbers, a spacing of 0 or axes in one plane,
    and SegmentationError("INPUT_SHEARED") for axes that are off a right angle by more than MAXIMUM_SHEAR_DEGREES.
    """
    if not np.isfinite(geometry.ijk_to_ras).all() or min(geometry.spacing) <= 0:
        raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
    if abs(np.linalg.det(geometry.direction)) < MINIMUM_DETERMINANT:
        raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
    shear = geometry.shear_degrees
    if shear > MAXIMUM_SHEAR_DEGREES:
        raise SegmentationError("INPUT_SHEARED", degrees=shear)


# -- voxel orders ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reorientation:
    """Turns arrays of one grid into another voxel order and back, by transposing and flipping only.

    The new order is mostly the canonical one, whose array axes are [S, A, R].
    """

    axes: tuple[int, int, int]
    """For each new array axis the array axis (of k, j, i) that it comes from."""
    flips: tuple[bool, bool, bool]
    """For each new array axis whether it runs against the original one."""

    @property
    def is_identity(self) -> bool:
        return self.axes == (0, 1, 2) and not any(self.flips)

    def apply(self, volume: Volume) -> Volume:
        """The same image in the new order, and the grid that fits.

        The array is C-contiguous; it is the input's own where nothing changes.
        """
        array = np.ascontiguousarray(self.view(volume.array))
        return Volume(array, self.grid(volume.geometry))

    def grid(self, geometry: Geometry) -> Geometry:
        """The grid in the new order."""
        shape = tuple(geometry.shape[axis] for axis in self.axes)
        return Geometry(shape, geometry.ijk_to_ras @ self._new_to_original(geometry.shape))

    def view(self, array: np.ndarray) -> np.ndarray:
        """An array of the original order (k, j, i) in the new one; a view: writing to it writes to ``array``."""
        return array.transpose(self.axes)[self._slices]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """An array of the new order in the original one (k, j, i), C-contiguous."""
        return np.ascontiguousarray(array[self._slices].transpose(np.argsort(self.axes)))

    @property
    def _slices(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)

    def _new_to_original(self, shape: tuple[int, int, int]) -> np.ndarray:
        """4x4 from the new (i, j, k) indices to the original ones; ``shape`` of the original grid (k, j, i)."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1.0
        for new_axis, (axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            row, column = 2 - axis, 2 - new_axis  # array axes run k, j, i; matrix axes i, j, k
            matrix[row, column] = -1.0 if flip else 1.0
            matrix[row, 3] = shape[axis] - 1 if flip else 0.0
        return matrix


def canonical_reorientation(geometry: Geometry) -> Reorientation:
    """How arrays of this grid become [S, A, R], by the rule of nibabel's ``as_closest_canonical``.

    TotalSegmentator and nnU-Net's NibabelIOWithReorient orient the CT with that function, so ties (axes turned by 45
    degrees) must fall as they do there.
    """
    return reorientation_to(geometry, "RAS")


def reorientation_to(geometry: Geometry, orientation: str) -> Reorientation:
    """How the i, j, k of this grid come to grow towards the letters of ``orientation``, as "LPS", as nearly as the axes
    allow. Raises SegmentationError("INPUT_DEGENERATE_DIRECTION")."""
    from nibabel.orientations import axcodes2ornt, io_orientation

    present = io_orientation(geometry.ijk_to_ras)
    if np.isnan(present).any():
        raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
    of_world = {int(world_axis): (axis, sign) for axis, (world_axis, sign) in enumerate(present)}
    axes, flips = [0, 0, 0], [False, False, False]
    for new_axis, (world_axis, wanted_sign) in enumerate(axcodes2ornt(tuple(orientation))):  # in i, j, k and R, A, S
        axis, sign = of_world[int(world_axis)]
        axes[2 - new_axis] = 2 - axis
        flips[2 - new_axis] = bool(sign != wanted_sign)
    return Reorientation(tuple(axes), tuple(flips))
