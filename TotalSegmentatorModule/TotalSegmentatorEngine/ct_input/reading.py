"""Reads the CT: a file, a DICOM folder, or the raw voxels that Slicer hands over. All checks included; no torch.

Steps: find the kind of input, read header and voxels, validate grid and values (validation.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import CtHeader

from TotalSegmentatorEngine.ct_input.file_kind import check_kind
from TotalSegmentatorEngine.ct_input.hu_scale import hu_scale_warnings
from TotalSegmentatorEngine.ct_input.slicer_volume import validated_by_headers
from TotalSegmentatorEngine.dicom_series.recognition import looks_like_dicom
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry
from TotalSegmentatorEngine.imaging.image_files import compact, is_nifti_name, read_itk, read_nifti
from TotalSegmentatorEngine.imaging.library_output import library_lines
from TotalSegmentatorEngine.imaging.raw_voxels import read_raw
from TotalSegmentatorEngine.imaging.validation import check_size, check_volume
from TotalSegmentatorEngine.series_selection.series import read_series
from TotalSegmentatorEngine.series_selection.series_choice import ANY_SERIES, Select, SeriesChoice, select_series


@dataclass(frozen=True, eq=False)
class ReadInput:
    """A CT that passed all checks."""

    volume: Volume
    """Array (k, j, i) in HU: uint8, int8, int16 or int32 where the stored values are whole numbers, else float32."""
    warnings: list[Problem] = field(default_factory=list)
    series_instance_uid: str | None = None
    note: str = ""
    """Which slices of a DICOM series were read, and what was passed over; for the terminal."""


def is_dicom(path: Path) -> bool:
    """True for a folder, which is taken for one of a DICOM series, and for a DICOM file."""
    return path.is_dir() or (not is_nifti_name(path) and looks_like_dicom(path))


def read_input(path: Path, choice: SeriesChoice = ANY_SERIES, select: Select = select_series) -> ReadInput:
    """The CT in a NIfTI, NRRD, MHA or MHD file, or the CT series of a DICOM folder (or of one file of it).

    ``choice`` tells which series of a folder is meant; an image file has none. ``select`` finds its files.

    Raises SegmentationError with one of the INPUT_ codes.
    """
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    with library_lines():
        if is_dicom(path):
            read = read_series(path, choice, select)
            warnings = [*read.selected.warnings, *_check_values(read.volume)]
            return ReadInput(read.volume, warnings, read.series_uid, read.selected.note)
        if choice.named is not None:
            raise SegmentationError("INPUT_SERIES_UNKNOWN", series=choice.named)
        check_kind(path)
        warnings: list[Problem] = []
        volume = read_nifti(path, warnings.append) if is_nifti_name(path) else read_itk(path)
    return ReadInput(volume, [*warnings, *_check_values(volume)])


def read_transferred(job_folder: Path, header: CtHeader, listen: Callable[[], None] = lambda: None) -> ReadInput:
    """The CT that Slicer wrote into ``job_folder``: raw voxels, C order (k, j, i), little endian, as ``header`` says.

    The headers of ``header.dicom_files`` are validated too, and say what is padding (slicer_volume.py). ``listen`` is
    called again and again; it may raise to stop.

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
    volume = Volume(read_raw(job_folder / CT_VOXELS, shape, header.dtype, listen), geometry)
    with library_lines():
        voxels, warnings = validated_by_headers(volume, header.dicom_files, listen)
    listen()
    volume = Volume(compact(voxels), geometry)
    return ReadInput(volume, [*warnings, *_check_values(volume, listen)], header.series_instance_uid)


def _check_values(volume: Volume, listen: Callable[[], None] = lambda: None) -> list[Problem]:
    """One warning at most is about the scale of the values."""
    return check_volume(volume, listen) or hu_scale_warnings(volume.array)
