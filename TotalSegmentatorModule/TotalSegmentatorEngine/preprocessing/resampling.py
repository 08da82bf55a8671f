"""Resampling as the published pipelines do it, one axis after the other.

TotalSegmentator resamples with ``scipy.ndimage.zoom(mode="nearest")``, whose sample positions run from corner voxel to
corner voxel. Every such resampling is linear in the image and separable, so it is one small matrix per axis. The
matrices are what SciPy itself makes of the unit vectors: the same weights, at the speed of matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from TotalSegmentatorEngine.preprocessing.parallel_slabs import in_slabs

SAME_SPACING_MM = 1e-5
"""Spacings that differ by less are equal: images store spacing as text or float32, and direction times spacing as a
matrix, from which it comes back with a rounding error."""

_NEGLIGIBLE_WEIGHT = 1e-7  # a cubic spline's weights fade with distance; 1e-7 of 4000 HU is 0.0004 HU
_SLICES_AT_ONCE = 8
_SAMPLES_AT_ONCE = 8
FINISHED_ROWS_AT_ONCE = 4
"""Rows of predictions that are brought to another grid at a time, all channels of them."""
_ROWS_A_TASK = 48
"""Rows of the resampled image that one thread makes at a time; neighbouring tasks compute a few slices twice."""
_VOXELS_AT_ONCE = 1024
"""Small matrix products: OpenBLAS computes them on one thread. Larger ones it would share among threads, which takes
longer than the product, and many times longer when the machine is busy."""

Matrices = tuple[np.ndarray, np.ndarray, np.ndarray]


def zoomed_shape(
    shape: Sequence[int], spacing: Sequence[float], target_spacing: Sequence[float]
) -> tuple[int, int, int]:
    """Shape of a resampled image; shape and spacings (mm) in the same axes. SciPy's rule: round(size x factor)."""
    factors = (have / want for have, want in zip(spacing, target_spacing, strict=True))
    return tuple(max(1, round(size * factor)) for size, factor in zip(shape, factors, strict=True))


def is_same_spacing(spacing: Sequence[float], target_spacing: Sequence[float]) -> bool:
    return all(abs(have - want) < SAME_SPACING_MM for have, want in zip(spacing, target_spacing, strict=True))


def zoom(
    image: np.ndarray,
    shape: Sequence[int],
    order: int,
    on_slab: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """The float32 image resampled to ``shape`` by splines of ``order`` (1 or 3), corner voxels on corner voxels.

    Equal to ``scipy.ndimage.zoom(image, ..., order=order, mode="nearest")`` but for float32 rounding. ``on_slab`` is
    called with the done fraction 0..1 now and then; it may raise to stop.
    """
    return apply_matrices(image, zoom_matrices(image.shape, shape, order), on_slab)


def zoom_matrices(shape: Sequence[int], wanted: Sequence[int], order: int) -> Matrices:
    """The three matrices of ``zoom``, from an image of ``shape`` to one of ``wanted``."""
    return tuple(zoom_matrix(size, length, order) for size, length in zip(shape, wanted, strict=True))


@lru_cache(maxsize=32)
def nearest_indices(size: int, wanted: int) -> np.ndarray:
    """For each of ``wanted`` samples from corner to corner the nearest of ``size`` voxels, as SciPy rounds."""
    return ndimage.zoom(np.arange(size, dtype=np.float64), wanted / size, order=0, mode="nearest").astype(np.intp)


@lru_cache(maxsize=32)
def zoom_matrix(size: int, wanted: int, order: int) -> np.ndarray:
    """float32 (wanted, size): the weights with which SciPy's zoom makes each sample out of the voxels of one axis."""
    return trimmed(ndimage.zoom(np.eye(size), (wanted / size, 1.0), order=order, mode="nearest"))


def trimmed(matrix: np.ndarray) -> np.ndarray:
    """float32, with negligible weights set to 0 so that the matrix is a narrow band."""
    matrix = matrix.astype(np.float32)
    matrix[np.abs(matrix) < _NEGLIGIBLE_WEIGHT] = 0.0
    matrix.setflags(write=False)
    return matrix


def truncated_to_int(image: np.ndarray) -> np.ndarray:
    """float32 whole numbers towards 0, as TotalSegmentator stores the resampled CT.

    float32 keeps a whole HU only to about 0.0005; a value that close below a whole number is that number.
    """
    return np.trunc(image + np.copysign(np.float32(5e-4), image))


def whole_number_type(
    image: np.ndarray, matrices: Matrices = (), listen: Callable[[], None] = lambda: None
) -> type[np.integer]:
    """int16 where everything that ``matrices`` can make of the image fits into it, else int32.

    Without matrices: where everything between the image's values fits. ``listen`` is called before each plane; it may
    raise to stop.
    """
    largest = 0.0
    for plane in np.moveaxis(image, np.argmax(np.abs(image.strides)), 0):  # as they lie in memory: many times faster
        listen()
        largest = max(largest, abs(float(plane.min())), abs(float(plane.max())))
    overshoot = np.prod([np.abs(matrix).sum(axis=1).max() for matrix in matrices])
    return np.int16 if largest * overshoot <= np.iinfo(np.int16).max else np.int32


# -- matrices along the axes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """A run of samples and the voxels that they need."""

    samples: slice
    voxels: slice
    weights: np.ndarray
    """(samples, voxels) float32."""


def restricted(matrices: Matrices, region: Sequence[slice]) -> tuple[Matrices, tuple[slice, slice, slice]]:
    """Matrices for the ``region`` of the wanted grid alone, and the box of the image that they need."""
    parts, box = [], []
    for matrix, samples in zip(matrices, region, strict=True):
        rows = matrix[samples]
        voxels = needed_voxels(rows)
        parts.append(np.ascontiguousarray(rows[:, voxels]))
        box.append(voxels)
    return tuple(parts), tuple(box)


def apply_matrices(
    image: np.ndarray,
    matrices: Matrices,
    on_slab: Callable[[float], None] = lambda fraction: None,
    finish: Callable[[np.ndarray], np.ndarray] | None = None,
    dtype: np.typing.DTypeLike = np.float32,
) -> np.ndarray:
    """The image with matrices[a] (wanted, size) applied along each axis a, computed in float32 on several threads.

    ``finish`` changes finished float32 rows before they are stored as ``dtype``. No float32 copy of the whole image is
    ever made.
    """
    result = np.empty(tuple(len(matrix) for matrix in matrices), dtype=dtype)
    rows, columns = bands(matrices[1]), bands(matrices[2])

    def make(samples: slice) -> Iterator[None]:
        part = matrices[0][samples]
        needed = needed_voxels(part)
        start, stop = needed.start, needed.stop
        planes = np.empty((stop - start, result.shape[1], result.shape[2]), dtype=np.float32)
        for slices in range(start, stop, _SLICES_AT_ONCE):
            some = slice(slices, min(slices + _SLICES_AT_ONCE, stop))
            planes[some.start - start : some.stop - start] = in_plane(image[some], rows, columns)
            yield
        for band in bands(part[:, needed]):
            made = along_first(planes[band.voxels], band.weights)
            result[samples][band.samples] = made if finish is None else finish(made)
            yield

    in_slabs(make, len(result), _ROWS_A_TASK, on_slab)
    return result


def in_plane(slices: np.ndarray, rows: list[Band], columns: list[Band]) -> np.ndarray:
    """float32 (n, rows, columns) of ``slices`` (n, y, x) with the bands of a matrix along y and of one along x."""
    slices = np.ascontiguousarray(slices, dtype=np.float32)
    halfway = np.empty((len(slices), rows[-1].samples.stop, slices.shape[2]), dtype=np.float32)
    for band in rows:
        np.matmul(band.weights, slices[:, band.voxels], out=halfway[:, band.samples])
    result = np.empty((len(slices), halfway.shape[1], columns[-1].samples.stop), dtype=np.float32)
    for band in columns:
        result[:, :, band.samples] = np.matmul(halfway[:, :, band.voxels], band.weights.T)
    return result


def along_first(slices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float32 (m, y, x) out of ``slices`` (n, y, x) with ``weights`` (m, n)."""
    voxels = slices.reshape(len(slices), -1)
    result = np.empty((len(weights), voxels.shape[1]), dtype=np.float32)
    for start in range(0, voxels.shape[1], _VOXELS_AT_ONCE):
        columns = slice(start, start + _VOXELS_AT_ONCE)
        np.matmul(weights, voxels[:, columns], out=result[:, columns])
    return result.reshape(len(weights), *slices.shape[1:])


def bands(matrix: np.ndarray, samples_at_once: int = _SAMPLES_AT_ONCE) -> list[Band]:
    """The matrix cut into runs of samples, each with only the voxels that it needs."""
    found = []
    for start in range(0, len(matrix), samples_at_once):
        rows = matrix[start : start + samples_at_once]
        voxels = needed_voxels(rows)
        found.append(Band(slice(start, start + len(rows)), voxels, np.ascontiguousarray(rows[:, voxels])))
    return found


def needed_voxels(rows: np.ndarray) -> slice:
    """The voxels from the first to the last to which ``rows`` (samples, voxels) of a matrix give a weight."""
    needed = np.flatnonzero(rows.any(axis=0))
    return slice(int(needed[0]), int(needed[-1]) + 1) if needed.size else slice(0, 1)
