"""What became of a structure while it was edited elsewhere, and which others may have changed there."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import slicer
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG, ReviewState

from TotalSegmentatorModuleLib.changes.voxel_change import SegmentBefore, is_still
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state, state_of
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SegmentVoxels, voxel_stamp
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tags.review_flags import mark_changed
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag


class BeforeEditing:
    """A segment as it was when its editing began."""

    def __init__(self, node, segment_id: str) -> None:
        """``node``: vtkMRMLSegmentationNode."""
        segment = node.GetSegmentation().GetSegment(segment_id)
        self.node, self._segment_id = node, segment_id
        self._state, self._digest = state_of(segment), read_tag(segment, VOXEL_DIGEST_TAG)
        has_voxels = segment.GetRepresentation(BINARY_LABELMAP) is not None
        self._before = SegmentBefore(segment) if has_voxels else None
        self._others = {each: _looks(node, each) for each in all_segments(node) if each != segment_id}

    def others(self) -> tuple[str, ...]:
        """Ids of the other segments that may have other voxels now: somebody has drawn in them, or in one that lies in
        the same image. Those that the Segment Editor has marked as edited since count as changed. Not those of a new
        result."""
        if not slicer.mrmlScene.IsNodePresent(self.node):
            return ()
        segmentation, others = self.node.GetSegmentation(), []
        for segment_id, before in self._others.items():
            segment = segmentation.GetSegment(segment_id)
            if segment is None:
                continue
            now = _looks(self.node, segment_id)
            if now.digest != before.digest or now.stamp == before.stamp:
                continue
            others.append(segment_id)
            if now.state is ReviewState.EDITED and before.state is not now.state:
                mark_changed(segment)
        return tuple(others)

    def change(self, others: Sequence[str]) -> EditChange | None:
        """What was done since; ``others`` are listed as changed, too, which the editor itself takes back. None where no
        voxel is another one; where a new result has taken the segment's place; and for what was a surface: the Segment
        Editor itself marks it as edited."""
        segment = self.node.GetSegmentation().GetSegment(self._segment_id)
        if segment is None or self._before is None or not slicer.mrmlScene.IsNodePresent(self.node):
            return None
        if read_tag(segment, VOXEL_DIGEST_TAG) != self._digest or is_still(segment, self._before.voxels):
            return None
        if state_of(segment) is self._state:  # else the user has judged it where it was edited
            set_state(segment, ReviewState.EDITED)
            set_approved_together(segment, False)
        mark_changed(segment)
        after = SegmentVoxels.of(segment)
        return EditChange(self.node.GetID(), (self._segment_id, *others), self._before, after, state_of(segment))


class _Looks(NamedTuple):
    """What tells without a look at the voxels whether they may be others."""

    stamp: Hashable
    digest: str
    state: ReviewState


def _looks(node, segment_id: str) -> _Looks:
    segment = node.GetSegmentation().GetSegment(segment_id)
    return _Looks(voxel_stamp(segment), read_tag(segment, VOXEL_DIGEST_TAG), state_of(segment))


class EditChange:
    """Fulfils history.Action: all that was drawn in one go is taken back in one go."""

    def __init__(
        self, node_id: str, segment_ids: Sequence[str], before: SegmentBefore, after: SegmentVoxels, left: ReviewState
    ) -> None:
        """``segment_ids``: the edited one first, then those that may have changed as well; ``left``: the state with
        which the user came back."""
        self.node_id = node_id
        self.key = segment_ids[0]
        self.segment_ids = segment_ids
        self._before, self._after, self._left = before, after, left

    def undo(self, node) -> str | None:
        """Nothing where somebody has drawn in the segment since; a state that was given since stays."""
        if not is_still(node.GetSegmentation().GetSegment(self.key), self._after):
            return None
        with told_once(node):
            self._before.give_back(node, self.key, self._left)
        return self.key
