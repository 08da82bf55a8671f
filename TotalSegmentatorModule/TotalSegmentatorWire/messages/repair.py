"""What the command ``repair`` gives back: the voxels of each segment that it changed, in a folder."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import SegmentationError

REPAIR_HEADER = "repair.json"


@dataclass(frozen=True)
class RepairedSegment:
    id: str
    file: str
    """Name of the raw file beside the header: uint8, 1 inside and 0 outside, C order (k, j, i)."""
    shape: list[int]
    """k, j, i of the box in the file."""
    start: list[int]
    """k, j, i of the box's first voxel on the grid of the CT's volume."""
    added_ml: float
    removed_ml: float
    place_ras_mm: list[float]
    """The middle of what changes, to look at; in the space of the CT's own matrix."""


@dataclass(frozen=True)
class RepairHeader:
    """Contents of repair.json; without segments where the repair would change nothing."""

    segments: list[RepairedSegment]


def repair_header_to_json(header: RepairHeader) -> str:
    return json.dumps(dataclasses.asdict(header), indent=1)


def repair_header_from_json(text: str) -> RepairHeader:
    """Raises SegmentationError("BAD_REQUEST")."""
    try:
        return RepairHeader([RepairedSegment(**fields) for fields in json.loads(text)["segments"]])
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error
