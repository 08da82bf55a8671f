"""The CT as highdicom must know it to make an object that refers to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.export.dicom.object import series_uid, study_uid
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.text import decimal_string

if TYPE_CHECKING:
    from pydicom import Dataset

_NAMED_BY_HIGHDICOM = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
"""Attributes of type 2: there, even if empty."""
_COPIED = (
    "PositionReferenceIndicator",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


def source_image(reference: ReferenceSeries) -> Dataset:
    """What highdicom must know of the CT to make the object: its identifiers and the place of its first plane.

    Patient and study are left empty, since highdicom refuses values that the standard does not know (a birth date of
    another form, a sex of U); they are copied afterwards as they are.
    """
    from pydicom import Dataset
    from pydicom.uid import CTImageStorage

    image = Dataset()
    for keyword in _NAMED_BY_HIGHDICOM:
        setattr(image, keyword, None)
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = reference.planes[0].sop_instance_uid
    image.StudyInstanceUID = study_uid(reference)
    image.SeriesInstanceUID = series_uid(reference)
    image.FrameOfReferenceUID = reference.frame_of_reference_uid
    image.Modality = "CT"
    image.Rows, image.Columns = reference.rows, reference.columns
    image.PixelSpacing = decimal_strings(reference.pixel_spacing)
    image.SliceThickness = decimal_string(reference.grid.spacing[2])
    image.ImageOrientationPatient = decimal_strings(reference.orientation.ravel())
    image.ImagePositionPatient = decimal_strings(reference.planes[0].position)
    for keyword in _COPIED:
        if keyword in reference.dataset:
            image[keyword] = reference.dataset[keyword]
    return image


def referenced_images(reference: ReferenceSeries) -> list[tuple[str, str]]:
    """SOP Class and Instance UID of each image, a file of many frames once."""
    return list(dict.fromkeys((plane.sop_class_uid, plane.sop_instance_uid) for plane in reference.planes))


def decimal_strings(values: Iterable[float]) -> list[str]:
    return [decimal_string(value) for value in values]
