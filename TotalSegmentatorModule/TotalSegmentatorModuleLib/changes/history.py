"""Actions, and how they are taken back."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import slicer


class Action(Protocol):
    """Something that was done to one segmentation."""

    node_id: str
    """Of the vtkMRMLSegmentationNode."""
    segment_ids: Collection[str]
    """Of the segments that got other voxels or another name; empty where none did."""

    def undo(self, node) -> str | None:
        """Take it back in ``node``; returns the key of the row to go to. None where nothing could be taken back: what
        was changed elsewhere since stays."""


def names_besides(action: Action, key: str | None) -> list[str]:
    """Of the segments that ``action`` changed besides the one of the row ``key``."""
    segmentation = slicer.mrmlScene.GetNodeByID(action.node_id).GetSegmentation()
    return [segmentation.GetSegment(each).GetName() for each in action.segment_ids if each != key]


class Undone(NamedTuple):
    """What was taken back."""

    node: object
    """The vtkMRMLSegmentationNode."""
    key: str
    """Of the row to go to."""
    segment_ids: Collection[str]
    """Of the segments that may have other voxels or another name now."""


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

    def undo(self) -> Undone | None:
        """Take the last action back that can be; None where none can."""
        while self._actions:
            action = self._actions.pop()
            node = slicer.mrmlScene.GetNodeByID(action.node_id)
            if node is None or not node.IsA("vtkMRMLSegmentationNode"):
                continue
            key = action.undo(node)
            if key is not None:
                return Undone(node, key, action.segment_ids)
        return None
