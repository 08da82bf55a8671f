"""Actions, and how they are taken back."""

from __future__ import annotations

from typing import Protocol

import slicer


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
