"""The body's outline in a CT, without the table: the EXTERNAL contour that treatment planning needs.

On each plane, what is denser than air is opened, so that tables, sheets and tubes come off the skin. The largest piece
that remains in space is the body's core (and other large ones, as arms and a second leg). What is dense and near the
core belongs to the body; lungs, bowel gas and other holes are filled plane by plane. A lung that the border of the CT
cuts is no hole: nothing distinguishes it from the air outside there.
"""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask

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
_ENCLOSING = 0.75
"""Share of the dense pixels around a hole that must be the body's."""
_ENCLOSING_LUNG = 0.3
"""The same for a hole that is no air: a child's chest wall may be too thin to be in the core for half of the way."""
_LUNG_HU = -900.0
"""Lungs are denser in the mean; cushions and the foam of tables are not."""
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
    for plane, core_plane, values in zip(body, core, array_hu, strict=True):
        if core_plane.any():
            coarse, fine = _around(core_plane, coarse_spacing, steps)
            plane[fine] = _body_of_plane(values[fine], core_plane[coarse], coarse_spacing, steps)
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


def _around(core: np.ndarray, spacing: list[float], steps: list[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The box of a plane that can hold the body, in the pixels of ``core`` (j, i) and in the plane's own."""
    coarse = []
    for axis in (0, 1):
        filled = np.flatnonzero(core.any(axis=1 - axis))
        margin = int(2 * _OPENING_MM / spacing[axis]) + 2
        coarse.append(slice(max(int(filled[0]) - margin, 0), int(filled[-1]) + 1 + margin))
    fine = (slice(part.start * step, part.stop * step) for part, step in zip(coarse, steps, strict=True))
    return tuple(coarse), tuple(fine)


def _body_of_plane(values: np.ndarray, core: np.ndarray, spacing: list[float], steps: list[int]) -> np.ndarray:
    """bool (j, i): the dense pixels near the core that are connected with it, and what they enclose.

    ``values`` (j, i) in HU. ``core`` is every ``steps``-th pixel of the plane, ``spacing`` their distance in mm along
    j, then i. Where a wall around a lung is too thin to be in the core, it is found from the lung's side.
    """
    from scipy.ndimage import binary_dilation

    dense = values > TISSUE_HU
    near = _finer(binary_dilation(core, _disc(_REACH_MM, spacing)), steps, dense.shape)
    body = _connected(dense & near, core, steps)
    lungs = _enclosed_by(body, dense, values)
    if lungs.any():
        coarse = lungs[:: steps[0], :: steps[1]]
        near |= _finer(binary_dilation(coarse, _disc(2 * _OPENING_MM, spacing)), steps, dense.shape)
        body = _connected(lungs | (dense & near), core, steps)
    return body | _enclosed_by(body, body, values)


def _connected(pixels: np.ndarray, core: np.ndarray, steps: list[int]) -> np.ndarray:
    from scipy.ndimage import label

    pieces, count = label(pixels)
    is_body = np.zeros(count + 1, dtype=bool)
    is_body[pieces[:: steps[0], :: steps[1]][core]] = True
    is_body[0] = False
    return is_body[pieces]


def _enclosed_by(body: np.ndarray, dense: np.ndarray, values: np.ndarray) -> np.ndarray:
    """bool (j, i): what is enclosed by ``dense`` pixels of which enough are the ``body``'s; ``values`` in HU.

    So the air between the back and the table is not, nor what the table encloses.
    """
    from scipy.ndimage import binary_dilation, label

    holes, count = label(np.pad(~dense, 1, constant_values=True))
    beside_dense, beside_body = (
        np.bincount(holes[binary_dilation(np.pad(pixels, 1))], minlength=count + 1) for pixels in (dense, body)
    )
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    sums = np.bincount(holes[1:-1, 1:-1].ravel(), weights=values.ravel(), minlength=count + 1)
    needed = np.where(sums > _LUNG_HU * sizes, _ENCLOSING_LUNG, _ENCLOSING)
    is_enclosed = beside_body >= needed * beside_dense
    is_enclosed[[0, holes[0, 0]]] = False
    return is_enclosed[holes[1:-1, 1:-1]]


def _finer(coarse: np.ndarray, steps: list[int], shape: tuple[int, int]) -> np.ndarray:
    rows, columns = (np.arange(size) // step for size, step in zip(shape, steps, strict=True))
    return coarse[np.ix_(rows, columns)]


def _disc(radius_mm: float, spacing: list[float]) -> np.ndarray:
    """bool (j, i): the pixels within the radius, at least the four neighbours."""
    reach = [max(1, int(radius_mm / distance)) for distance in spacing]
    rows, columns = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = np.hypot(rows * spacing[0], columns * spacing[1]) <= radius_mm
    return disc | (np.abs(rows) + np.abs(columns) <= 1)
