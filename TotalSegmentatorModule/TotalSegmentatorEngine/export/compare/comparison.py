"""How far two segmentations of one CT agree, structure by structure: ours and, for example, a department's contours.

Definitions, after Maier-Hein et al., "Metrics reloaded" (Nature Methods 2024, supplement on boundary metrics):

- surface: the voxels of a structure that share a face with a voxel outside of it; beyond the CT everything is outside;
- distances: from the centre of every surface voxel of one side to the nearest one of the other, in mm;
- 95 % Hausdorff distance: the larger of the two directed 95th percentiles of these distances, so that it is the same
  with the sides exchanged; between two ranks a percentile is interpolated linearly, as NumPy does by default;
- mean surface distance: the mean over the distances of both directions together;
- surface Dice at a tolerance (Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for
  radiotherapy", J Med Internet Res 2021;23:e26151): the share of both surfaces that lies within the tolerance of the
  other one. A surface voxel counts with the area of its faces that look outside, so that flat voxels count rightly;
- added path length: what somebody had to draw to turn ours into theirs (added_path).

A structure that is empty on a side has no distances, and without voxels on both sides no Dice either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.comparison import TOLERANCE_MM

from TotalSegmentatorEngine.export.compare.added_path import added_path_length
from TotalSegmentatorEngine.export.compare.pairing import NamePair, match_names
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.statistics.voxel_volumes import plane_volumes, volume_by_planes

PERCENTILE = 95.0
_NEARLY_MM = 1e-6
"""Distances that are the tolerance but for rounding lie within it."""

JOINED_BY = " + "
"""Between the names of structures that are compared as one."""

Voxels = VoxelMask | Callable[[], VoxelMask]
"""A mask, or what makes it when its turn comes: a hundred of them need not be in memory."""


@dataclass(frozen=True)
class ComparisonRow:
    """One structure. A name is empty and a volume None where that side lacks it; then nothing is compared."""

    ours: str
    theirs: str
    our_ml: float | None = None
    their_ml: float | None = None
    dice: float | None = None
    """0..1; None where a side lacks the structure or neither has a voxel."""
    hausdorff95_mm: float | None = None
    """None where a side has no voxel."""
    mean_distance_mm: float | None = None
    surface_dice: float | None = None
    """0..1 at the tolerance of the comparison; None where a side has no voxel."""
    added_path_mm: float | None = None
    """Of theirs; None where a side lacks the structure."""

    @property
    def is_paired(self) -> bool:
        return self.our_ml is not None and self.their_ml is not None

    @property
    def difference_ml(self) -> float | None:
        """Ours minus theirs."""
        return self.our_ml - self.their_ml if self.is_paired else None

    @property
    def difference_percent(self) -> float | None:
        """Of their volume; None where that is 0."""
        return 100.0 * self.difference_ml / self.their_ml if self.is_paired and self.their_ml else None


def compare(
    ours: Sequence[tuple[str, Voxels]],
    theirs: Sequence[tuple[str, Voxels]],
    grid: Geometry,
    pairs: Sequence[NamePair] = (),
    plane_positions: np.ndarray | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    tolerance_mm: float = TOLERANCE_MM,
    on_pair: Callable[[ComparisonRow, VoxelMask, VoxelMask], None] = lambda *_pair: None,
) -> list[ComparisonRow]:
    """Every structure of both sides once, paired by their names (structure_pairing); the order is ours, then theirs.

    All masks lie on ``grid``. ``plane_positions``: of its planes along their normal in mm, for a CT whose slices are
    not evenly spaced; without them the steps of ``grid`` count. ``progress`` gets how many structures are done, of
    how many, and which comes next. ``on_pair`` gets each structure that both sides have, with its masks.

    Raises SegmentationError("COMPARISON_NOTHING_IN_COMMON").
    """
    matches = match_names([name for name, _ in ours], [name for name, _ in theirs], pairs)
    if not any(match.ours and match.theirs for match in matches):
        raise SegmentationError("COMPARISON_NOTHING_IN_COMMON")
    scale = _Scale(grid, plane_positions, tolerance_mm)
    rows = []
    for done, match in enumerate(matches):
        if progress is not None:
            progress(done, len(matches), match.name)
        first, second = _joined(ours, match.ours), _joined(theirs, match.theirs)
        rows.append(_row(_names_of(ours, match.ours), _names_of(theirs, match.theirs), first, second, scale))
        if first is not None and second is not None:
            on_pair(rows[-1], first, second)
    return rows


def worst_first(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Pairs with the lowest Dice, and among equals the largest distance, come first; then those that have none, then
    what only one side has, in the order in which it came."""

    def badness(row: ComparisonRow) -> tuple[int, float, float]:
        if row.dice is None:
            return (1 if row.is_paired else 2, 0.0, 0.0)
        return (0, row.dice, -(float("inf") if row.hausdorff95_mm is None else row.hausdorff95_mm))

    return sorted(rows, key=badness)


def _row(ours: str, theirs: str, first: VoxelMask | None, second: VoxelMask | None, scale: _Scale) -> ComparisonRow:
    volumes = [None if mask is None else scale.volume_ml(mask) for mask in (first, second)]
    if first is None or second is None:
        return ComparisonRow(ours, theirs, *volumes)
    overlap, path = dice(first, second), added_path_length(second, first, scale.grid)
    return ComparisonRow(ours, theirs, *volumes, overlap, *scale.surface_measures(first, second), path)


def _names_of(side: Sequence[tuple[str, Voxels]], chosen: Sequence[int]) -> str:
    return JOINED_BY.join(side[position][0] for position in chosen)


def _joined(side: Sequence[tuple[str, Voxels]], chosen: Sequence[int]) -> VoxelMask | None:
    voxels = [side[position][1] for position in chosen]
    masks = [each if isinstance(each, VoxelMask) else each() for each in voxels]
    return union(masks) if masks else None


def dice(first: VoxelMask, second: VoxelMask) -> float | None:
    """Twice the voxels of both over the sum of voxels; None where there are none."""
    total = first.count + second.count
    return 2.0 * _common(first, second) / total if total else None


def _common(first: VoxelMask, second: VoxelMask) -> int:
    if first.shape != second.shape:
        raise ValueError(f"masks of different grids: {first.shape} and {second.shape}")
    shared = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first.box, second.box, strict=True)]
    if any(part.start >= part.stop for part in shared):
        return 0
    parts = [mask.voxels[_shifted(shared, mask.start)] for mask in (first, second)]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _shifted(box: Sequence[slice], start: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(part.start - first, part.stop - first) for part, first in zip(box, start, strict=True))


# -- surfaces ----------------------------------------------------------------------------------------------------------


def surface_voxels(mask: VoxelMask) -> np.ndarray:
    """Voxels with a face neighbour outside the structure: flat indices on the whole grid (C order), ascending."""
    inside = mask.voxels
    core = np.zeros_like(inside)
    if min(inside.shape) > 2:
        core[1:-1, 1:-1, 1:-1] = inside[1:-1, 1:-1, 1:-1]
        middle = core[1:-1, 1:-1, 1:-1]
        for axis in range(3):
            for side in (slice(None, -2), slice(2, None)):
                middle &= inside[tuple(side if other == axis else slice(1, -1) for other in range(3))]
    indices = np.nonzero(inside & ~core)
    return np.ravel_multi_index([index + first for index, first in zip(indices, mask.start, strict=True)], mask.shape)


class _Scale:
    """Millimetres of a grid whose planes may be unevenly spaced."""

    def __init__(self, grid: Geometry, plane_positions: np.ndarray | None, tolerance_mm: float) -> None:
        self.grid = grid
        step = grid.spacing[2]
        even = np.arange(grid.shape[0]) * step
        self._positions = even if plane_positions is None else np.asarray(plane_positions, float)
        self._steps = self._positions / step
        self._plane_volumes = plane_volumes(grid, plane_positions)
        self._tolerance_mm = tolerance_mm + _NEARLY_MM

    def volume_ml(self, mask: VoxelMask) -> float:
        return volume_by_planes(mask, self._plane_volumes)

    def surface_measures(
        self, first: VoxelMask, second: VoxelMask
    ) -> tuple[float, float, float] | tuple[None, None, None]:
        """95 % Hausdorff distance and mean surface distance in mm, surface Dice; None where a side has no voxel."""
        if first.is_empty or second.is_empty:
            return None, None, None
        surfaces = [surface_voxels(mask) for mask in (first, second)]
        there, back = self._distances(*surfaces), self._distances(*reversed(surfaces))
        largest = max(float(np.percentile(direction, PERCENTILE)) for direction in (there, back))
        mean = float((there.sum() + back.sum()) / (there.size + back.size))
        areas = [self._areas(mask, surface) for mask, surface in zip((first, second), surfaces, strict=True)]
        near = sum(
            float(area[distances <= self._tolerance_mm].sum())
            for area, distances in zip(areas, (there, back), strict=True)
        )
        return largest, mean, near / float(areas[0].sum() + areas[1].sum())

    def _areas(self, mask: VoxelMask, surface: np.ndarray) -> np.ndarray:
        """mm² of the faces of each voxel of ``surface`` that look out of the structure."""
        padded = np.pad(mask.voxels, 1)
        place = np.stack(np.unravel_index(surface, self.grid.shape)) - np.reshape(mask.start, (3, 1))
        volumes = self._plane_volumes[place[0] + mask.start[0]]
        columns, rows, step = self.grid.spacing
        sizes = (self.grid.voxel_mm3 / step, volumes / rows, volumes / columns)  # of faces across k, j, i
        areas = np.zeros(surface.size)
        for axis, size in enumerate(sizes):
            for shift in (0, 2):
                beside = place + 1
                beside[axis] += shift - 1
                areas += ~padded[tuple(beside)] * size
        return areas

    def _distances(self, origin: np.ndarray, target: np.ndarray) -> np.ndarray:
        """From every voxel of ``origin`` to the nearest of ``target``; those that both have are 0 without a search."""
        from scipy.spatial import cKDTree

        distances = np.zeros(origin.size)
        apart = ~np.isin(origin, target, assume_unique=True)
        if apart.any():
            tree = cKDTree(self._points(target), balanced_tree=False)  # a lattice is even enough
            distances[apart] = tree.query(self._points(origin[apart]), workers=-1)[0]
        return distances

    def _points(self, surface: np.ndarray) -> np.ndarray:
        """mm, (n, 3): only distances between them mean something."""
        k, j, i = np.unravel_index(surface, self.grid.shape)
        return np.stack([i, j, self._steps[k]], axis=1) @ self.grid.ijk_to_ras[:3, :3].T
