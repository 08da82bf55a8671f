"""The preview in the scene, and what becomes of it when the fine result is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from TotalSegmentatorModuleLib.preview.looks import Looks
from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice, work_stamp
from TotalSegmentatorModuleLib.scene.segmentation_import import rename_given


class ShownPreview:
    """The preview of a job in the scene. Drawing, new or removed segments, and review states are the user's work;
    colours, names and what is shown are not: the fine result takes them over."""

    def __init__(self, node, edited_name: str) -> None:
        """``node``: vtkMRMLSegmentationNode with nothing but the preview; ``edited_name``: it gets if it is kept beside
        the fine result, unless the user has named it."""
        self._node_id: str = node.GetID()
        self._stamp = work_stamp(node)
        self._edited_name = edited_name

    @property
    def node(self):
        """None where it has left the scene."""
        return slicer.mrmlScene.GetNodeByID(self._node_id)

    @property
    def is_edited(self) -> bool:
        return self.node is not None and work_stamp(self.node) != self._stamp

    def keep(self) -> None:
        """The user's work stays under a name of its own."""
        rename_given(self.node, self._edited_name)


class PlaceOfPreview:
    """An OutputChoice for the fine result: the ``chosen`` segmentation if there is one, else that of the preview, with
    all that the user looked at; and a new one where the user has edited the preview. ``on_kept`` gets the preview that
    was kept, and the segmentation of the fine result; ``on_bare`` the latter, where the 3-D views showed the preview,
    whose surfaces are gone."""

    def __init__(
        self,
        chosen: OutputChoice,
        preview: ShownPreview,
        on_kept: Callable[[Any, Any], None],
        on_bare: Callable[[Any], None],
    ) -> None:
        self._chosen = chosen
        self._preview = preview
        self._on_kept = on_kept
        self._on_bare = on_bare
        self._looks: Looks | None = None
        self._kept_id = ""

    @property
    def is_lost(self) -> bool:
        """As of OutputChoice."""
        return self._chosen.is_lost

    @property
    def kept_id(self) -> str:
        """As of OutputChoice: the preview that the user has edited."""
        return self._kept_id

    def resolve(self):
        """As of OutputChoice: asked in the step that puts the result into the scene."""
        output, preview = self._chosen.resolve(), self._preview.node
        if preview is None:
            return output
        if self._preview.is_edited:
            self._preview.keep()
            self._kept_id = preview.GetID()
            return output
        self._looks = Looks.of(preview)
        return preview if output is None else output

    def taken_by(self, node) -> None:
        """As of OutputChoice."""
        preview, looks = self._preview.node, self._looks
        if looks is not None:
            looks.give_to(node)
            if preview is node:
                _leave_file(node)
            else:
                _follow(preview, node)
                slicer.mrmlScene.RemoveNode(preview)
            if looks.has_surfaces:
                self._on_bare(node)
        elif preview is not None:
            self._on_kept(preview, node)


def _leave_file(node) -> None:
    """What the user saved stays a preview; ``node`` (vtkMRMLSegmentationNode) gets another file the next time."""
    storage = node.GetStorageNode()
    if storage is not None:
        node.SetAndObserveStorageNodeID(None)
        slicer.mrmlScene.RemoveNode(storage)


def _follow(preview, node) -> None:
    """Segment Editors that show the preview show ``node`` instead."""
    for editor in slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode"):
        if editor.GetSegmentationNode() is preview:
            selected = editor.GetSelectedSegmentID()
            editor.SetAndObserveSegmentationNode(node)
            if selected and node.GetSegmentation().GetSegment(selected) is not None:
                editor.SetSelectedSegmentID(selected)
