"""The planes that a sheet shows: which ones, and what lies on them.

Everything here counts in canonical voxel order, [S, A, R]: the first axis grows towards the head, the second to the
front, the third to the patient's right. A picture of a plane shows the patient from the feet (axial), from the front
(coronal) or from the left (sagittal, the front at the left), as radiologists hang them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Geometry, canonical_reorientation


class View(Enum):
    """Values: the axis of [S, A, R] on which the planes are stacked, then what stands at the left, the right, the top
    and the bottom of a picture. The axes that a picture shows all run against it, so that both of its axes are
    mirrored."""

    AXIAL = (0, "R", "L", "A", "P")
    CORONAL = (1, "R", "L", "H", "F")
    SAGITTAL = (2, "A", "P", "H", "F")

    @property
    def axis(self) -> int:
        return self.value[0]

    @property
    def marks(self) -> tuple[str, str, str, str]:
        """Left, right, top, bottom."""
        return self.value[1:]

    @property
    def title(self) -> str:
        return self.name.capitalize()


@dataclass(frozen=True)
class BodyPlane:
    view: View
    index: int
    """On the view's axis of [S, A, R]."""


@dataclass(frozen=True, eq=False)
class PlaneMask:
    """The voxels of a structure on a plane: bool, the first row and the first column at ``start`` of the picture."""

    voxels: np.ndarray
    start: tuple[int, int]


class BodyGrid:
    """A CT's grid in canonical order."""

    def __init__(self, grid: Geometry) -> None:
        self._original = grid
        self._turn = canonical_reorientation(grid)
        self.grid = self._turn.grid(grid)
        self.shape: tuple[int, int, int] = self.grid.shape
        self.spacing = np.array(self.grid.spacing[::-1])
        """mm along [S, A, R]."""

    def picture(self, array: np.ndarray, plane: BodyPlane) -> np.ndarray:
        """The values of an image (k, j, i) of the grid on a plane: rows from the top, columns from the left."""
        return _cut(self._turn.view(array), plane.view.axis, plane.index)[::-1, ::-1]

    def pixel_mm(self, view: View) -> tuple[float, float]:
        """Height and width of a picture's pixel."""
        height, width = np.delete(self.spacing, view.axis)
        return float(height), float(width)

    def mask(self, mask: VoxelMask, plane: BodyPlane) -> PlaneMask | None:
        """None where the structure does not reach the plane."""
        voxels, start = self.turned(mask)
        axis = plane.view.axis
        place = plane.index - start[axis]
        if not 0 <= place < voxels.shape[axis]:
            return None
        cut = _cut(voxels, axis, place)
        if not cut.any():
            return None
        rows, columns = (int(size) for size in np.delete(self.shape, axis))
        first, second = (int(number) for number in np.delete(start, axis))
        return PlaneMask(cut[::-1, ::-1], (rows - first - cut.shape[0], columns - second - cut.shape[1]))

    def turned(self, mask: VoxelMask) -> tuple[np.ndarray, tuple[int, int, int]]:
        """The mask's box, [S, A, R], and its first voxel on this grid."""
        start = tuple(
            self._original.shape[axis] - mask.start[axis] - mask.voxels.shape[axis] if flip else mask.start[axis]
            for axis, flip in zip(self._turn.axes, self._turn.flips, strict=True)
        )
        return self._turn.view(mask.voxels), start

    def index(self, ras_mm: Sequence[float]) -> np.ndarray:
        """[S, A, R], not rounded, of a place."""
        return (np.linalg.inv(self.grid.ijk_to_ras) @ [*ras_mm, 1.0])[2::-1]

    def place_on(self, ras_mm: Sequence[float], view: View) -> tuple[float, float]:
        """Row and column of a place in a picture of this view, whatever its plane."""
        index = np.delete(self.index(ras_mm), view.axis)
        rows, columns = np.delete(self.shape, view.axis)
        return float(rows - 1 - index[0]), float(columns - 1 - index[1])

    def through(self, ras_mm: Sequence[float], view: View) -> BodyPlane:
        """The plane nearest to a place."""
        index = round(float(self.index(ras_mm)[view.axis]))
        return BodyPlane(view, int(np.clip(index, 0, self.shape[view.axis] - 1)))

    def position_mm(self, plane: BodyPlane) -> float:
        """Of the plane's middle along its own axis in RAS."""
        return float(self.middle(plane)[2 - plane.view.axis])

    def middle(self, plane: BodyPlane) -> np.ndarray:
        """RAS mm of the plane's middle."""
        middle = (np.array(self.shape) - 1) / 2
        middle[plane.view.axis] = plane.index
        return (self.grid.ijk_to_ras @ [*middle[::-1], 1.0])[:3]


def _cut(array: np.ndarray, axis: int, index: int) -> np.ndarray:
    """A view: ``numpy.take`` first copies an array that is turned as a whole."""
    return array[(slice(None),) * axis + (index,)]


class PlaneChoice:
    """Counts what lies on each plane, then chooses one coronal, one sagittal and three axial planes that show most."""

    def __init__(self, body: BodyGrid) -> None:
        self._body = body
        self._structures = [np.zeros(size) for size in body.shape]
        self._voxels = [np.zeros(size) for size in body.shape]
        self._spine = np.zeros(2)
        """Sum of the right-left indices of the spine's voxels, and their number."""

    def add(self, mask: VoxelMask, is_spine: bool) -> None:
        voxels, start = self._body.turned(mask)
        for axis in range(3):
            others = tuple(other for other in range(3) if other != axis)
            counts = np.count_nonzero(voxels, axis=others)
            part = slice(start[axis], start[axis] + len(counts))
            self._structures[axis][part] += counts > 0
            self._voxels[axis][part] += counts
            if axis == View.SAGITTAL.axis and is_spine:
                self._spine += (counts @ np.arange(part.start, part.stop), counts.sum())

    def planes(self) -> list[BodyPlane]:
        """Coronal, sagittal - through the spine where one is there -, then axial ones from head to feet."""
        sagittal = self._best(View.SAGITTAL, slice(None))
        if self._spine[1]:
            sagittal = round(float(self._spine[0] / self._spine[1]))
        axial = [BodyPlane(View.AXIAL, self._best(View.AXIAL, part)) for part in reversed(self._thirds())]
        return [
            BodyPlane(View.CORONAL, self._best(View.CORONAL, slice(None))),
            BodyPlane(View.SAGITTAL, sagittal),
            *axial,
        ]

    def _best(self, view: View, part: slice) -> int:
        """The plane with most structures; of those with as many, the one with most voxels, and nearest to the middle of
        ``part``."""
        structures, voxels = self._structures[view.axis][part], self._voxels[view.axis][part]
        distance = np.abs(np.arange(len(structures)) - (len(structures) - 1) / 2)
        order = np.lexsort((distance, -voxels, -structures))
        return int(order[0]) + (part.start or 0)

    def _thirds(self) -> list[slice]:
        """Of the stretch along the body in which there are structures, from feet to head: the middle half of each, so
        that no plane lies at the end of the scan or beside another one."""
        filled = np.flatnonzero(self._structures[View.AXIAL.axis])
        first, end = (0, self._body.shape[0]) if not filled.size else (int(filled[0]), int(filled[-1]) + 1)
        thirds = pairwise(np.linspace(first, end, 4))
        quarters = [(low + (high - low) / 4, high - (high - low) / 4) for low, high in thirds]
        return [slice(int(low), max(round(float(high)), int(low) + 1)) for low, high in quarters]
