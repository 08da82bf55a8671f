"""Reads an RT Structure Set of any maker as masks on the planes of its CT.

All closed contours of a structure on one plane are filled together by the even-odd rule, which serves keyholes, holes
as contours of their own and CLOSEDPLANAR_XOR (PS3.3 C.8.8.6.3) alike. A structure that cannot be placed on the CT is
left out by name; the others are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import looks_like_dicom
from TotalSegmentatorEngine.export.core.codes import FMA, TISSUE, RoiCodes
from TotalSegmentatorEngine.export.core.roi import GENERATION_ALGORITHMS, ORIGIN_UNKNOWN
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.object import stated_code
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure, check_origin, damage_told
from TotalSegmentatorEngine.export.dicom.reading_report import OTHER_FRAME, OUTSIDE_CT, ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.contour_items import (
    PlaneContours,
    UnreadableContoursError,
    contours_on_planes,
    reaches_beyond,
)
from TotalSegmentatorEngine.export.rtstruct.dataset import RT_STRUCTURE_SET_STORAGE
from TotalSegmentatorEngine.export.rtstruct.rasterising import fill_box
from TotalSegmentatorEngine.export.rtstruct.referenced_images import ReferencedImages
from TotalSegmentatorEngine.export.rtstruct.roi_items import RoiItems, roi_items

if TYPE_CHECKING:
    from pydicom import Dataset


def is_structure_set(path: Path) -> bool:
    """True for a DICOM file that says it is an RT Structure Set."""
    try:
        with damage_told():
            return looks_like_dicom(path) and _is_structure_set(_read(path, header_only=True))
    except SegmentationError:
        return False


def read_rtstruct(path: Path, reference: ReferenceSeries, report: ReadingReport | None = None) -> list[ReadStructure]:
    """The structures that can be placed on the CT and have at least one voxel, in the file's order.

    ``report`` gets what is left out, and why, and what was made of oddities. Raises SegmentationError:
    SEGMENTATION_UNREADABLE, EXPORT_OTHER_PATIENT, EXPORT_OTHER_CT, and where every structure is left out also
    CONTOURS_OFF_PLANE, EXPORT_NUMBERS_SHARED.
    """
    report = ReadingReport() if report is None else report
    with damage_told():
        dataset = _read(path)
        if not _is_structure_set(dataset):
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is not an RT Structure Set")
        if not dataset.get("StructureSetROISequence") or "ROIContourSequence" not in dataset:
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it contains no structures")
        images = ReferencedImages(dataset, reference)
        check_origin(dataset, images.frames, images.instances, reference, report)
        read = [_structure(roi, images, reference, report) for roi in roi_items(dataset, report)]
    structures = [structure for structure in read if structure is not None]
    if not structures:
        report.check_something_left()
    return structures


def _structure(
    roi: RoiItems, images: ReferencedImages, reference: ReferenceSeries, report: ReadingReport
) -> ReadStructure | None:
    """None for a structure that is left out or has no voxel."""
    if images.is_elsewhere(roi):
        report.leave_out(roi.name, OTHER_FRAME, SegmentationError("EXPORT_OTHER_CT"))
        return None
    try:
        contours = contours_on_planes(roi, reference, report)
    except UnreadableContoursError as unreadable:
        report.leave_out(roi.name, unreadable.code, unreadable.error)
        return None
    mask = _mask(contours, reference)
    is_cut = reaches_beyond(contours, reference)
    if mask.is_empty:
        if is_cut:
            error = SegmentationError("CONTOURS_OFF_PLANE", count=sum(map(len, contours.values())))
            report.leave_out(roi.name, OUTSIDE_CT, error)
        else:
            report.note("STRUCTURE_WITHOUT_VOXELS", roi.name)
        return None
    if is_cut:
        report.note("STRUCTURES_CUT_AT_BORDER", roi.name)
    if images.is_of_other_images(roi):
        report.note("STRUCTURES_OTHER_IMAGES", roi.name)
    return ReadStructure(
        number=roi.number,
        name=roi.name,
        colour=next((colour for colour in map(_colour, roi.contours) if colour is not None), None),
        interpreted_type=_text(roi.observation, "RTROIInterpretedType"),
        mask=mask,
        algorithm=_algorithm(roi.description),
        origin=_origin(roi.description),
        codes=_codes(roi.observation),
    )


# -- the file ----------------------------------------------------------------------------------------------------------


def _read(path: Path, header_only: bool = False) -> Dataset:
    import pydicom

    tags = ["SOPClassUID", "Modality"] if header_only else None
    dataset = pydicom.dcmread(path, force=True, specific_tags=tags)
    if not header_only:
        _check_whole(dataset)
    return dataset


def _check_whole(dataset: Dataset) -> None:
    """pydicom takes what is there of an element at which a file is cut off; half a sequence would be read as less."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating over a data set decodes its elements
        element = dataset.get_item(tag)
        stated, value = getattr(element, "length", _UNDEFINED_LENGTH), element.value
        if stated != _UNDEFINED_LENGTH and isinstance(value, bytes) and len(value) != stated:
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is cut off")


_UNDEFINED_LENGTH = 0xFFFFFFFF
"""PS3.5 7.1.1."""


def _is_structure_set(dataset: Dataset) -> bool:
    return dataset.get("SOPClassUID") == RT_STRUCTURE_SET_STORAGE or dataset.get("Modality") == "RTSTRUCT"


def _text(item: Dataset | None, keyword: str) -> str:
    return str(item.get(keyword) or "").strip() if item is not None else ""


def _algorithm(item: Dataset) -> str:
    stated = _text(item, "ROIGenerationAlgorithm").upper()
    return stated if stated in GENERATION_ALGORITHMS else ""


def _origin(item: Dataset) -> str:
    stated = _text(item, "ROIGenerationDescription")
    return "" if stated == ORIGIN_UNKNOWN else stated


def _codes(observation: Dataset | None) -> RoiCodes | None:
    """RT ROI Identification Code, PS3.3 C.8.8.8; TISSUE stands for a category that the file does not state."""
    kind = stated_code(observation, "RTROIIdentificationCodeSequence") if observation is not None else None
    if observation is None or kind is None:
        return None
    identification = observation.RTROIIdentificationCodeSequence[0]
    same = stated_code(identification, "EquivalentCodeSequence")
    return RoiCodes(
        category=stated_code(observation, "SegmentedPropertyCategoryCodeSequence") or TISSUE,
        type=kind,
        modifier=stated_code(identification, "SegmentedPropertyTypeModifierCodeSequence"),
        region=stated_code(observation, "AnatomicRegionSequence"),
        fma=same if same is not None and same.scheme == FMA else None,
    )


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    channels = item.get("ROIDisplayColor") or ()
    if isinstance(channels, str) or len(channels) != 3:
        return None
    try:
        red, green, blue = (min(255, max(0, int(channel))) for channel in channels)
    except ValueError:
        return None
    return red, green, blue


# -- pixels ------------------------------------------------------------------------------------------------------------


def _mask(contours: PlaneContours, reference: ReferenceSeries) -> VoxelMask:
    """The pixels whose centres the contours enclose."""
    shape = reference.grid.shape
    filled = {plane: fill_box(polygons, shape[1:]) for plane, polygons in contours.items()}
    filled = {plane: (inside, box) for plane, (inside, box) in filled.items() if inside.any()}
    if not filled:
        return VoxelMask(np.zeros((0, 0, 0), bool), (0, 0, 0), shape)
    first = (min(filled), *(min(box[axis].start for _, box in filled.values()) for axis in range(2)))
    end = (max(filled) + 1, *(max(box[axis].stop for _, box in filled.values()) for axis in range(2)))
    voxels = np.zeros(np.subtract(end, first), dtype=bool)
    for plane, (inside, (rows, columns)) in filled.items():
        place = (
            slice(rows.start - first[1], rows.stop - first[1]),
            slice(columns.start - first[2], columns.stop - first[2]),
        )
        voxels[plane - first[0]][place] = inside
    return VoxelMask.cropped(voxels, first, shape)
