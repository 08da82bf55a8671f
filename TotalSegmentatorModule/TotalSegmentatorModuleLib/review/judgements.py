"""What the user says about structures, the model's own shape that is given back to one, and how these and whatever else
was done in the review are taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.computed_structures import can_restore, restore
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state, state_of
from TotalSegmentatorModuleLib.scene.segmentation_import import BINARY_LABELMAP
from TotalSegmentatorModuleLib.tags.review_flags import set_absent_state


class Action(Protocol):
    """Something that was done to one segmentation."""

    node_id: str
    """Of the vtkMRMLSegmentationNode."""

    def undo(self, node) -> str | None:
        """Take it back in ``node``; returns the key of the row to go to. None where nothing could be taken back: what
        was changed elsewhere since stays."""


class History:
    """Remembers each action until it is taken back or the scene closes."""

    def __init__(self) -> None:
        self._actions: list[Action] = []

    @property
    def can_undo(self) -> bool:
        return bool(self._actions)

    def add(self, action: Action) -> None:
        self._actions.append(action)

    def clear(self) -> None:
        self._actions = []

    def undo(self) -> tuple[object, str] | None:
        """Take the last action back that can be. Returns the segmentation node and the key of the row to go to; None
        where nothing could be taken back."""
        while self._actions:
            action = self._actions.pop()
            node = slicer.mrmlScene.GetNodeByID(action.node_id)
            if node is None or not node.IsA("vtkMRMLSegmentationNode"):
                continue
            key = action.undo(node)
            if key is not None:
                return node, key
        return None


@dataclass(frozen=True)
class _Change:
    key: str
    has_segment: bool
    before: ReviewState
    was_together: bool
    after: ReviewState


class Judgement:
    """Gives structures a state, as one action (Action)."""

    def __init__(self, node, rows: Sequence[ReviewRow], state: ReviewState, is_together: bool = False) -> None:
        """Writes ``state`` to the structures of ``rows`` in ``node`` (vtkMRMLSegmentationNode)."""
        self.node_id: str = node.GetID()
        self._changes = [_Change(row.key, row.has_segment, row.state, row.is_together, state) for row in rows]
        for change in self._changes:
            _write(node, change, state, is_together)

    def undo(self, node) -> str | None:
        """A state that was changed elsewhere since stays; returns the key of the first structure that changed."""
        undone = [change for change in self._changes if _is_as_left(node, change)]
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
    """Whether the model's own shape of the structure is kept with ``node`` (vtkMRMLSegmentationNode)."""
    return node is not None and row is not None and row.has_segment and can_restore(node, row.key)


def restored(node, row: ReviewRow) -> Restoration | None:
    """Asks, and does it; None where the user does not agree. Raises SegmentationError: COMPUTED_NOT_KEPT, or
    BAD_REQUEST where what is kept is damaged."""
    question = _(
        "Give {structure} back the shape that the model computed? Your changes to it are removed, and it has to be "
        "reviewed again. Undo brings them back."
    ).format(structure=row.name)
    if not confirm_loss(question, _("Restore structure"), _("Restore")):
        return None
    return Restoration(node, row.key)


class Restoration:
    """Done when it is made; fulfils judgements.Action."""

    def __init__(self, node, segment_id: str) -> None:
        segment = node.GetSegmentation().GetSegment(segment_id)
        self.node_id: str = node.GetID()
        self._segment_id = segment_id
        self._state = state_of(segment)
        self._before = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(segment_id, self._before)
        restore(node, segment_id)
        set_approved_together(segment, False)
        self._after = _change_time(segment)

    def undo(self, node) -> str | None:
        """Nothing where somebody has drawn in the segment since."""
        segment = node.GetSegmentation().GetSegment(self._segment_id)
        if segment is None or _change_time(segment) != self._after:
            return None
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.SetBinaryLabelmapToSegment(self._before, node, self._segment_id, logic.MODE_REPLACE):
            return None
        set_state(segment, self._state)
        return self._segment_id


def _change_time(segment) -> tuple[int, int]:
    """Of the segment's image; it does not tell that somebody wrote into the array of its voxels."""
    image = segment.GetRepresentation(BINARY_LABELMAP)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    return (image.GetMTime() if image is not None else 0, scalars.GetMTime() if scalars is not None else 0)
