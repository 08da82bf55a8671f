"""What is counted of a structure: voxels, volume, and the CT numbers in it.

Whatever shows or writes such numbers takes them from here: the result of a job, the review and its second check in the
background, tables and reports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.messages.segment import FoundStructure

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.statistics.voxel_volumes import plane_volumes, volume_by_planes

_MOST_BINS = 1 << 20
"""Whole numbers, stored as such or not, that span more are sorted, as broken ones are: a CT in HU spans a few
thousand."""


@dataclass(frozen=True)
class HuStatistics:
    """Of the CT's values in the voxels of a structure, in HU."""

    mean: float
    sd: float
    """Standard deviation of the voxels themselves: divisor n."""
    p5: float
    median: float
    p95: float
    """Percentiles, interpolated linearly between neighbouring values as ``numpy.percentile`` does."""


@dataclass(frozen=True)
class StructureStatistics:
    voxels: int
    volume_ml: float
    hu: HuStatistics | None
    """None without a CT, and without voxels."""


def structure_statistics(mask: VoxelMask, volumes: np.ndarray, ct: np.ndarray | None) -> StructureStatistics:
    """``volumes``: of a voxel by plane in mm³, as ``plane_volumes`` gives them; ``ct``: HU, (k, j, i) of the mask's
    grid. Raises ValueError where the shapes differ."""
    if ct is not None and ct.shape != mask.shape:
        raise ValueError(f"CT {ct.shape} and mask {mask.shape} differ in shape")
    hu = None if ct is None else hu_statistics(ct[mask.box][mask.voxels])
    return StructureStatistics(mask.count, volume_by_planes(mask, volumes), hu)


def hu_statistics(values: np.ndarray) -> HuStatistics | None:
    """``values``: HU, one for each voxel, in any shape and order. None without values."""
    if not values.size:
        return None
    levels, counts = _histogram(values.ravel())
    mean = mean_of(values)
    sd = float(np.sqrt(counts @ (levels - mean) ** 2 / values.size))
    return HuStatistics(mean, sd, *_percentiles(levels, counts, (0.05, 0.5, 0.95)))


def mean_of(values: np.ndarray) -> float:
    """The mean alone, where the other numbers are not needed. ``values`` as for ``hu_statistics``, at least one."""
    return float(values.mean(dtype=np.float64))


def with_statistics(
    found: Sequence[FoundStructure],
    layers: Sequence[np.ndarray],
    ct: Volume,
    on_structure: Callable[[], None] = lambda: None,
) -> list[FoundStructure]:
    """``found`` in ``layers`` (each uint8 (k, j, i) on the grid of ``ct``, HU), each with its volume and mean CT
    number. ``on_structure`` is called before each; it may raise to stop."""
    volumes = plane_volumes(ct.geometry)
    measured = []
    for structure, mask in _masks(found, layers, on_structure):
        counted = structure_statistics(mask, volumes, ct.array)
        mean = None if counted.hu is None else round(counted.hu.mean, 2)
        volume = round(counted.volume_ml, 3)
        measured.append(dataclasses.replace(structure, voxels=counted.voxels, volume_ml=volume, mean_hu=mean))
    return measured


def with_percentiles(
    found: Sequence[FoundStructure],
    layers: Sequence[np.ndarray],
    ct: np.ndarray,
    percents: Sequence[float],
    on_structure: Callable[[], None] = lambda: None,
) -> Iterator[tuple[FoundStructure, list[float]]]:
    """Each of ``found`` with the percentiles 0..100 of ``ct`` in it, as HuStatistics has them; none without voxels.
    ``layers``: each uint8 (k, j, i); ``ct``: HU, of the same shape. ``on_structure`` as for ``with_statistics``."""
    for structure, mask in _masks(found, layers, on_structure):
        values = ct[mask.box][mask.voxels]
        shares = [percent / 100 for percent in percents]
        yield structure, _percentiles(*_histogram(values), shares) if values.size else []


def _masks(
    found: Sequence[FoundStructure], layers: Sequence[np.ndarray], on_structure: Callable[[], None]
) -> Iterator[tuple[FoundStructure, VoxelMask]]:
    for structure in found:
        on_structure()
        i_min, i_max, j_min, j_max, k_min, k_max = structure.extent
        box = (slice(k_min, k_max + 1), slice(j_min, j_max + 1), slice(i_min, i_max + 1))
        labels = layers[structure.layer]
        yield structure, VoxelMask(labels[box] == structure.label, (k_min, j_min, i_min), labels.shape)


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending values, and how many voxels have each."""
    low, high = values.min(), values.max()
    if np.isfinite([low, high]).all() and int(high) - int(low) < _MOST_BINS:
        numbers = values if values.dtype.kind in "iu" else values.astype(np.int64)
        if numbers is values or np.array_equal(numbers, values):
            return np.arange(int(low), int(high) + 1), np.bincount(np.subtract(numbers, int(low), dtype=np.int64))
    return np.unique(values.astype(np.float64), return_counts=True)


def _percentiles(levels: np.ndarray, counts: np.ndarray, shares: Sequence[float]) -> list[float]:
    ends = np.cumsum(counts)
    percentiles = []
    for share in shares:
        place = share * (int(ends[-1]) - 1)
        below = int(place)
        places = (below, min(below + 1, int(ends[-1]) - 1))
        first, second = (float(levels[np.searchsorted(ends, n, side="right")]) for n in places)
        percentiles.append(first + (second - first) * (place - below))
    return percentiles
