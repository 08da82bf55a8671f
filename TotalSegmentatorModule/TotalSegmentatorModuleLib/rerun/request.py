"""What is asked for when structures are computed again, and what the user has agreed to."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.changes.voxel_change import is_still
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.output_segmentation import segment_stamp
from TotalSegmentatorModuleLib.scene.review_tags import state_of
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, ImageVoxels
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag

_MODEL_TAG = PREFIX + "Model"
_UNASKED = (ReviewState.UNREVIEWED, ReviewState.REJECTED)


@dataclass(frozen=True, eq=False)
class _Agreed:
    """A segment when the user agreed that it is replaced."""

    stamp: Hashable
    state: ReviewState
    label: int
    image: ImageVoxels | None
    """A copy of those that the segments in one image share; None without a binary labelmap."""

    def is_as_it_was(self, node, segment_id: str) -> bool:
        segment = node.GetSegmentation().GetSegment(segment_id)
        if segment is None or state_of(segment) is not self.state:
            return False
        if segment_stamp(node, segment_id) == self.stamp:
            return True
        # somebody may have drawn in a neighbour in the same image
        return self.image is not None and is_still(segment, self.image.of_label(self.label))


@dataclass(frozen=True)
class RerunRequest:
    """For one segmentation."""

    node_id: str
    """Of the vtkMRMLSegmentationNode."""
    structures: tuple[str, ...]
    """Ids of segments, there or not."""
    agreed: Mapping[str, _Agreed]
    """Segments that are replaced although somebody worked on them, as they were when the user agreed."""

    def may_replace(self, node, segment_id: str) -> bool:
        """Whether the segment as it is now in ``node`` may be replaced, or added where it is not there."""
        if segment_id in self.agreed:
            return self.agreed[segment_id].is_as_it_was(node, segment_id)
        return not needs_consent(node, segment_id)


def needs_consent(node, segment_id: str) -> bool:
    """Whether the user has to be asked before this segment of ``node`` (vtkMRMLSegmentationNode) is replaced: it was
    edited or approved, is to be looked at later, or was not made by this module."""
    segment = node.GetSegmentation().GetSegment(segment_id)
    return segment is not None and (state_of(segment) not in _UNASKED or not read_tag(segment, _MODEL_TAG))


def make_request(node, structures: Sequence[str], agreed: Collection[str]) -> RerunRequest:
    segmentation = node.GetSegmentation()
    segments = {each: segmentation.GetSegment(each) for each in structures if each in agreed}
    shared = {each: segment.GetRepresentation(BINARY_LABELMAP) for each, segment in segments.items()}
    copies = {image: ImageVoxels.of(image).copy() for image in set(shared.values()) if image is not None}
    as_agreed = {
        each: _Agreed(segment_stamp(node, each), state_of(segment), segment.GetLabelValue(), copies.get(shared[each]))
        for each, segment in segments.items()
    }
    return RerunRequest(node.GetID(), tuple(structures), as_agreed)


def open_or_rejected(rows: Sequence[ReviewRow]) -> list[ReviewRow]:
    """Those that wait for a judgement or must not be used as they are."""
    return [row for row in rows if row.is_open or row.state is ReviewState.REJECTED]
