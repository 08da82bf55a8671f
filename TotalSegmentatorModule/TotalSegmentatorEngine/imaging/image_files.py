"""Reads image files other than DICOM: NIfTI by nibabel, everything else (NRRD, MHA, MHD, ...) by SimpleITK.

NIfTI goes by nibabel because ITK refuses matrices that are not orthonormal without saying which
matrix, and because TotalSegmentator reads with nibabel: the same transform wins where a file states two.
"""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry, geometry_from_lps
from TotalSegmentatorEngine.imaging.validation import check_size

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
"""By the lowest three bits of NIfTI's xyzt_units: metres and micrometres; all else counts as millimetres."""

_LARGEST_EXACT_SLOPE = 2.0**15
"""Whole slopes and intercepts up to here times 32-bit values fit into 64 bits."""

_log = logging.getLogger(__name__)


def is_nifti_name(path: Path) -> bool:
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def unreadable(error: Exception, path: Path) -> SegmentationError:
    """INPUT_UNREADABLE; the log gets the kind of error only, since libraries put paths into their messages."""
    _log.error("reading failed with %s", type(error).__name__)
    return SegmentationError("INPUT_UNREADABLE", file=path.name)


def read_nifti(path: Path) -> Volume:
    """The volume of a NIfTI-1 or NIfTI-2 file; sform before qform, as nibabel has it; length units respected.

    Raises SegmentationError: INPUT_UNREADABLE, INPUT_NOT_3D, INPUT_NOT_SCALAR, INPUT_TOO_FEW_SLICES,
    INPUT_DEGENERATE_DIRECTION, INPUT_SHEARED.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    damages = (
        ImageFileError,
        HeaderDataError,
        WrapStructError,
        OSError,
        EOFError,
        ValueError,
        OverflowError,
        zlib.error,
    )
    try:
        # not mapped into memory: the file may change or go while its CT is being segmented
        kind = nibabel.Nifti2Image if _is_nifti2(path) else nibabel.Nifti1Image
        image = kind.from_filename(path, mmap=False)
        header = image.header
    except damages as error:
        raise unreadable(error, path) from None
    _check_dimensions(image.shape, _components(header.get_data_dtype()))
    shape = tuple(reversed(image.shape[:3]))
    try:
        affine = header.get_best_affine()
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):  # a quaternion that is none
        raise SegmentationError("INPUT_DEGENERATE_DIRECTION") from None
    scale = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    geometry = Geometry(shape, np.diag([scale, scale, scale, 1.0]) @ affine)
    check_size(shape)
    check_geometry(geometry)
    try:
        stored = np.asanyarray(image.dataobj.get_unscaled())
    except damages as error:
        raise unreadable(error, path) from None
    scaled = rescaled(stored.reshape(image.shape[:3]).T, float(image.dataobj.slope), float(image.dataobj.inter))
    return Volume(scaled, geometry)


def _is_nifti2(path: Path) -> bool:
    """NIfTI-2 has a header of 540 bytes, NIfTI-1 of 348; the first four bytes say which."""
    import gzip

    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
        return stream.read(4) in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")


def read_itk(path: Path) -> Volume:
    """The volume of any file that SimpleITK knows. The header is validated before the voxels are read.

    Raises SegmentationError as ``read_nifti`` does.
    """
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise unreadable(error, path) from None
    size, dimension = tuple(reversed(reader.GetSize())), reader.GetDimension()
    _check_dimensions(tuple(reversed(size)), reader.GetNumberOfComponents())
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))[:3, :3]
    geometry = geometry_from_lps(size[-3:], reader.GetSpacing()[:3], direction, reader.GetOrigin()[:3])
    check_size(geometry.shape)
    check_geometry(geometry)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise unreadable(error, path) from None
    return Volume(compact(SimpleITK.GetArrayFromImage(image).reshape(geometry.shape)), geometry)


def _check_dimensions(shape: tuple[int, ...], components: int) -> None:
    """``shape`` is (i, j, k, t, ...) as the file states it; trailing ones beyond the third do not count.

    A fifth axis of more than 1 is NIfTI's place for the values of a vector.
    """
    if len(shape) >= 5 and shape[3] == 1 and shape[4] > 1:
        components *= shape[4]
    elif any(size > 1 for size in shape[3:]):
        raise SegmentationError("INPUT_NOT_3D", dimensions=max(n + 1 for n, size in enumerate(shape) if size > 1))
    if len(shape) < 3:
        raise SegmentationError("INPUT_NOT_3D", dimensions=len(shape))
    if components > 1:
        raise SegmentationError("INPUT_NOT_SCALAR", components=components)


def _components(dtype: np.dtype) -> int:
    """Values per voxel of a NIfTI type: RGB and RGBA are structures, complex numbers have two."""
    if dtype.names:
        return len(dtype.names)
    return 2 if dtype.kind == "c" else 1


def rescaled(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """``stored * slope + intercept`` in the smallest type that holds it: whole numbers stay whole numbers."""
    if (slope, intercept) == (1.0, 0.0):
        return compact(stored)
    is_whole = stored.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer()
    if is_whole and stored.dtype.itemsize <= 4 and max(abs(slope), abs(intercept)) <= _LARGEST_EXACT_SLOPE:
        return compact(stored.astype(np.int64) * int(slope) + int(intercept))
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused by the checks
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def compact(array: np.ndarray) -> np.ndarray:
    """The same values in native byte order: uint8, int8 and int16 as they are, wider whole numbers as int16 where
    they fit and int32 otherwise, floating point as float32 (24 bits hold any HU exactly)."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite, which the checks refuse
            return array.astype(np.float32, copy=False)
    if array.dtype.itemsize == 1:
        return array
    if array.dtype.kind == "i" and array.dtype.itemsize == 2:
        return array.astype(np.int16, copy=False)
    lowest, highest = int(array.min()), int(array.max())
    small = np.iinfo(np.int16)
    if small.min <= lowest and highest <= small.max:
        return array.astype(np.int16)
    wide = np.iinfo(np.int32)
    if wide.min <= lowest and highest <= wide.max:
        return array.astype(np.int32)
    return array.astype(np.float32)
