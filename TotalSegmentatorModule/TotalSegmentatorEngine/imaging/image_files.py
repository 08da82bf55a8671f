"""Reads image files other than DICOM: NIfTI, and everything that SimpleITK knows (NRRD, MHA, MHD, ...).

Headers are read by nibabel (NIfTI) and SimpleITK, voxels by ``payloads`` wherever a format allows it: both libraries
take damaged files without a word.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry, geometry_from_lps
from TotalSegmentatorEngine.imaging.itk_names import itk_name
from TotalSegmentatorEngine.imaging.library_output import library_lines
from TotalSegmentatorEngine.imaging.nifti_grid import nifti_grid
from TotalSegmentatorEngine.imaging.validation import check_size
from TotalSegmentatorEngine.payloads.find_payload import find_payload
from TotalSegmentatorEngine.payloads.payload import (
    TOO_LONG,
    TOO_SHORT,
    Layers,
    Payload,
    check_parts,
    check_payload,
    check_possible,
    damaged,
    read_payload,
)
from TotalSegmentatorEngine.payloads.streams import CheckedStream, DamagedStreamError, compression_of

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
"""By the lowest three bits of NIfTI's xyzt_units: metres and micrometres; all else counts as millimetres."""

_NIFTI2_SIZES = (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
"""A header of NIfTI-2 begins with its size, 540 bytes."""
_BYTES_SKIPPED = 1 << 20

_DETACHED_HEADERS = (".nhdr", ".mhd", ".hdr")
"""Their voxels lie in other files, which may be missing."""

_ATTACHED = (".nrrd", ".mha")
"""The voxels follow their header, and nothing follows them."""

_COMPLAINT = re.compile(r"error|truncat|short|corrupt|damage|invalid|fail|not read|premature|unexpected", re.IGNORECASE)
"""What libraries print where they go on with a damaged file."""

_LARGEST_EXACT_SLOPE = 2.0**15
"""Whole slopes and intercepts up to here times 32-bit values fit into 64 bits."""

_log = logging.getLogger(__name__)


def ignore(problem: Problem) -> None:
    """For those who show no warnings."""


def is_nifti_name(path: Path) -> bool:
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def unreadable(error: Exception, path: Path) -> SegmentationError:
    """INPUT_UNREADABLE; the log gets the kind of error only, since libraries put paths into their messages."""
    _log.error("reading failed with %s", type(error).__name__)
    return SegmentationError("INPUT_UNREADABLE", file=path.name)


def read_nifti(path: Path, warn: Callable[[Problem], None] = ignore) -> Volume:
    """The volume of a NIfTI-1 or NIfTI-2 file on the grid that Slicer takes (nifti_grid.py); length units respected.

    Whether the file is compressed is told by its first bytes. It is read to its end, its checksum compared.
    ``warn`` gets what the grid leaves open.

    Raises SegmentationError: INPUT_UNREADABLE, INPUT_DAMAGED, INPUT_NOT_3D, INPUT_NOT_SCALAR, INPUT_TOO_FEW_SLICES,
    INPUT_DEGENERATE_DIRECTION, INPUT_SHEARED, INPUT_MIRRORED_TRANSFORMS.
    """
    try:
        with path.open("rb") as source:
            compression = compression_of(source.read(4))
            source.seek(0)
            return _read_nifti(path, CheckedStream(source, compression), compression, warn)
    except DamagedStreamError as error:
        raise damaged(path, str(error)) from None
    except OSError as error:
        raise unreadable(error, path) from None


def _read_nifti(path: Path, stream: CheckedStream, compression: str, warn: Callable[[Problem], None]) -> Volume:
    header = _nifti_header(path, stream)
    sizes = tuple(int(size) for size in header.get_data_shape())
    dtype = header.get_data_dtype()
    _check_dimensions(sizes, _components(dtype))
    shape = tuple(reversed(sizes[:3]))
    check_size(shape)
    scale = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    geometry = nifti_grid(header, path, shape, scale, warn)
    check_geometry(geometry)
    slope, intercept = _scaling(path, header)
    count = int(np.prod(shape, dtype=object)) * dtype.itemsize
    check_possible(path, compression, path.stat().st_size, count)
    stored = np.empty(shape, dtype)
    if stream.read_into(memoryview(stored.reshape(-1).view(np.uint8))) < count:
        raise damaged(path, TOO_SHORT)
    if Layers(shape, dtype.itemsize).are_in(*stream.finish()):
        raise damaged(path, TOO_LONG)
    return Volume(rescaled(stored, slope, intercept), geometry)


def _nifti_header(path: Path, stream: CheckedStream) -> Any:
    """nibabel's; ``stream`` stands at the voxels afterwards."""
    import nibabel
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    size = stream.read(4)
    kind = nibabel.Nifti2Header if size in _NIFTI2_SIZES else nibabel.Nifti1Header
    length = kind.template_dtype.itemsize
    block = size + stream.read(length - len(size))
    if len(block) < length:
        _log.error("a NIfTI header is incomplete")
        raise SegmentationError("INPUT_UNREADABLE", file=path.name)
    try:
        header = kind(block)
        gap = max(int(header.get_data_offset()), length) - length
    except (HeaderDataError, WrapStructError, ValueError, OverflowError) as error:
        raise unreadable(error, path) from None
    if not header["magic"].tobytes().startswith(b"n+"):
        _log.error("a NIfTI file has another magic number")
        raise SegmentationError("INPUT_UNREADABLE", file=path.name)
    while gap > 0:  # extensions
        skipped = len(stream.read(min(gap, _BYTES_SKIPPED)))
        if not skipped:
            raise damaged(path, TOO_SHORT)
        gap -= skipped
    return header


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    from nibabel.spatialimages import HeaderDataError

    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise unreadable(error, path) from None
    return 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)


@dataclass(frozen=True, eq=False)
class ItkImage:
    """What a file of any format but DICOM and NIfTI holds."""

    array: np.ndarray
    """As stored: (k, j, i), or (k, j, i, value) where a voxel has several values."""
    geometry: Geometry
    fields: dict[str, str]
    """Of the file's header, as ITK has them."""


def read_itk(path: Path) -> Volume:
    """The volume of any file that SimpleITK knows. The header is validated before the voxels are read.

    Raises SegmentationError as ``read_nifti`` does.
    """
    image = read_itk_image(path, most_components=1)
    return Volume(compact(image.array), image.geometry)


def read_itk_image(path: Path, most_components: int) -> ItkImage:
    """The image of any file that SimpleITK knows, with up to ``most_components`` values a voxel.

    ITK reads the header. The voxels of the formats in ``payloads`` are read here, since ITK compares no checksum and
    takes short files; those of other formats by ITK, whose every complaint is an error.

    Raises SegmentationError as ``read_nifti`` does.
    """
    try:
        with itk_name(path) as name:
            return _read_itk_image(path, name, most_components)
    except OSError as error:
        raise unreadable(error, path) from None


def _read_itk_image(path: Path, name: str, most_components: int) -> ItkImage:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(name)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        payload = find_payload(path) if path.suffix.lower() in _DETACHED_HEADERS else None
        if payload is not None:
            check_parts(payload)
        raise unreadable(error, path) from None
    size, dimension, components = reader.GetSize(), reader.GetDimension(), reader.GetNumberOfComponents()
    _check_dimensions(size, components if components > most_components else 1)
    shape = tuple(reversed(size[:3]))
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))[:3, :3]
    geometry = geometry_from_lps(shape, reader.GetSpacing()[:3], direction, reader.GetOrigin()[:3])
    check_size(shape)
    check_geometry(geometry)
    whole = shape if components == 1 else (*shape, components)
    return ItkImage(_itk_voxels(path, reader, whole), geometry, _fields(reader))


def _fields(reader: Any) -> dict[str, str]:
    """Header fields; SimpleITK gives bytes that are no UTF-8 as lone surrogates, and takes no such key back."""
    fields = {}
    for key in reader.GetMetaDataKeys():
        if key.isprintable():
            value = reader.GetMetaData(key).encode("utf-8", "surrogateescape")
            try:
                fields[key] = value.decode("utf-8")
            except UnicodeDecodeError:
                fields[key] = value.decode("latin-1")
    return fields


def _itk_voxels(path: Path, reader: Any, shape: tuple[int, ...]) -> np.ndarray:
    payload = find_payload(path)
    dtype = _itk_type(reader.GetPixelID())
    if payload is not None and payload.stated_bytes is None and dtype is not None:
        dtype = dtype.newbyteorder(">" if payload.is_big_endian else "<")
        count = int(np.prod(shape, dtype=object)) * dtype.itemsize
        voxels = read_payload(payload, count, _layers(path, payload, shape, dtype))
        return voxels.view(dtype).reshape(shape)
    if payload is not None:
        check_payload(payload)
    return _by_itk(path, reader).reshape(shape)


def _layers(path: Path, payload: Payload, shape: tuple[int, ...], dtype: np.dtype) -> Layers | None:
    """For ``read_payload``. A header of its own can mean a part of a file, and VTK's files hold more than one table."""
    if path.suffix.lower() not in _ATTACHED or [part.path for part in payload.parts] != [path]:
        return None
    return Layers(shape[:3], int(np.prod(shape[3:])) * dtype.itemsize)


def _by_itk(path: Path, reader: Any) -> np.ndarray:
    import SimpleITK

    with library_lines() as lines:
        try:
            image = reader.Execute()
        except RuntimeError as error:
            raise unreadable(error, path) from None
    if any(_COMPLAINT.search(line) for line in lines):
        raise damaged(path, "a library complained while it was read")
    return SimpleITK.GetArrayFromImage(image)


def _itk_type(pixel_id: int) -> np.dtype | None:
    """None for complex numbers and other rarities."""
    import SimpleITK

    names = {"UInt8": "u1", "Int8": "i1", "UInt16": "u2", "Int16": "i2", "UInt32": "u4", "Int32": "i4"}
    names |= {"UInt64": "u8", "Int64": "i8", "Float32": "f4", "Float64": "f8"}
    for name, code in names.items():
        if pixel_id in (getattr(SimpleITK, f"sitk{name}"), getattr(SimpleITK, f"sitkVector{name}")):
            return np.dtype(code)
    return None


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
