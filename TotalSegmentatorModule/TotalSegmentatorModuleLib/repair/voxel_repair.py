"""The repair of voxels that waits for the user's consent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import slicer
from TotalSegmentatorWire.tables.review_rules import Repair
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.changes.voxel_change import VoxelChange
from TotalSegmentatorModuleLib.repair.program_order import ProgramOrder
from TotalSegmentatorModuleLib.repair.task import Outcome
from TotalSegmentatorModuleLib.repair.texts import outcomes_text
from TotalSegmentatorModuleLib.scene.output_segmentation import content_stamp
from TotalSegmentatorModuleLib.scene.segment_voxels import SegmentVoxels
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras


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
        gone = order.segment_id if order.kind == Repair.MERGE_INTO else ""
        self.text: str = outcomes_text(order.node, [each.segment for each in outcomes], gone)
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
        order = self._order
        merged_into = order.other_id if order.kind == Repair.MERGE_INTO else ""
        return VoxelChange(order.node, order.segment_id, self.voxels, ReviewState.EDITED, order.rule, merged_into)
