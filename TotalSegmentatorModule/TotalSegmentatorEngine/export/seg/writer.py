"""Writes structures as one DICOM Segmentation object that refers to the CT, by highdicom.

highdicom makes the object's modules and segment descriptions; the frames are put into it here (frames.py), as
highdicom wants every structure of every plane in memory at once where structures overlap.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.export_formats import BINARY, LABELMAP
from TotalSegmentatorWire.tables.result_tags import AGREEMENT_TAG

from TotalSegmentatorEngine.export.core.codes import UNCODED
from TotalSegmentatorEngine.export.core.label_volume import Progress, label_volume, nothing_to_report
from TotalSegmentatorEngine.export.core.roi import ORIGIN_UNKNOWN, Roi
from TotalSegmentatorEngine.export.dicom.object import (
    EQUIPMENT,
    choose_character_set,
    concept,
    copy_patient_and_study,
    new_uid,
    quiet,
    series_uid,
    words_of,
)
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.series_words import SEGMENTATION, series_number, series_words
from TotalSegmentatorEngine.export.dicom.source_image import decimal_strings, referenced_images, source_image
from TotalSegmentatorEngine.export.dicom.text import decimal_string, long_string
from TotalSegmentatorEngine.export.dicom.tracking import tracking_identifier, tracking_uids
from TotalSegmentatorEngine.export.seg.frames import functional_groups, write_binary_frames, write_label_frames
from TotalSegmentatorEngine.imaging.atomic_file import WatchedStream, atomic_file, scratch_file

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom import Dataset

MAXIMUM_PIXEL_BYTES = 2**32 - 2
"""Of one value, PS3.5 7.1.1: its length has 32 bits and is even."""


@dataclass(frozen=True)
class SegReport:
    """What was written."""

    frames: int
    bytes: int
    is_overlapping: bool
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


def write_seg(
    path: Path,
    rois: Sequence[Roi],
    reference: ReferenceSeries,
    encoding: str = BINARY,
    series_description: str | None = None,
    progress: Progress = nothing_to_report,
) -> SegReport:
    """Write ``rois`` to ``path`` (.dcm), replacing a file of that name.

    ``binary``: PS3.3 A.51, a frame per structure and plane, structures may overlap. ``labelmap``: the Label Map
    Segmentation of 2024, smaller and younger; one label a voxel, so that overlapping structures are refused rather than
    cut. Segment numbers are the ROI numbers: 1, 2, ... in the order of ``rois``. Without ``series_description`` the
    series says what series_words has of the structures.

    Raises SegmentationError: EXPORT_OVERLAP (labelmap), EXPORT_TOO_LARGE, OUTPUT_NOT_WRITABLE, DISK_FULL, and what
    ``progress`` raises.
    """
    logging.getLogger("highdicom").propagate = False  # its messages hold identifiers
    with quiet():
        description = series_description or series_words(rois, SEGMENTATION).description
        return _write(path, rois, reference, encoding, long_string(description), progress)


def _write(
    path: Path,
    rois: Sequence[Roi],
    reference: ReferenceSeries,
    encoding: str,
    series_description: str,
    progress: Progress,
) -> SegReport:
    segmentation = _shell(rois, reference, encoding, series_description)
    with scratch_file(path.parent) as pixels:
        if encoding == LABELMAP:
            frames, is_overlapping = (
                write_label_frames(pixels, label_volume(rois, reference.grid.shape, progress)),
                False,
            )
        else:
            frames, is_overlapping = write_binary_frames(pixels, rois, reference, progress)
        length = pixels.tell()
        if length > MAXIMUM_PIXEL_BYTES:
            raise SegmentationError("EXPORT_TOO_LARGE", size_mb=length / 1e6, limit_mb=MAXIMUM_PIXEL_BYTES / 1e6)
        pixels.seek(0)
        _fill(segmentation, frames, is_overlapping, pixels, reference)
        with atomic_file(path, length) as stream:
            watched = WatchedStream(stream, lambda: progress(len(rois) - 1, rois[-1]))
            segmentation.save_as(watched, enforce_file_format=True)
            uids = (segmentation.SOPClassUID, segmentation.SOPInstanceUID, segmentation.SeriesInstanceUID)
            return SegReport(len(frames), stream.tell(), is_overlapping, *map(str, uids))


# -- the object around the frames --------------------------------------------------------------------------------------


def _shell(rois: Sequence[Roi], reference: ReferenceSeries, encoding: str, series_description: str) -> Segmentation:
    """The object with all its modules, but one empty plane for frames."""
    from highdicom import PlanePositionSequence
    from highdicom.seg import Segmentation
    from pydicom.uid import ExplicitVRLittleEndian

    uids = tracking_uids(rois, reference)
    segmentation = Segmentation(
        source_images=[source_image(reference)],
        pixel_array=np.zeros((1, reference.rows, reference.columns), dtype=np.uint8),
        segmentation_type=encoding.upper(),
        segment_descriptions=[_segment_description(roi, uids[roi.number]) for roi in rois],
        series_instance_uid=new_uid(),
        series_number=series_number(reference, SEGMENTATION),
        sop_instance_uid=new_uid(),
        instance_number=1,
        **EQUIPMENT,
        content_label="SEGMENTATION",
        content_description=series_description,
        content_creator_name="",
        plane_positions=[PlanePositionSequence("PATIENT", list(reference.planes[0].position))],
        omit_empty_frames=False,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=series_description,
    )
    _remove_wrong_versions(segmentation, rois)
    _refer_to_images(segmentation, reference)
    copy_patient_and_study(reference.dataset, segmentation)
    choose_character_set(segmentation, [series_description, *words_of(rois)])
    return segmentation


def _fill(
    segmentation: Segmentation, frames: list, is_overlapping: bool, pixels: BinaryIO, reference: ReferenceSeries
) -> None:
    """Put the real frames in the place of the empty plane. ``pixels`` is read when the object is saved."""
    from pydicom import DataElement

    segmentation.NumberOfFrames = len(frames)
    segmentation.SegmentsOverlap = "YES" if is_overlapping else "NO"
    segmentation.PerFrameFunctionalGroupsSequence = functional_groups(frames, reference)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if "SegmentIdentificationSequence" in shared:  # of a single structure; each frame names its segment
        del shared.SegmentIdentificationSequence
    shared.PixelMeasuresSequence = _pixel_measures(reference)
    segmentation.add(DataElement(0x7FE00010, "OB" if segmentation.BitsAllocated <= 8 else "OW", pixels))


def _pixel_measures(reference: ReferenceSeries) -> list[Dataset]:
    from pydicom import Dataset

    step = decimal_string(reference.grid.spacing[2])
    measures = Dataset()
    measures.PixelSpacing = decimal_strings(reference.pixel_spacing)
    measures.SliceThickness = step
    if reference.is_regular:
        measures.SpacingBetweenSlices = step
    return [measures]


def _segment_description(roi: Roi, tracking_uid: str) -> SegmentDescription:
    """Segment Description Macro, PS3.3 C.8.20.4; the side is a modifier inside the item of the type.

    Segment Algorithm Type is of type 1 and knows no other values than AUTOMATIC, SEMIAUTOMATIC and MANUAL. Where nobody
    knows who made a structure SEMIAUTOMATIC is the least wrong: it denies neither a machine nor a hand. It wants the
    algorithm's name too, which says ORIGIN_UNKNOWN then; our reader takes this for what it is.
    """
    from highdicom.color import CIELabColor
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    meaning = roi.codes or UNCODED
    name = (long_string(roi.algorithm_name) or ALGORITHM_NAME) if roi.algorithm else ORIGIN_UNKNOWN
    algorithm = None
    if roi.algorithm != "MANUAL":
        agreement = roi.tags.get(AGREEMENT_TAG, "")
        algorithm = AlgorithmIdentificationSequence(
            name,
            codes.cid7162.ArtificialIntelligence,
            ENGINE_VERSION,
            parameters={"agreement with exact labels": agreement} if agreement else None,
        )
    description = SegmentDescription(
        segment_number=roi.number,
        segment_label=long_string(roi.name),
        segmented_property_category=concept(meaning.category),
        segmented_property_type=concept(meaning.type),
        algorithm_type=roi.algorithm or "SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=tracking_uid,
        tracking_id=tracking_identifier(roi),
        anatomic_regions=[concept(meaning.region)] if meaning.region else None,
        display_color=CIELabColor.from_rgb(*roi.colour),
    )
    if meaning.modifier:
        item = description.SegmentedPropertyTypeCodeSequence[0]
        item.SegmentedPropertyTypeModifierCodeSequence = [concept(meaning.modifier)]
    if roi.description:
        description.SegmentDescription = roi.description
    return description


def _remove_wrong_versions(segmentation: Segmentation, rois: Sequence[Roi]) -> None:
    """Family and version of an algorithm are of type 3, yet highdicom wants them: others' and earlier ones go again."""
    ours = {
        roi.number
        for roi in rois
        if roi.algorithm_name.startswith(ALGORITHM_NAME) and ENGINE_VERSION in roi.description.split()
    }
    for item in segmentation.SegmentSequence:
        if item.SegmentNumber not in ours and "SegmentationAlgorithmIdentificationSequence" in item:
            del item.SegmentationAlgorithmIdentificationSequence


# -- the CT ------------------------------------------------------------------------------------------------------------


def _refer_to_images(segmentation: Segmentation, reference: ReferenceSeries) -> None:
    """Every image of the CT, for the whole object (C.7.6.1) and by its series (Common Instance Reference, C.12.2)."""
    from pydicom import Dataset

    images = []
    for class_uid, instance_uid in referenced_images(reference):
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = class_uid, instance_uid
        images.append(image)
    series = Dataset()
    series.SeriesInstanceUID = series_uid(reference)
    series.ReferencedInstanceSequence = images
    segmentation.SourceImageSequence = images
    segmentation.ReferencedSeriesSequence = [series]
