"""The grid of a NIfTI file that states it in more than one way: the one that Slicer takes.

A header has two transforms, sform and qform, each with a code that says whether it counts, and the voxel sizes besides
(nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields/nifti1fields_pages/qsform.html). Programs differ in which they
take. Slicer reads by ITK (NiftiImageIO::SetImageIOOrientationFromNIfTI, the same from ITK 5.4.0 to 5.4.7, with which
Slicer 5.8 to 5.13 are built): voxel sizes from pixdim; directions and origin from the sform where it is straight and
its code is "scanner", or the qform has no code, or both are alike, otherwise from the qform; where neither has a code,
the axes run along LPS from 0. SimpleITK has the same code inside, so it is asked for the header.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.imaging.geometry import MAXIMUM_SHEAR_DEGREES, Geometry, geometry_from_lps
from TotalSegmentatorEngine.imaging.itk_names import itk_name

SAME_VOXEL = 0.1
"""Largest distance, in the smallest voxel size, between the places of one voxel by two transforms that count as one."""

SAME_GRID_MM = 1e-3
"""Up to here the float32 of a header differs from itself by rounding."""

_log = logging.getLogger(__name__)


def nifti_grid(header: Any, path: Path, shape: tuple[int, int, int], scale: float, warn: Callable) -> Geometry:
    """The grid of a file with the nibabel ``header``; ``scale`` turns its lengths into mm, ``shape`` is (k, j, i).

    ``warn`` gets NIFTI_TRANSFORMS_DIFFER and NIFTI_NO_ORIENTATION.
    Raises SegmentationError: INPUT_DEGENERATE_DIRECTION, INPUT_SHEARED, INPUT_MIRRORED_TRANSFORMS.
    """
    stated = [_in_mm(shape, matrix, scale) for matrix in _stated(header)]
    if len(stated) == 2 and stated[0].is_left_handed != stated[1].is_left_handed:
        raise SegmentationError("INPUT_MIRRORED_TRANSFORMS")
    taken = _by_itk(path, shape)
    if not stated:
        if taken is None:
            raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
        warn(Problem("NIFTI_NO_ORIENTATION"))
        return taken
    if taken is None or _distance(taken, stated[0]) <= SAME_GRID_MM:
        taken = stated[0]
    apart = max(_distance(taken, other) for other in stated)
    if apart > SAME_VOXEL * min(taken.spacing):
        sheared = max(grid.shear_degrees for grid in stated)
        if sheared > MAXIMUM_SHEAR_DEGREES:  # the other transform cannot describe such a grid
            raise SegmentationError("INPUT_SHEARED", degrees=sheared)
        warn(Problem("NIFTI_TRANSFORMS_DIFFER", {"distance_mm": apart}))
    return taken


def _stated(header: Any) -> list[np.ndarray]:
    """4x4 matrices to RAS, in the file's unit of length: sform, qform, whichever counts."""
    from nibabel.spatialimages import HeaderDataError

    matrices = []
    try:
        if header["sform_code"] > 0:
            matrices.append(header.get_sform())
        if header["qform_code"] > 0:
            matrices.append(header.get_qform())
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):  # a quaternion that is none
        if not matrices:
            raise SegmentationError("INPUT_DEGENERATE_DIRECTION") from None
        _log.warning("the qform cannot be used")
    usable = [m for m in matrices if np.isfinite(m).all() and np.linalg.norm(m[:3, :3], axis=0).min() > 0]
    if matrices and not usable:
        raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
    return usable


def _in_mm(shape: tuple[int, int, int], matrix: np.ndarray, scale: float) -> Geometry:
    return Geometry(shape, np.diag([scale, scale, scale, 1.0]) @ matrix)


def _by_itk(path: Path, shape: tuple[int, int, int]) -> Geometry | None:
    """None where ITK refuses the header, as it does with a lone sform that is not straight."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("NiftiImageIO")
    try:
        with itk_name(path) as name:
            reader.SetFileName(name)
            reader.ReadImageInformation()
    except RuntimeError:
        _log.info("ITK refuses this NIfTI header")
        return None
    size, dimension = reader.GetSize(), reader.GetDimension()
    if dimension < 3 or tuple(reversed(size[:3])) != shape:
        _log.info("ITK reads another size in this NIfTI header")
        return None
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))[:3, :3]
    return geometry_from_lps(shape, reader.GetSpacing()[:3], direction, reader.GetOrigin()[:3])


def _distance(one: Geometry, other: Geometry) -> float:
    """Largest distance in mm between the places of a corner voxel."""
    far = [size - 1 for size in reversed(one.shape)]
    corners = np.array([[i, j, k, 1.0] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])])
    apart = corners @ (one.ijk_to_ras - other.ijk_to_ras).T
    return float(np.linalg.norm(apart[:, :3], axis=1).max())
