"""The data sets of an RT Structure Set (PS3.3 A.19) without its contours, in two parts: before and behind these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.object import (
    choose_character_set,
    code_item,
    copy_patient_and_study,
    date_and_time,
    new_object,
    new_uid,
    series_uid,
    study_uid,
    words_of,
)
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.series_words import CONTOURS, SeriesWords, series_number
from TotalSegmentatorEngine.export.dicom.text import MAXIMUM_LONG_STRING, MAXIMUM_SHORT_STRING, check_text, long_string

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

RT_STRUCTURE_SET_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
"""Contour Data can be longer than the 64 KiB that a DS value may have in an explicit VR: PS3.3 C.8.8.6."""
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
"""Retired, yet what RT Referenced Study Sequence refers to a study by, in every planning system's files."""


def check_words(label: str | None, rois: Sequence[Roi]) -> None:
    """Raises SegmentationError("EXPORT_NAME_INVALID") for a label or name that DICOM cannot hold as it is."""
    if label is not None:
        check_text(label, MAXIMUM_SHORT_STRING)
    for roi in rois:
        check_text(roi.name, MAXIMUM_LONG_STRING)


def structure_set_head(
    rois: Sequence[Roi], reference: ReferenceSeries, words: SeriesWords, moment: datetime
) -> FileDataset:
    """All attributes before ROI Contour Sequence (3006,0039). The character set fits the words of both parts."""
    dataset = new_object(RT_STRUCTURE_SET_STORAGE, IMPLICIT_VR_LITTLE_ENDIAN, "RTSTRUCT", moment)
    copy_patient_and_study(reference.dataset, dataset)
    choose_character_set(dataset, [words.label, words.description, words.content, *words_of(rois)])
    dataset.StudyInstanceUID = study_uid(reference)
    _add_series(dataset, words.description, series_number(reference, CONTOURS), moment)
    dataset.FrameOfReferenceUID = reference.frame_of_reference_uid
    dataset.PositionReferenceIndicator = str(reference.dataset.get("PositionReferenceIndicator") or "")
    dataset.InstanceNumber = "1"
    dataset.StructureSetLabel = words.label
    dataset.StructureSetDescription = words.content
    dataset.StructureSetDate, dataset.StructureSetTime = date_and_time(moment)
    dataset.ReferencedFrameOfReferenceSequence = [_referenced_frame(reference)]
    dataset.StructureSetROISequence = [_structure(roi, reference) for roi in rois]
    return dataset


def structure_set_tail(rois: Sequence[Roi]) -> Dataset:
    """All attributes behind ROI Contour Sequence: what the structures are, and that nobody approved them."""
    from pydicom import Dataset

    dataset = Dataset()
    dataset.RTROIObservationsSequence = [_observation(roi) for roi in rois]
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _add_series(dataset: Dataset, description: str, number: int, moment: datetime) -> None:
    """RT Series, PS3.3 C.8.8.1: every structure set is a series of its own."""
    dataset.SeriesInstanceUID = new_uid()
    dataset.SeriesNumber = str(number)
    dataset.SeriesDescription = description
    dataset.SeriesDate, dataset.SeriesTime = date_and_time(moment)
    dataset.OperatorsName = ""


def _referenced_frame(reference: ReferenceSeries) -> Dataset:
    """Frame of reference, study, series and every image of the CT: PS3.3 C.8.8.5."""
    from pydicom import Dataset

    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = series_uid(reference)
    images = dict.fromkeys((plane.sop_class_uid, plane.sop_instance_uid) for plane in reference.planes)
    series.ContourImageSequence = [_instance(*image) for image in images]
    study.ReferencedSOPClassUID = DETACHED_STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = study_uid(reference)
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = reference.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    return frame


def _instance(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def _structure(roi: Roi, reference: ReferenceSeries) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.ROINumber = str(roi.number)
    item.ReferencedFrameOfReferenceUID = reference.frame_of_reference_uid
    item.ROIName = roi.name
    item.ROIGenerationAlgorithm = roi.algorithm  # of type 2: empty where nobody knows
    if roi.description:
        item.ROIGenerationDescription = long_string(roi.description)
    return item


def _observation(roi: Roi) -> Dataset:
    """PS3.3 C.8.8.8. The side modifies the identification, so it lies in that item."""
    from pydicom import Dataset

    item = Dataset()
    item.ObservationNumber = str(roi.number)
    item.ReferencedROINumber = str(roi.number)
    item.RTROIInterpretedType = roi.interpreted_type
    item.ROIInterpreter = ""
    if roi.codes is not None:
        identification = code_item(roi.codes.type)
        if roi.codes.fma is not None:
            identification.EquivalentCodeSequence = [code_item(roi.codes.fma)]
        if roi.codes.modifier is not None:
            identification.SegmentedPropertyTypeModifierCodeSequence = [code_item(roi.codes.modifier)]
        item.SegmentedPropertyCategoryCodeSequence = [code_item(roi.codes.category)]
        item.RTROIIdentificationCodeSequence = [identification]
        if roi.codes.region is not None:
            item.AnatomicRegionSequence = [code_item(roi.codes.region)]
    return item
