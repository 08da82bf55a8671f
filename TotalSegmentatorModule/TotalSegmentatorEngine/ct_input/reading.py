"""Reads the CT: a file, a DICOM folder, or the raw voxels that Slicer hands over. All checks included; no torch.

Steps: find the kind of input, read header and voxels, validate grid and values (validation.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import CtHeader

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader, looks_like_dicom, read_headers
from TotalSegmentatorEngine.dicom_series.pixels import read_slice
from TotalSegmentatorEngine.dicom_series.series import read_series
from TotalSegmentatorEngine.dicom_series.slice_order import validate_series
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry
from TotalSegmentatorEngine.imaging.image_files import compact, is_nifti_name, read_itk, read_nifti
from TotalSegmentatorEngine.imaging.raw_voxels import read_raw
from TotalSegmentatorEngine.imaging.validation import check_size, check_volume

SAME_PIXEL_HU = 1.5
"""Largest difference of a pixel between a DICOM slice and the same slice in Slicer: decoders of lossy JPEG may differ
by 1."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ReadInput:
    """A CT that passed all checks."""

    volume: Volume
    """Array (k, j, i) in HU: uint8, int8, int16 or int32 where the stored values are whole numbers, else float32."""
    warnings: list[Problem] = field(default_factory=list)
    series_instance_uid: str | None = None


def is_dicom(path: Path) -> bool:
    """True for a folder, which is taken for one of a DICOM series, and for a DICOM file."""
    return path.is_dir() or (not is_nifti_name(path) and looks_like_dicom(path))


def read_input(path: Path) -> ReadInput:
    """The CT in a NIfTI, NRRD, MHA or MHD file, or in a folder with one DICOM series (or one file of it).

    Raises SegmentationError with one of the INPUT_ codes.
    """
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    series_uid = None
    if is_dicom(path):
        volume, series_uid = read_series(path)
    elif is_nifti_name(path):
        volume = read_nifti(path)
    else:
        volume = read_itk(path)
    return ReadInput(volume, check_volume(volume), series_uid)


def read_transferred(job_folder: Path, header: CtHeader) -> ReadInput:
    """The CT that Slicer wrote into ``job_folder``: raw voxels, C order (k, j, i), little endian, as ``header`` says.

    The headers of ``header.dicom_files`` are validated too, since a stack of slices does not show a tilt or a hole:
    modality always, positions only while the voxels are still those of the series (a user who resampled a tilted CT
    has done what the error asks for, though Slicer keeps the series' identifiers on the volume).

    Raises SegmentationError: BAD_REQUEST where voxels and header do not fit, else one of the INPUT_ codes.
    """
    from TotalSegmentatorWire.job_folder import CT_VOXELS

    shape = tuple(int(size) for size in header.shape)
    if len(shape) == 4:
        raise SegmentationError("INPUT_NOT_SCALAR", components=shape[3])
    if len(shape) != 3:
        raise SegmentationError("INPUT_NOT_3D", dimensions=len(shape))
    check_size(shape)
    geometry = Geometry(shape, np.asarray(header.ijk_to_ras, dtype=np.float64).reshape(4, 4))
    check_geometry(geometry)
    volume = Volume(compact(read_raw(job_folder / CT_VOXELS, shape, header.dtype)), geometry)
    _validate_origin(volume, header)
    return ReadInput(volume, check_volume(volume), header.series_instance_uid)


def _validate_origin(volume: Volume, header: CtHeader) -> None:
    try:
        headers = [found for found in read_headers(map(Path, header.dicom_files)) if found.is_image]
    except SegmentationError:
        _log.warning("the series' headers cannot be read and were not validated")
        return
    if not headers:
        return
    other = next((found.modality for found in headers if found.modality != "CT"), None)
    if other is not None:
        raise SegmentationError("INPUT_NOT_CT", modality=other or "not stated")
    try:
        validate_series(headers)
    except SegmentationError as error:
        if _is_the_stack(volume, headers):
            raise
        _log.info("the series' headers show %s, but the volume is no longer that series", error.code)


def _is_the_stack(volume: Volume, headers: list[SliceHeader]) -> bool:
    """True while the volume holds the series' own pixels, in whatever order of slices.

    Three slices of the series are looked for. Whatever cannot be compared (another number of slices, another size) was
    resampled or cropped.
    """
    count, rows, columns = volume.geometry.shape
    if len(headers) != count or any((found.rows, found.columns) != (rows, columns) for found in headers):
        return False
    if any(found.frame is not None for found in headers):
        return False
    try:
        return all(_holds_slice(volume.array, read_slice(headers[n])) for n in sorted({0, count // 2, count - 1}))
    except SegmentationError:
        return False


def _holds_slice(array: np.ndarray, pixels: np.ndarray) -> bool:
    """True where a slice of ``array`` (k, j, i) equals ``pixels`` (j, i). A coarse look first keeps this quick."""
    coarse = np.abs(array[:, ::8, ::8].astype(np.float32) - pixels[::8, ::8]).max(axis=(1, 2))
    candidates = array[coarse <= SAME_PIXEL_HU]
    return any(np.abs(slice_.astype(np.float32) - pixels).max() <= SAME_PIXEL_HU for slice_ in candidates)
