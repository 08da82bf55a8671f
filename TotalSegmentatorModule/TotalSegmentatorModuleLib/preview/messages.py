"""What the panel says of previews."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.texts.quantities import duration_text


@dataclass(frozen=True)
class PreviewCallbacks:
    """What the rest of the panel does."""

    show_text: Callable[[str], None]
    """In the place of the result."""
    show_note: Callable[[str], None]
    """Not in the log: the notes name segmentations."""
    compare: Callable[[Any, Any], None]
    """Two vtkMRMLSegmentationNode: the fine result, and the preview that the user has edited."""


class PreviewMessages:
    """Of the job that runs or ran last. ``ui``: Messages.ui, whose compareResultButton is there only for an edited
    preview beside its fine result."""

    def __init__(self, ui: Widgets, callbacks: PreviewCallbacks) -> None:
        self._button = ui.compareResultButton
        self._callbacks = callbacks
        self._node_id = ""
        self._compared: tuple[str, str] | None = None
        self._button.connect("clicked(bool)", self._on_compare)
        self.clear()

    def clear(self) -> None:
        """A new job starts, or the scene is closed: its nodes' ids are given to others then."""
        self._node_id, self._compared = "", None
        self._button.setVisible(False)

    def arrived(self, node, header: ResultHeader, has_output: bool) -> None:
        """``node`` (vtkMRMLSegmentationNode) is the preview of the job that goes on; ``has_output``: its result goes
        into a segmentation that was chosen."""
        self._node_id = node.GetID()
        count = len(header.found)
        found = _("1 structure") if count == 1 else _("{count} structures").format(count=count)
        if has_output:
            text = _(
                "Preview: {found} after {duration}. It is removed when the fine result is ready, which goes into the "
                "chosen output; if you draw in the preview, it is kept."
            )
        else:
            text = _(
                "Preview: {found} after {duration}. The fine result takes its place when it is ready; if you draw in "
                "the preview, it is kept beside it."
            )
        self._callbacks.show_text(text.format(found=found, duration=duration_text(header.seconds)))

    def kept(self, preview, fine) -> None:
        """The user has worked on the preview (vtkMRMLSegmentationNode), and the fine result is in ``fine``."""
        self._compared = (fine.GetID(), preview.GetID())
        self._node_id = ""
        self._button.setVisible(True)
        self._callbacks.show_note(
            _(
                "You have worked on the preview, so it was kept: '{preview}'. The fine result is beside it: '{fine}'. "
                "'Compare with Preview' shows where the two differ."
            ).format(preview=preview.GetName(), fine=fine.GetName())
        )

    def job_failed(self) -> None:
        """Say that the preview stays, if there is one."""
        text = self.stays_text()
        if text:
            self._callbacks.show_note(text)

    def stays_text(self) -> str:
        """After a job that has no result: that its preview stays; empty where there is none."""
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None
        if node is None:
            return ""
        return _(
            "The preview stays in the scene: '{name}'. It is coarser than the result that you asked for, and marked "
            "as a preview."
        ).format(name=node.GetName())

    def _on_compare(self) -> None:
        nodes = [slicer.mrmlScene.GetNodeByID(each) for each in self._compared or ()]
        if nodes and None not in nodes:
            self._callbacks.compare(*nodes)
        else:
            self._button.setVisible(False)
