"""What is asked for when structures are computed again, and what the user has agreed to."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.output_segmentation import segment_stamp
from TotalSegmentatorModuleLib.scene.review_tags import state_of
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag

_MODEL_TAG = PREFIX + "Model"
_UNASKED = (ReviewState.UNREVIEWED, ReviewState.REJECTED)


@dataclass(frozen=True)
class RerunRequest:
    """For one segmentation."""

    node_id: str
    """Of the vtkMRMLSegmentationNode."""
    structures: tuple[str, ...]
    """Ids of segments, there or not."""
    agreed: Mapping[str, Hashable]
    """Segments that are replaced although somebody worked on them, and their stamps of when the user agreed."""

    def may_replace(self, node, segment_id: str) -> bool:
        """Whether the segment as it is now in ``node`` may be replaced, or added where it is not there."""
        stamp = segment_stamp(node, segment_id)
        if segment_id in self.agreed:
            return stamp == self.agreed[segment_id]
        return stamp is None or not needs_consent(node, segment_id)


def needs_consent(node, segment_id: str) -> bool:
    """Whether the user has to be asked before this segment of ``node`` (vtkMRMLSegmentationNode) is replaced: it was
    edited or approved, is to be looked at later, or was not made by this module."""
    segment = node.GetSegmentation().GetSegment(segment_id)
    return segment is not None and (state_of(segment) not in _UNASKED or not read_tag(segment, _MODEL_TAG))


def make_request(node, structures: Sequence[str], agreed: Collection[str]) -> RerunRequest:
    stamps = {each: segment_stamp(node, each) for each in structures if each in agreed}
    return RerunRequest(node.GetID(), tuple(structures), stamps)


def open_or_rejected(rows: Sequence[ReviewRow]) -> list[ReviewRow]:
    """Those that wait for a judgement or must not be used as they are."""
    return [row for row in rows if row.is_open or row.state is ReviewState.REJECTED]
