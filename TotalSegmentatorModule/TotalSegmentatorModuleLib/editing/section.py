"""Leads from a row of the review to an editor and back: Slicer's Segment Editor, or nnInteractive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import slicer

from TotalSegmentatorModuleLib.editing.bar import EditBar
from TotalSegmentatorModuleLib.editing.change import BeforeEditing, EditChange
from TotalSegmentatorModuleLib.editing.first_effect import FirstEffect, first_effect
from TotalSegmentatorModuleLib.editing.points import (
    MODULE,
    arm_point_tool,
    editor_of,
    give_own_layer,
    has_points,
    points_panel,
)
from TotalSegmentatorModuleLib.editing.segment_editor import open_on, take_up
from TotalSegmentatorModuleLib.editing.texts import editing_text, points_text
from TotalSegmentatorModuleLib.qt_helpers.scrolling import IntoSight
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.editor_settings import keep_settings, protect_others, restore_settings
from TotalSegmentatorModuleLib.scene.segments import reference_volume, visible_segments

_OWN_MODULE = "TotalSegmentatorModule"
MASKED_VOXELS = 1.5e9
"""Voxels of the CT times visible structures, up to which these are a mask. Slicer merges them anew at each stroke: with
12 of 104 structures at 512 x 512 x 200 in 2.7 s of processor time, with all in 14 s, without a mask in 0.4 s (benchmark
editor-mask)."""


class EditingSection:
    """One structure at a time. ``on_ended`` is called when the user has left the editor, with what was drawn, None
    where nothing was."""

    def __init__(self, ui: Widgets, review, on_ended: Callable[[EditChange | None], None]) -> None:
        """``ui``: the widgets of EditBar.ui; ``review``: the QWidget to which the user comes back, whose panel Slicer
        has scrolled to its top meanwhile."""
        self._review = review
        self._sight = IntoSight()
        self._on_ended = on_ended
        self._before: BeforeEditing | None = None
        self._bar = EditBar(ui, self._go_back, self.end)
        restore_settings()  # of a module that was reloaded meanwhile

    @property
    def is_active(self) -> bool:
        return self._before is not None

    @property
    def has_points(self) -> bool:
        """Whether ``start_points`` can do something."""
        return has_points()

    def start(self, node, row: ReviewRow) -> None:
        """Open the Segment Editor on the structure of ``row`` of ``node`` (vtkMRMLSegmentationNode). RuntimeError where
        Slicer has no main window. Nothing where the segment is there no more."""
        self.end()
        if node.GetSegmentation().GetSegment(row.key) is None:
            return
        with self._beginning(node, row):
            slicer.util.selectModule("SegmentEditor")
            panel = slicer.modules.segmenteditor.widgetRepresentation()
            editor, ct = panel.self().editor, reference_volume(node)
            keep_settings(editor.mrmlSegmentEditorNode())
            open_on(editor, node, row.key, ct)
            is_masked = _is_mask_quick(ct, visible_segments(node))
            protect_others(editor.mrmlSegmentEditorNode(), is_masked)
            effect = first_effect(row.key, row.flags, row.measures)
            if ct is not None:
                take_up(editor, effect)
            self._bar.show(panel, editing_text(row.name, effect if ct is not None else FirstEffect(""), is_masked))

    def start_points(self, node, row: ReviewRow) -> None:
        """Open nnInteractive on the structure; the views stay where they are. RuntimeError as above."""
        self.end()
        if node.GetSegmentation().GetSegment(row.key) is None:
            return
        give_own_layer(node, row.key)
        with self._beginning(node, row):
            slicer.util.selectModule(MODULE)
            panel = points_panel()
            editor = editor_of(panel)
            if editor is not None:
                open_on(editor, node, row.key, reference_volume(node))
                arm_point_tool(panel)
            self._bar.show(panel, points_text(row.name))

    def end(self) -> None:
        """The user is back, or has turned to yet another module; nothing where no structure is edited."""
        before, self._before = self._before, None
        if before is None:
            return
        self._bar.remove()
        restore_settings()
        self._on_ended(before.change())
        self._sight.bring(self._review)

    def scene_closing(self) -> None:
        self._before = None
        self._bar.remove()
        restore_settings()

    def close(self) -> None:
        """The application quits or the module is reloaded."""
        self.scene_closing()
        self._sight.close()
        self._bar.close()

    # -- inside --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _beginning(self, node, row: ReviewRow) -> Iterator[None]:
        """Editing has begun before the other module is entered; it ends where that fails."""
        self._before = BeforeEditing(node, row.key)
        try:
            yield
        except Exception:
            self.end()
            raise

    def _go_back(self) -> None:
        slicer.util.selectModule(_OWN_MODULE)


def _is_mask_quick(ct, visible: Collection[str]) -> bool:
    image = ct.GetImageData() if ct is not None else None
    return image is not None and image.GetNumberOfPoints() * len(visible) <= MASKED_VOXELS
