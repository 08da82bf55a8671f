"""The tags of a segment that a repair changes, to be written back."""

from __future__ import annotations

from TotalSegmentatorWire.tables.review_state import (
    ABSENT_TAG,
    APPROVED_TOGETHER_TAG,
    DRAWN_TAG,
    FLAGS_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    ReviewState,
)

from TotalSegmentatorModuleLib.scene.review_tags import state_of
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag, write_tag
from TotalSegmentatorModuleLib.tags.structure_measures import MEASURES_TAG

_OF_CONTENTS = (FLAGS_TAG, MEASURES_TAG, ABSENT_TAG, DRAWN_TAG)
_OF_STATE = (REVIEW_STATE_TAG, SLICER_STATUS_TAG, APPROVED_TOGETHER_TAG)


class KeptTags:
    """Of a vtkSegment, as they were when this was made."""

    def __init__(self, segment) -> None:
        self._values = {name: read_tag(segment, name) for name in (*_OF_CONTENTS, *_OF_STATE)}

    def write_back(self, segment, left: ReviewState) -> None:
        """Write them into a vtkSegment again; its state only where it is as the repair has ``left`` it."""
        names = (*_OF_CONTENTS, *_OF_STATE) if state_of(segment) is left else _OF_CONTENTS
        for name in names:
            write_tag(segment, name, self._values[name])
