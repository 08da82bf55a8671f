"""The segments of a DICOM SEG that measurements refer to: of one that is written with them, or of an existing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.segmentation import structure_of
from TotalSegmentatorEngine.export.core.shown_names import all_listed
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.object import study_uid
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure, damage_told
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.tracking import tracking_identifier, tracking_uids
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.seg.writer import SegReport

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class TrackedSegment:
    number: int
    """Segment Number."""
    tracking_identifier: str
    tracking_uid: str


@dataclass(frozen=True)
class ReferencedSeg:
    """One SEG; every structure of the report has a segment in it."""

    study_uid: str
    series_uid: str
    class_uid: str
    instance_uid: str
    segments: Mapping[int, TrackedSegment]
    """By ROI number."""


def written_seg(report: SegReport, rois: Sequence[Roi], reference: ReferenceSeries) -> ReferencedSeg:
    """The SEG of these structures that ``write_seg`` has just written."""
    uids = tracking_uids(rois, reference)
    return ReferencedSeg(
        study_uid=study_uid(reference),
        series_uid=report.series_instance_uid,
        class_uid=report.sop_class_uid,
        instance_uid=report.sop_instance_uid,
        segments={roi.number: TrackedSegment(roi.number, tracking_identifier(roi), uids[roi.number]) for roi in rois},
    )


def existing_seg(
    path: Path, rois: Sequence[Roi], reference: ReferenceSeries, check_cancelled: Callable[[], None] = lambda: None
) -> ReferencedSeg:
    """The SEG in ``path``, which must hold exactly these voxels: what is measured is what the report refers to.

    Segments are found by their labels, or as the same structure under another name. Raises SegmentationError:
    SEG_NOT_FOUND, SEG_OTHER_FRAME, SEG_LACKS_STRUCTURES, SEG_VOXELS_DIFFER, and what ``read_seg`` raises.
    """
    if not path.is_file():
        raise SegmentationError("SEG_NOT_FOUND", file=path.name)
    with damage_told():
        dataset = _header(path)
        frame_of_reference = str(dataset.get("FrameOfReferenceUID") or "")
    found = read_seg(path, reference)
    if frame_of_reference != reference.frame_of_reference_uid:
        raise SegmentationError("SEG_OTHER_FRAME")
    uids = tracking_uids(rois, reference)
    segments, absent, different = {}, [], []
    for roi in rois:
        check_cancelled()
        candidates = _named_like(roi, found)
        same = next((structure for structure in candidates if _is_same(structure.mask, roi.voxels())), None)
        if same is not None:
            segments[roi.number] = _stated_segment(dataset, same.number, roi, uids[roi.number])
        else:
            (different if candidates else absent).append(roi.name)
    if absent:
        raise SegmentationError("SEG_LACKS_STRUCTURES", names=all_listed(absent), count=len(absent))
    if different:
        raise SegmentationError("SEG_VOXELS_DIFFER", names=all_listed(different), count=len(different))
    return ReferencedSeg(
        study_uid=str(dataset.get("StudyInstanceUID") or "") or study_uid(reference),
        series_uid=str(dataset.SeriesInstanceUID),
        class_uid=str(dataset.SOPClassUID),
        instance_uid=str(dataset.SOPInstanceUID),
        segments=segments,
    )


def _header(path: Path) -> Dataset:
    import pydicom

    return pydicom.dcmread(path, force=True, stop_before_pixels=True)


def _named_like(roi: Roi, found: Sequence[ReadStructure]) -> list[ReadStructure]:
    """Those of the same label first."""
    row = structure_of("" if roi.is_constructed else "".join(roi.sources), roi.name, dict(roi.tags))
    alike = [
        structure
        for structure in found
        if structure.name.casefold() == roi.name.casefold() or _is_row(structure.name, row and row.name)
    ]
    return sorted(alike, key=lambda structure: structure.name != roi.name)


def _is_row(label: str, name: str | None) -> bool:
    row = structure_of("", label, {})
    return row is not None and row.name == name


def _is_same(first: VoxelMask, second: VoxelMask) -> bool:
    """Whether the masks, on one grid, have the same voxels."""
    part = second.part(first.start, first.voxels.shape)
    return first.count == second.count and np.array_equal(first.voxels, part)


def _stated_segment(dataset: Dataset, number: int, roi: Roi, own_uid: str) -> TrackedSegment:
    """With the tracking identifiers that the SEG states; ours where it has none."""
    item = next(item for item in dataset.SegmentSequence if int(item.SegmentNumber) == number)
    identifier, uid = (str(item.get(keyword) or "") for keyword in ("TrackingID", "TrackingUID"))
    return TrackedSegment(number, *((identifier, uid) if identifier and uid else (tracking_identifier(roi), own_uid)))
