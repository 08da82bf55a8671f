"""A structure of somebody else's file on the planes of a CT, and whether that file belongs to the CT at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.codes import RoiCodes
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.object import quiet
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries

if TYPE_CHECKING:
    from pydicom import Dataset

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadStructure:
    """What a structure set or a DICOM SEG holds of one structure."""

    number: int
    """ROI Number or Segment Number."""
    name: str
    colour: tuple[int, int, int] | None
    """0..255 per channel; None where the file states none."""
    interpreted_type: str
    """RT ROI Interpreted Type; empty where the file states none."""
    mask: VoxelMask
    """On the grid of the reference series; it has at least one voxel."""
    algorithm: str = ""
    """ROI Generation Algorithm or Segment Algorithm Type, as stated; empty where the file does not know it."""
    algorithm_name: str = ""
    origin: str = ""
    """What the file says in words about where it comes from: ROI Generation Description, for instance."""
    codes: RoiCodes | None = None
    tracking_uid: str = ""
    """Of a segment; empty where the file states none."""


@contextmanager
def damage_told() -> Iterator[None]:
    """Damage shows while a file is read, and again when a value is looked at, which pydicom decodes then.

    Raises SegmentationError("SEGMENTATION_UNREADABLE").
    """
    try:
        with quiet():
            yield
    except SegmentationError:
        raise
    except Exception as error:  # noqa: BLE001 - pydicom raises any kind of exception for damaged bytes
        _log.error("a DICOM file of structures cannot be read (%s)", type(error).__name__)
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is damaged or not a DICOM file") from None


def check_origin(
    dataset: Dataset, frames: Set[str], instances: Set[str], reference: ReferenceSeries, report: ReadingReport
) -> None:
    """Refuses a file of another patient, or one whose coordinates have nothing to do with the CT's.

    ``frames`` and ``instances`` are the Frame of Reference UIDs and the SOP Instance UIDs that the file refers to. It
    belongs to the CT if it refers to one of its images or to its frame of reference; what it does not state cannot
    contradict, and ``report`` says so. Raises SegmentationError: EXPORT_OTHER_PATIENT, EXPORT_OTHER_CT.
    """
    patients = {str(header.get("PatientID") or "").strip() for header in (dataset, reference.dataset)} - {""}
    if len(patients) > 1:
        raise SegmentationError("EXPORT_OTHER_PATIENT")
    if instances & {plane.sop_instance_uid for plane in reference.planes}:
        return
    stated = frames - {""}
    if stated and reference.frame_of_reference_uid not in stated:
        raise SegmentationError("EXPORT_OTHER_CT")
    if not stated:
        report.note("EXPORT_ORIGIN_UNSTATED")
