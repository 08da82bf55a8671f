"""Segments get other voxels, as a repair worked them out or as the model computed them."""

from __future__ import annotations

from collections.abc import Mapping

from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.changes.kept_tags import KeptTags
from TotalSegmentatorModuleLib.changes.segment_contents import make_segment, remove_segment
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SegmentVoxels
from TotalSegmentatorModuleLib.tags.review_flags import mark_repaired


class VoxelChange:
    """Done when it is made; fulfils history.Action."""

    def __init__(
        self, node, segment_id: str, voxels: Mapping[str, SegmentVoxels], state: ReviewState, rule: str = ""
    ) -> None:
        """Give the segments of ``node`` (vtkMRMLSegmentationNode) these ``voxels`` and this ``state``; those that it
        lacks are made. ``segment_id``: the one that all is about; the flags of ``rule`` in it are seen to.
        Raises SegmentationError("REPAIR_NO_SEGMENT")."""
        segmentation = node.GetSegmentation()
        self.node_id: str = node.GetID()
        self.segment_ids = tuple(voxels)
        """Of what has changed."""
        self.key = segment_id
        """Of the row to go to."""
        self._state = state
        self._made = [each for each in voxels if segmentation.GetSegment(each) is None]
        before = {each: SegmentBefore(segmentation.GetSegment(each)) for each in voxels if each not in self._made}
        was_modifying = node.StartModify()
        try:
            for each in self._made:
                segmentation.AddSegment(make_segment(each, segmentation.GetSegment(segment_id)), each)
            for each, new in voxels.items():
                new.write_to(node, each)
                segment = segmentation.GetSegment(each)
                set_state(segment, state)
                set_approved_together(segment, False)
            if rule:
                mark_repaired(segmentation.GetSegment(segment_id), rule)
        finally:
            node.EndModify(was_modifying)
        self._before = before
        self._after = {each: new.as_in(segmentation.GetSegment(each)) for each, new in voxels.items()}

    def undo(self, node) -> str | None:
        """Nothing where somebody has drawn in one of the segments since, or made it into a surface; a state that was
        given since stays."""
        segmentation = node.GetSegmentation()
        if not all(is_still(segmentation.GetSegment(each), left) for each, left in self._after.items()):
            return None
        was_modifying = node.StartModify()
        try:
            for segment_id in self._made:
                remove_segment(segmentation, segment_id)
            for segment_id, before in self._before.items():
                before.give_back(node, segment_id, self._state)
        finally:
            node.EndModify(was_modifying)
        return self.key


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
