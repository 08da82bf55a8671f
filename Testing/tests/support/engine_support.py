"""Small CTs for the engine's tests."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume


def blobs_volume(shape: tuple[int, int, int], spacing: tuple[float, float, float], seed: int = 0) -> Volume:
    """A smooth random CT, asymmetric along every axis; ``spacing`` in mm along k, j, i; voxel order RAS."""
    noise = np.random.default_rng(seed).normal(0, 1, shape)
    smooth = gaussian_filter(noise, 1.5)
    ramp = np.linspace(0, 300, shape[0])[:, None, None] + np.linspace(0, 200, shape[2])
    array = (smooth / smooth.std() * 350 + ramp - 150).astype(np.int16)
    matrix = np.diag([*reversed(spacing), 1.0])
    matrix[:3, 3] = (-31.0, 12.0, 7.0)
    return Volume(array, Geometry(shape, matrix))


def turned(volume: Volume, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same patient, stored with the array axes in another order and direction."""
    matrix = volume.geometry.ijk_to_ras.copy()
    columns = [2 - axis for axis in axes]  # array axes run k, j, i; matrix columns i, j, k
    turned_matrix = matrix.copy()
    array = volume.array.transpose(axes)
    for place, (column, flip) in enumerate(zip(columns, flips, strict=True)):
        size = array.shape[place]
        vector = matrix[:3, column]
        turned_matrix[:3, 2 - place] = -vector if flip else vector
        if flip:
            turned_matrix[:3, 3] += vector * (size - 1)
    array = array[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    return Volume(np.ascontiguousarray(array), Geometry(array.shape, turned_matrix))
