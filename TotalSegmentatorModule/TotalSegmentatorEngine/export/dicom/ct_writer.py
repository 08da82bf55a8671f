"""Writes a volume that did not come from DICOM as a CT series, so that structures have images to refer to."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.dicom.object import UTF_8, date_and_time, new_object, new_uid
from TotalSegmentatorEngine.export.dicom.text import decimal_string, long_string
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_disk_space, check_place
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
SERIES_DESCRIPTION = "CT written for structures"
WINDOW = (40, 400)
"""Centre and width in HU: soft tissue."""

_LOWEST, _HIGHEST = -32768, 32767
_HEADER_BYTES = 2048  # an upper bound of one file's


@dataclass(frozen=True)
class CtIdentity:
    """Whose CT the new series is. A volume from a file names nobody: by default somebody without a name, never twice
    the same one, so that no archive puts two patients together."""

    patient_name: str = "Anonymous^Patient"
    patient_id: str = field(default_factory=lambda: "ANON-" + secrets.token_hex(4).upper())
    patient_position: str = "HFS"
    """PS3.3 C.7.3.1.1.2. A file does not say how the patient lay on the table; this is how most do, and planning
    systems refuse a CT without it. Positions and directions do not depend on it."""


def write_ct_series(
    folder: Path,
    volume: Volume,
    patient: CtIdentity | None = None,
    description: str = SERIES_DESCRIPTION,
    check_cancelled: Callable[[], None] = lambda: None,
) -> list[Path]:
    """One CT image per slice of ``volume`` (HU), in a folder that exists; returns the files along the series' normal.

    Values are rounded to whole HU where 16 bits can hold them, else to 65,535 equal steps. The slices of a left-handed
    grid come out in reverse order, since DICOM's normal is row x column. When something fails, no file stays.
    Raises SegmentationError: INPUT_DEGENERATE_DIRECTION, INPUT_SHEARED, INPUT_NON_FINITE, DISK_FULL,
    OUTPUT_NOT_WRITABLE, and what ``check_cancelled`` raises.
    """
    geometry = volume.geometry
    check_geometry(geometry)
    scale = _Scale.of(volume.array)
    order = range(geometry.shape[0])[:: -1 if geometry.is_left_handed else 1]
    paths = [folder / f"CT_{number:04d}.dcm" for number in range(1, len(order) + 1)]
    check_place(paths[0])
    check_disk_space(folder, len(paths) * _HEADER_BYTES + 2 * volume.array.size)
    template = _series_dataset(geometry, patient or CtIdentity(), description, scale)
    written: list[Path] = []
    try:
        for number, (k, path) in enumerate(zip(order, paths, strict=True), start=1):
            check_cancelled()
            _set_slice(template, geometry, k, number)
            template.PixelData = scale.stored(volume.array[k]).tobytes()
            with atomic_file(path, 2 * volume.array.size) as stream:
                template.save_as(stream, enforce_file_format=True)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return paths


@dataclass(frozen=True)
class _Scale:
    """How HU become 16-bit numbers: HU = slope * stored + intercept, PS3.3 C.11.1."""

    slope: float
    intercept: float

    @classmethod
    def of(cls, array: np.ndarray) -> _Scale:
        lowest, highest = float(array.min()), float(array.max())
        if not (np.isfinite(lowest) and np.isfinite(highest)):  # NaN anywhere makes both NaN
            raise SegmentationError("INPUT_NON_FINITE", count=int(np.count_nonzero(~np.isfinite(array))))
        if lowest >= _LOWEST and highest <= _HIGHEST:
            return cls(1.0, 0.0)
        # as they will stand in the header, so that the stored numbers fit what a reader will compute
        slope = float(decimal_string((highest - lowest) / (_HIGHEST - _LOWEST) * (1 + 1e-9)))
        return cls(slope, float(decimal_string(lowest - slope * _LOWEST)))

    def stored(self, plane: np.ndarray) -> np.ndarray:
        values = plane.astype(np.float64)
        steps = np.rint((values - self.intercept) / self.slope)
        return np.clip(steps, _LOWEST, _HIGHEST).astype("<i2")


def _series_dataset(geometry: Geometry, patient: CtIdentity, description: str, scale: _Scale) -> FileDataset:
    """What all images have in common: PS3.3 A.3, C.8.2.1."""
    now = datetime.now()
    dataset = new_object(CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, "CT", now)
    dataset.SpecificCharacterSet = UTF_8
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    _set_patient_and_study(dataset, patient, now)
    dataset.SeriesInstanceUID = new_uid()
    dataset.SeriesNumber = "1"
    dataset.SeriesDescription = long_string(description)
    dataset.SeriesDate, dataset.SeriesTime = date_and_time(now)
    dataset.ContentDate, dataset.ContentTime = date_and_time(now)
    dataset.PatientPosition = patient.patient_position
    dataset.FrameOfReferenceUID = new_uid()
    dataset.PositionReferenceIndicator = dataset.Laterality = ""
    dataset.AcquisitionNumber = ""
    dataset.KVP = ""
    _set_pixel_description(dataset, geometry, scale)
    return dataset


def _set_patient_and_study(dataset: Dataset, patient: CtIdentity, now: datetime) -> None:
    dataset.PatientName = patient.patient_name
    dataset.PatientID = patient.patient_id
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyInstanceUID = new_uid()
    dataset.StudyDate, dataset.StudyTime = date_and_time(now)
    dataset.StudyID = "1"
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""


def _set_pixel_description(dataset: Dataset, geometry: Geometry, scale: _Scale) -> None:
    column_distance, row_distance, slice_distance = geometry.spacing
    directions = geometry.ijk_to_lps[:3, :3] / np.asarray(geometry.spacing)
    dataset.ImageOrientationPatient = [decimal_string(value) for value in (*directions[:, 0], *directions[:, 1])]
    dataset.PixelSpacing = [decimal_string(row_distance), decimal_string(column_distance)]
    dataset.SliceThickness = decimal_string(slice_distance)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    _, dataset.Rows, dataset.Columns = geometry.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.RescaleSlope = decimal_string(scale.slope)
    dataset.RescaleIntercept = decimal_string(scale.intercept)
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = map(str, WINDOW)


def _set_slice(dataset: FileDataset, geometry: Geometry, k: int, number: int) -> None:
    """What makes ``dataset`` the image of slice ``k``, the series' ``number``-th."""
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = new_uid()
    dataset.InstanceNumber = str(number)
    position = geometry.ijk_to_lps[:3, 3] + k * geometry.ijk_to_lps[:3, 2]
    dataset.ImagePositionPatient = [decimal_string(value) for value in position]
