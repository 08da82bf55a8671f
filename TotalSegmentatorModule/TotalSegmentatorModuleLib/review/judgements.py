"""What the user says about structures, and the model's own shape that is given back to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.changes.voxel_change import VoxelChange
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.computed_structures import can_restore, computed_voxels
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state, state_of
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.tags.review_flags import set_absent_state


@dataclass(frozen=True)
class _Change:
    key: str
    has_segment: bool
    before: ReviewState
    was_together: bool
    after: ReviewState


class Judgement:
    """Gives structures a state, as one action (history.Action)."""

    segment_ids = ()

    def __init__(self, node, rows: Sequence[ReviewRow], state: ReviewState, is_together: bool = False) -> None:
        """Writes ``state`` to the structures of ``rows`` in ``node`` (vtkMRMLSegmentationNode)."""
        self.node_id: str = node.GetID()
        self._changes = [_Change(row.key, row.has_segment, row.state, row.is_together, state) for row in rows]
        with told_once(node):
            for change in self._changes:
                _write(node, change, state, is_together)

    def undo(self, node) -> str | None:
        """A state that was changed elsewhere since stays; returns the key of the first structure that changed."""
        undone = [change for change in self._changes if _is_as_left(node, change)]
        with told_once(node):
            for change in undone:
                _write(node, change, change.before, change.was_together)
        return undone[0].key if undone else None


def _write(node, change: _Change, state: ReviewState, is_together: bool) -> None:
    if not change.has_segment:
        set_absent_state(node, change.key, state)
        return
    segment = node.GetSegmentation().GetSegment(change.key)
    set_state(segment, state)
    set_approved_together(segment, is_together)


def _is_as_left(node, change: _Change) -> bool:
    segment = node.GetSegmentation().GetSegment(change.key)
    if not change.has_segment:
        return segment is None
    return segment is not None and state_of(segment) is change.after


# -- the model's own shape ---------------------------------------------------------------------------------------------


def is_restorable(node, row: ReviewRow | None) -> bool:
    """Whether the model's own shape of the structure is kept with ``node`` (vtkMRMLSegmentationNode), and its segment
    has voxels to be replaced: not where it was made into a surface."""
    if node is None or row is None or not row.has_segment or not can_restore(node, row.key):
        return False
    return node.GetSegmentation().GetSegment(row.key).GetRepresentation(BINARY_LABELMAP) is not None


def restored(node, row: ReviewRow) -> VoxelChange | None:
    """Asks, and does it; None where the user does not agree. Raises SegmentationError: COMPUTED_NOT_KEPT, or
    BAD_REQUEST where what is kept is damaged."""
    question = _(
        "Give {structure} back the shape that the model computed? Your changes to it are removed, and it has to be "
        "reviewed again. Undo brings them back."
    ).format(structure=row.name)
    if not confirm_loss(question, _("Restore structure"), _("Restore")):
        return None
    voxels = {row.key: computed_voxels(node, row.key)}
    return VoxelChange(node, row.key, voxels, ReviewState.UNREVIEWED, is_computed=True)
