"""Segments get other voxels, as a repair worked them out or as the model computed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from TotalSegmentatorWire.tables.review_state import ABSENT_TAG, ReviewState

from TotalSegmentatorModuleLib.changes.kept_tags import KeptTags
from TotalSegmentatorModuleLib.changes.segment_contents import (
    keep_absent,
    make_segment,
    remove_segment,
    restore_order,
)
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SegmentVoxels
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tags.review_flags import mark_changed, mark_repaired, mark_second_opinion


class VoxelChange:
    """Done when it is made; fulfils history.Action."""

    def __init__(
        self,
        node,
        segment_id: str,
        voxels: Mapping[str, SegmentVoxels],
        state: ReviewState,
        rule: str = "",
        merged_into: str = "",
        is_computed: bool = False,
    ) -> None:
        """Give the segments of ``node`` (vtkMRMLSegmentationNode) these ``voxels`` and this ``state``; those that it
        lacks are made. ``segment_id``: the one that all is about; the flags of ``rule`` in it are seen to. Where it was
        ``merged_into`` another one, which has all its voxels, it is removed. ``is_computed``: these are the
        voxels that the model computed. Raises SegmentationError("REPAIR_NO_SEGMENT")."""
        segmentation = node.GetSegmentation()
        self.node_id: str = node.GetID()
        self.segment_ids = tuple(each for each in voxels if not merged_into or each != segment_id)
        """Of what has changed and is there."""
        self.key = merged_into or segment_id
        """Of the row to go to."""
        self._segment_id, self._state = segment_id, state
        self._places = all_segments(node)
        self._made = [each for each in voxels if segmentation.GetSegment(each) is None]
        before = {each: SegmentBefore(segmentation.GetSegment(each)) for each in voxels if each not in self._made}
        self._removed: dict[str, Any] = {}
        self._absent_holder = ""
        with told_once(node):
            for each in self._made:
                segmentation.AddSegment(make_segment(each, segmentation.GetSegment(segment_id)), each)
            for each, new in voxels.items():
                new.write_to(node, each)
                segment = segmentation.GetSegment(each)
                set_state(segment, state)
                set_approved_together(segment, False)
                mark_second_opinion(segment, is_of_this_shape=is_computed)
            if rule:
                mark_repaired(segmentation.GetSegment(segment_id), rule)
            if merged_into:
                mark_changed(segmentation.GetSegment(merged_into))
                self._removed = {segment_id: remove_segment(segmentation, segment_id)}
                self._absent_holder = keep_absent(segmentation, self._removed)
        self._before = before
        there = {each: new for each, new in voxels.items() if each not in self._removed}
        self._after = {each: new.as_in(segmentation.GetSegment(each)) for each, new in there.items()}

    def undo(self, node) -> str | None:
        """Nothing where somebody has drawn in one of the segments since, or made it into a surface, or made one anew
        that was removed; a state that was given since stays."""
        segmentation = node.GetSegmentation()
        if not all(is_still(segmentation.GetSegment(each), left) for each, left in self._after.items()):
            return None
        if any(segmentation.GetSegment(each) is not None for each in self._removed):
            return None
        with told_once(node):
            for segment_id in self._made:
                remove_segment(segmentation, segment_id)
            for segment_id, segment in self._removed.items():
                segmentation.AddSegment(segment, segment_id)
            for segment_id in reversed(self._before):  # what was given up first is taken back last
                self._before[segment_id].give_back(node, segment_id, self._state)
            if self._absent_holder and segmentation.GetSegment(self._absent_holder) is not None:
                segmentation.GetSegment(self._absent_holder).RemoveTag(ABSENT_TAG)
            if self._removed:
                restore_order(segmentation, self._places)
        return self._segment_id


class SegmentBefore:
    """The voxels and tags of a vtkSegment with a binary labelmap, to be given back to it."""

    def __init__(self, segment) -> None:
        self.voxels = SegmentVoxels.of(segment)
        self._tags = KeptTags(segment)

    def give_back(self, node, segment_id: str, left: ReviewState) -> None:
        """``left``: the state that the change gave it."""
        self.voxels.write_to(node, segment_id)
        self._tags.write_back(node.GetSegmentation().GetSegment(segment_id), left)


def is_still(segment, left: SegmentVoxels) -> bool:
    """Whether a vtkSegment, which may be None, has the voxels with which it was ``left``."""
    if segment is None or segment.GetRepresentation(BINARY_LABELMAP) is None:
        return False
    return SegmentVoxels.of(segment).is_same(left)
