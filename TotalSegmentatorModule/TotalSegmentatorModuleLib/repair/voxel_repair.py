"""The repair of voxels that waits for the user's consent, and what it did."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import slicer
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.repair.kept_tags import KeptTags
from TotalSegmentatorModuleLib.repair.program_order import ProgramOrder
from TotalSegmentatorModuleLib.repair.segment_contents import make_segment, remove_segment
from TotalSegmentatorModuleLib.repair.segment_voxels import SegmentVoxels
from TotalSegmentatorModuleLib.repair.task import Outcome
from TotalSegmentatorModuleLib.repair.texts import outcomes_text
from TotalSegmentatorModuleLib.scene.output_segmentation import content_stamp
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras
from TotalSegmentatorModuleLib.tags.review_flags import mark_repaired


class VoxelRepair:
    """What the program worked out for ``order``; ``stamp`` is the content stamp of when it was handed over."""

    def __init__(self, order: ProgramOrder, outcomes: Sequence[Outcome], stamp: Hashable) -> None:
        """Raises SegmentationError("EXPORT_NONLINEAR_TRANSFORM")."""
        self._order, self._stamp = order, stamp
        self.node, self.ct = order.node, order.ct
        self.place_ras_mm = tuple(outcomes[0].segment.place_ras_mm) if outcomes else None
        """The middle of what changes, in the CT's own space; None where nothing does."""
        to_segmentation = np.linalg.inv(segmentation_to_ct(order.node, order.ct)) @ ijk_to_ras(order.ct)
        self.voxels = {
            each.segment.id: SegmentVoxels.cropped(each.inside, tuple(each.segment.start), to_segmentation)
            for each in outcomes
        }
        """Of each segment that changes, in the segmentation's own space."""
        self.text: str = outcomes_text(order.node, [each.segment for each in outcomes])
        """What will change, in words."""

    @property
    def is_current(self) -> bool:
        """Whether the segmentation is as it was handed over."""
        node = self._order.node
        return slicer.mrmlScene.IsNodePresent(node) and content_stamp(node) == self._stamp

    def apply(self) -> VoxelChange | None:
        """None where the segmentation has changed since."""
        if not self.is_current:
            return None
        return VoxelChange(self._order.node, self._order.segment_id, self.voxels, self._order.rule)


class VoxelChange:
    """Done when it is made; fulfils judgements.Action."""

    def __init__(self, node, segment_id: str, voxels: Mapping[str, SegmentVoxels], rule: str) -> None:
        """Give the segments of ``node`` (vtkMRMLSegmentationNode) these ``voxels``; those that it lacks are made.
        ``segment_id``: the one that the flag of ``rule`` is about. Raises SegmentationError("REPAIR_NO_SEGMENT")."""
        segmentation = node.GetSegmentation()
        self.node_id: str = node.GetID()
        self.segment_ids = tuple(voxels)
        """Of what has changed."""
        self.key = segment_id
        """Of the row to go to."""
        self._made = [each for each in voxels if segmentation.GetSegment(each) is None]
        there = {each: segmentation.GetSegment(each) for each in voxels if each not in self._made}
        self._before = {each: SegmentVoxels.of(segment) for each, segment in there.items()}
        self._kept = {each: KeptTags(segment) for each, segment in there.items()}
        was_modifying = node.StartModify()
        try:
            for each in self._made:
                segmentation.AddSegment(make_segment(each, segmentation.GetSegment(segment_id)), each)
            for each, new in voxels.items():
                new.write_to(node, each)
                segment = segmentation.GetSegment(each)
                set_state(segment, ReviewState.EDITED)
                set_approved_together(segment, False)
            mark_repaired(segmentation.GetSegment(segment_id), rule)
        finally:
            node.EndModify(was_modifying)
        self._after = {each: new.as_in(segmentation.GetSegment(each)) for each, new in voxels.items()}

    def undo(self, node) -> str | None:
        """Nothing where somebody has drawn in one of the segments since; a state that was given since stays."""
        segmentation = node.GetSegmentation()
        for segment_id, left in self._after.items():
            segment = segmentation.GetSegment(segment_id)
            if segment is None or not SegmentVoxels.of(segment).is_same(left):
                return None
        was_modifying = node.StartModify()
        try:
            for segment_id in self._made:
                remove_segment(segmentation, segment_id)
            for segment_id, before in self._before.items():
                before.write_to(node, segment_id)
                self._kept[segment_id].write_back(segmentation.GetSegment(segment_id), ReviewState.EDITED)
        finally:
            node.EndModify(was_modifying)
        return self.key
