"""What crosses between Slicer and a process that exports: the segmentation in a folder, and the events back.

The panel writes ``segmentation.json`` (SegmentationHeader) and one raw file per layer into the folder of the export
job; warnings, failures and cancellation are the events of segment.py with the job id EXPORT_JOB.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import EVENTS

EXPORT_JOB = "export"
SEGMENTATION_HEADER = "segmentation.json"


class ExportStep:
    """What an export is doing; a progress event names one of them."""

    READING = "reading"
    CHECKING = "checking"
    CONTOURING = "contouring"
    MESHING = "meshing"
    MEASURING = "measuring"
    DRAWING = "drawing"
    WRITING = "writing"

    ALL = (READING, CHECKING, CONTOURING, MESHING, MEASURING, DRAWING, WRITING)


@dataclass(frozen=True)
class ExportProgressEvent:
    KIND: ClassVar[str] = "export_progress"
    step: str
    """One of ExportStep.ALL."""
    item: str
    """The structure that is being worked on; empty where there is none."""
    fraction: float
    """0..1 of the whole export; never falls."""


@dataclass(frozen=True)
class ExportFinishedEvent:
    KIND: ClassVar[str] = "export_finished"
    files: list[str]
    """Absolute paths of what was written; of a CT series or of surfaces their folder."""
    structures: int
    edited: list[str]
    """Ids of segments whose voxels changed since the engine made them."""
    seconds: float


EXPORT_EVENTS = EVENTS | {event.KIND: event for event in (ExportProgressEvent, ExportFinishedEvent)}


@dataclass(frozen=True)
class TransferredLayer:
    """One label image of the segmentation, with the extent that it has in Slicer."""

    file: str
    """Name of the raw file beside the header: C order (k, j, i), little endian."""
    shape: list[int]
    """k, j, i"""
    dtype: str
    """NumPy name of an integer type."""
    ijk_to_ras: list[float]
    """16 numbers, row by row: indices of the file's array to RAS in mm, in the space of the CT's own matrix (a
    transform that both nodes have is not in it)."""


@dataclass(frozen=True)
class TransferredSegment:
    id: str
    name: str
    colour: list[int]
    """0..255 per channel."""
    layer: int
    label: int
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SegmentationHeader:
    """Contents of segmentation.json."""

    layers: list[TransferredLayer]
    segments: list[TransferredSegment]
    """Those that go out, in their order."""
    ct_shape: list[int]
    """k, j, i of the CT's volume node."""
    ct_ijk_to_ras: list[float]
    """16 numbers of the volume node, without its parent transform."""
    made_on_shape: list[int] = field(default_factory=list)
    """k, j, i of the volume on which the segmentation was made, where that is another one than the CT: a part of it, as
    a rule. Empty where it is the CT, or unknown."""
    made_on_ijk_to_ras: list[float] = field(default_factory=list)
    """16 numbers of that volume, as for the CT."""
    ct_instance_uids: list[str] = field(default_factory=list)
    """SOP Instance UIDs of the volume; empty where it did not come from DICOM."""
    ct_files: list[str] = field(default_factory=list)
    """The DICOM files of these."""
    ct_voxels: str = ""
    """Raw file with the CT's voxels, where the CT did not come from DICOM and a series must be written or a body
    outline found; C order (k, j, i), little endian."""
    ct_dtype: str = ""
    identifiers: list[str] = field(default_factory=list)
    """What Slicer says of the patient, which must not be on a review sheet; sent with ``computed``."""
    is_part: bool = False
    """Whether the segmentation has further segments, which were not handed over."""
    computed: str = ""
    """File with what the model computed (computed_to_json), where it was kept and is needed."""
    segmentation_to_ct: list[float] = field(default_factory=list)
    """16 numbers: from the space of ``computed`` to that of the CT's own matrix. Empty without it."""


def segmentation_header_to_json(header: SegmentationHeader) -> str:
    return json.dumps(dataclasses.asdict(header), indent=1)


def segmentation_header_from_json(text: str) -> SegmentationHeader:
    """Raises SegmentationError("BAD_REQUEST")."""
    try:
        fields: dict[str, Any] = json.loads(text)
        fields["layers"] = [TransferredLayer(**layer) for layer in fields["layers"]]
        fields["segments"] = [TransferredSegment(**segment) for segment in fields["segments"]]
        return SegmentationHeader(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error
