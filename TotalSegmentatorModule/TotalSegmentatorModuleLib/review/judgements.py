"""What the user says about structures, and how it is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import slicer
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.review.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state, state_of
from TotalSegmentatorModuleLib.tags.review_flags import set_absent_state


@dataclass(frozen=True)
class _Change:
    key: str
    has_segment: bool
    before: ReviewState
    was_together: bool
    after: ReviewState


class Judgements:
    """Writes states into segmentations, and remembers each action until it is taken back or the scene closes."""

    def __init__(self) -> None:
        self._actions: list[tuple[str, list[_Change]]] = []

    @property
    def can_undo(self) -> bool:
        return bool(self._actions)

    def clear(self) -> None:
        self._actions = []

    def judge(self, node, rows: Sequence[ReviewRow], state: ReviewState, is_together: bool = False) -> None:
        """Give the structures of ``rows`` in ``node`` (vtkMRMLSegmentationNode) this state: one action."""
        changes = [_Change(row.key, row.has_segment, row.state, row.is_together, state) for row in rows]
        self._actions.append((node.GetID(), changes))
        for change in changes:
            _write(node, change, state, is_together)

    def undo(self) -> tuple[object, str] | None:
        """Take the last action back. Returns the segmentation node and the key of the first structure that changed;
        None where nothing could be taken back. A state that was changed elsewhere since stays."""
        while self._actions:
            node_id, changes = self._actions.pop()
            node = slicer.mrmlScene.GetNodeByID(node_id)
            if node is None or not node.IsA("vtkMRMLSegmentationNode"):
                continue
            undone = [change for change in changes if _is_as_left(node, change)]
            for change in undone:
                _write(node, change, change.before, change.was_together)
            if undone:
                return node, undone[0].key
        return None


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
