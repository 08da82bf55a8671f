"""Marks a result before it is sent, so that whoever finds it in an archive sees what it is without opening it.

"AI, UNREVIEWED" begins the description of its series, which lists show; the text on research use stands where the kind
of object has room for it. The object keeps its UIDs: sent again it is the same object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.export.dicom.object import quiet
from TotalSegmentatorEngine.export.dicom.text import long_string
from TotalSegmentatorEngine.imaging.durable_file import place_durably, sync_file

if TYPE_CHECKING:
    from pydicom import Dataset

MARK = "AI, UNREVIEWED"
"""14 characters, so that it is a Structure Set Label (SH) too."""
RESEARCH_USE = (
    "For research use only; not a medical device. Computed by AI and not reviewed: a qualified person must review and "
    "correct every structure before any use."
)
_IN_SHORT = "AI, UNREVIEWED; for research use only; not a medical device"
"""At most 64 characters (LO)."""
_REVIEW = re.compile(r",? *(not reviewed|reviewed \d+ of \d+) *$")
"""What the export says of reviews at the end of a description: the mark says it already."""
_MAXIMUM_SHORT_TEXT = 1024
"""Characters of an ST value, PS3.5 6.2."""


@dataclass(frozen=True)
class MarkedObject:
    path: Path
    modality: str


def write_marked(source: Path, target: Path) -> MarkedObject:
    """Writes the marked object durably. Raises OSError, and whatever pydicom raises for a damaged file."""
    import pydicom

    draft = target.with_name(f".{target.name}.part")
    with quiet():
        dataset = pydicom.dcmread(source)
        mark(dataset)
        dataset.save_as(draft, enforce_file_format=True)
    sync_file(draft)
    place_durably(draft, target)
    return MarkedObject(target, str(dataset.Modality))


def mark(dataset: Dataset) -> None:
    """Changes an RTSTRUCT, a SEG or an SR of ours."""
    stated = _REVIEW.sub("", str(dataset.get("SeriesDescription") or "").removeprefix("AI "))
    dataset.SeriesDescription = long_string(f"{MARK}: {stated}" if stated else MARK)
    if dataset.Modality == "RTSTRUCT":
        said = str(dataset.get("StructureSetDescription") or "")
        dataset.StructureSetLabel = MARK
        dataset.StructureSetDescription = f"{RESEARCH_USE} {said}".strip()[:_MAXIMUM_SHORT_TEXT]
        dataset.ApprovalStatus = "UNAPPROVED"
        for keyword in ("ReviewDate", "ReviewTime", "ReviewerName"):  # of an approval
            if keyword in dataset:
                delattr(dataset, keyword)
    elif dataset.Modality == "SEG":
        dataset.ContentDescription = _IN_SHORT
        dataset.ImageComments = RESEARCH_USE
    else:
        dataset.CompletionFlagDescription = _IN_SHORT
        dataset.PreliminaryFlag = "PRELIMINARY"
        dataset.VerificationFlag = "UNVERIFIED"
