"""The body's outline in a CT, without the table: the EXTERNAL contour that treatment planning needs.

On each plane, what is denser than air is opened, so that tables, sheets and tubes come off the skin. The largest piece
that remains in space is the body's core (and other large ones, as arms and a second leg). What is dense and near the
core belongs to the body; lungs, bowel gas and other holes are filled plane by plane.
"""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.errors import SegmentationError

from .voxel_mask import VoxelMask

TISSUE_HU = -300.0
"""Between fat (-100) and air (-1000); partial volume with air and clothes stays below it."""
_OPENING_MM = 5.0
"""Radius: what is thinner than twice this is no part of the core; table tops of CT scanners are thinner shells."""
_REACH_MM = 5.0
"""How far from the core dense voxels belong to the body, so that ears and skin folds come back."""
_COARSE_MM = 2.0
"""The core is looked for on every n-th pixel of a row and of a column, as long as those are not further apart."""
_OTHER_PIECE = 0.03
"""Pieces of at least this share of the largest one are parts of the body, too: an arm beside a trunk has 5 %."""
_SMALLEST_ML = 20.0
"""A core below this is none: a newborn's arm is larger."""


def body_mask(array_hu: np.ndarray, spacing: tuple[float, float, float]) -> VoxelMask:
    """The body in a CT ``array_hu`` (k, j, i) of any number type.

    ``spacing`` is that of ``Geometry``: mm along i, j, k. Raises SegmentationError("EXPORT_NO_BODY") where nothing in
    the volume is as dense and as large as a body.
    """
    steps = [max(1, int(_COARSE_MM / distance)) for distance in (spacing[1], spacing[0])]
    coarse_spacing = [step * distance for step, distance in zip(steps, (spacing[1], spacing[0]), strict=True)]
    core = _core(array_hu[:, :: steps[0], :: steps[1]] > TISSUE_HU, coarse_spacing, spacing[2])
    body = np.zeros(array_hu.shape, dtype=bool)
    near = _disc(_REACH_MM, coarse_spacing)
    for plane, core_plane, values in zip(body, core, array_hu, strict=True):
        if core_plane.any():
            plane[:] = _body_of_plane(values > TISSUE_HU, core_plane, near, steps)
    return VoxelMask.cropped(body)


def _core(dense: np.ndarray, coarse_spacing: list[float], plane_distance: float) -> np.ndarray:
    """bool: the large pieces of ``dense`` (k, j, i) after opening each plane."""
    from scipy.ndimage import binary_dilation, binary_erosion, label

    disc = _disc(_OPENING_MM, coarse_spacing)[None]
    # beyond the border of the CT the body goes on
    opened = binary_dilation(binary_erosion(dense, disc, border_value=1), disc)
    pieces, _count = label(opened)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    voxel_ml = coarse_spacing[0] * coarse_spacing[1] * plane_distance / 1000
    if sizes.max() * voxel_ml < _SMALLEST_ML:
        raise SegmentationError("EXPORT_NO_BODY")
    return (sizes >= _OTHER_PIECE * sizes.max())[pieces]


def _body_of_plane(dense: np.ndarray, core: np.ndarray, near: np.ndarray, steps: list[int]) -> np.ndarray:
    """bool (j, i): the dense pixels near the core that are connected with it, and what they enclose."""
    from scipy.ndimage import binary_dilation, label

    reach = _finer(binary_dilation(core, near), steps, dense.shape)
    pieces, count = label(dense & reach)
    is_body = np.zeros(count + 1, dtype=bool)
    is_body[pieces[:: steps[0], :: steps[1]][core]] = True
    is_body[0] = False
    around, count = label(np.pad(~is_body[pieces], 1, constant_values=True))
    is_hole = np.ones(count + 1, dtype=bool)
    is_hole[[0, around[0, 0]]] = False
    return is_body[pieces] | is_hole[around[1:-1, 1:-1]]


def _finer(coarse: np.ndarray, steps: list[int], shape: tuple[int, int]) -> np.ndarray:
    rows, columns = (np.arange(size) // step for size, step in zip(shape, steps, strict=True))
    return coarse[np.ix_(rows, columns)]


def _disc(radius_mm: float, spacing: list[float]) -> np.ndarray:
    """bool (j, i): the pixels within the radius, at least the four neighbours."""
    reach = [max(1, int(radius_mm / distance)) for distance in spacing]
    rows, columns = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = np.hypot(rows * spacing[0], columns * spacing[1]) <= radius_mm
    return disc | (np.abs(rows) + np.abs(columns) <= 1)
