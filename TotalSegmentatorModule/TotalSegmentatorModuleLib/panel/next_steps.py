"""The buttons below the line about a result: what one does next with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets


@dataclass(frozen=True)
class NextStepCallbacks:
    """Each gets the vtkMRMLSegmentationNode of the result; ``on_gone`` is called when there is none any more."""

    show_3d: Callable[[Any], None]
    review: Callable[[Any], None]
    edit: Callable[[Any], None]
    export: Callable[[Any], None]
    on_gone: Callable[[], None]


class NextSteps:
    """The buttons of nextWidget in Messages.ui."""

    def __init__(self, ui: Widgets, callbacks: NextStepCallbacks) -> None:
        self._callbacks = callbacks
        self._node_id = ""
        for button, act in (
            (ui.showIn3DButton, callbacks.show_3d),
            (ui.reviewResultButton, callbacks.review),
            (ui.editResultButton, callbacks.edit),
            (ui.exportResultButton, callbacks.export),
        ):
            button.connect("clicked(bool)", lambda _is_checked=False, act=act: self._do(act))

    def offer(self, node) -> None:
        """``node`` (vtkMRMLSegmentationNode) is the result that the buttons are for."""
        self._node_id = node.GetID()

    def is_for(self, node) -> bool:
        return node is not None and node.GetID() == self._node_id

    def node_removed(self, node_id: str) -> None:
        if node_id == self._node_id:
            self._callbacks.on_gone()

    def _do(self, act: Callable[[Any], None]) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._node_id)
        if node is not None:
            act(node)
