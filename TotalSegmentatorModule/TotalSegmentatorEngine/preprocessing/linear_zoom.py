"""Linear resampling with exactly the numbers of ``scipy.ndimage.zoom(order=1, mode="nearest")``, several times as fast.

TotalSegmentator cuts the resampled CT to whole HU, so a difference in the last digit becomes one of 1 HU wherever a
value is a whole number, which a region of one value is everywhere. So here each product and sum is made in float64 and
in SciPy's order (ni_interpolation.c, NI_ZoomShift): for each of the eight neighbours, the input's last axis fastest,
value x weight x weight x weight, added up one after the other.

SciPy is given TotalSegmentator's array, whose axes run R, A, S; ours run S, A, R.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.preprocessing.parallel_slabs import in_slabs

_ROWS_A_TASK = 24
"""Planes of the resampled image that one thread makes at a time."""


@dataclass(frozen=True, eq=False)
class _Axis:
    """Where the samples of one axis lie between the image's voxels."""

    low: np.ndarray
    high: np.ndarray
    """Indices of the two neighbours of each sample."""
    low_weight: np.ndarray
    high_weight: np.ndarray


def linear_zoom(
    image: np.ndarray,
    wanted: Sequence[int],
    region: Sequence[slice],
    finish: Callable[[np.ndarray], np.ndarray],
    dtype: np.typing.DTypeLike,
    on_slab: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """The ``region`` of the image (z, y, x) resampled to the shape ``wanted``, corner voxels on corner voxels.

    ``finish`` makes of finished float64 planes what is stored as ``dtype``. ``on_slab`` gets the done fraction now and
    then; it may raise to stop.
    """
    z, y, x = (_axis(size, length, part) for size, length, part in zip(image.shape, wanted, region, strict=True))
    result = np.empty((len(z.low), len(y.low), len(x.low)), dtype=dtype)

    def make(rows: slice) -> Iterator[None]:
        planes: dict[int, list[np.ndarray]] = {}
        for row in range(rows.start, rows.stop):
            low, high = int(z.low[row]), int(z.high[row])
            planes = {index: planes.get(index) or _weighted(image[index], y, x) for index in {low, high}}
            total = np.zeros(result.shape[1:])
            for lower, higher in zip(planes[low], planes[high], strict=True):
                total += lower * z.low_weight[row]
                total += higher * z.high_weight[row]
            result[row] = finish(total)
            yield

    in_slabs(make, len(result), _ROWS_A_TASK, on_slab)
    return result


def _axis(size: int, wanted: int, part: slice) -> _Axis:
    samples = np.arange(wanted, dtype=np.float64)[part]
    factor = (size - 1) / (wanted - 1) if wanted > 1 else 1.0
    places = samples * factor  # the last one may lie beyond the last voxel by a rounding error, and stays there
    low = np.floor(places)
    low_weight = 1.0 - (places - low)
    low = low.astype(np.intp)
    return _Axis(low, np.minimum(low + 1, size - 1), low_weight, 1.0 - low_weight)


def _weighted(plane: np.ndarray, y: _Axis, x: _Axis) -> list[np.ndarray]:
    """The plane's four neighbours of each sample, times their weights along x and then y; the neighbour along y
    fastest."""
    plane = np.asarray(plane, dtype=np.float64)
    found = []
    for columns, column_weight in ((x.low, x.low_weight), (x.high, x.high_weight)):
        weighted = plane.take(columns, axis=1)
        weighted *= column_weight
        found += [
            weighted.take(rows, axis=0) * row_weight[:, None]
            for rows, row_weight in ((y.low, y.low_weight), (y.high, y.high_weight))
        ]
    return found
