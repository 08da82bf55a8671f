"""A structure gets back the shape that the model computed, and the edits come back by Undo."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from TotalSegmentatorWire.messages.computed import ComputedStructure, ComputedStructures, computed_to_json
from TotalSegmentatorWire.tables.review_state import ReviewState

EDITED = "gallbladder"


OPINION = "A coarser model finds another shape of gallbladder: 2 ml lie more than 6 mm apart."


def voxels(ready, segment_id: str = EDITED) -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(ready.node, segment_id, ready.ct) != 0


@pytest.fixture
def kept(ready):
    """The result with the gallbladder as computed kept, and edited since; its voxels before."""
    from TotalSegmentatorModuleLib.scene.computed_structures import keep_computed

    before = voxels(ready)
    low, high = np.argwhere(before).min(axis=0), np.argwhere(before).max(axis=0) + 1
    inside = before[tuple(slice(*ends) for ends in zip(low, high, strict=True))]
    packed = ComputedStructure.packed(low.tolist(), list(inside.shape), np.packbits(inside).tobytes())
    matrix = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(ready.ct)).ravel().tolist()
    keep_computed(ready.node, computed_to_json(ComputedStructures(list(before.shape), matrix, {EDITED: packed})))
    edited = np.zeros_like(before)
    edited[tuple(low)] = True
    slicer.util.updateSegmentBinaryLabelmapFromArray(edited.astype(np.uint8), ready.node, EDITED, ready.ct)
    ready.settle()
    return before, edited


def _ijk_to_ras(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_a_structure_is_restored_after_a_question_and_the_edit_comes_back(ready, kept, answers):
    from TotalSegmentatorModuleLib.tags.review_flags import mark_changed

    before, edited = kept
    ready.click_row("gallbladder")
    mark_changed(ready.segment(EDITED))
    ready.set_state(EDITED, ReviewState.EDITED)
    assert ready.remarks() == [f"Changed, not checked again: {OPINION}"]
    answers.append(False)
    ready.app.click(ready.ui.restoreButton)
    assert np.array_equal(voxels(ready), edited)
    answers.append(True)
    ready.app.click(ready.ui.restoreButton)
    assert np.array_equal(voxels(ready), before)
    assert ready.state(EDITED) is ReviewState.UNREVIEWED
    assert ready.remarks() == [OPINION]  # of the shape that it is again
    ready.app.click(ready.ui.undoButton)
    assert np.array_equal(voxels(ready), edited)
    assert ready.state(EDITED) is ReviewState.EDITED
    assert ready.remarks() == [f"Changed, not checked again: {OPINION}"]


def test_what_was_drawn_since_is_not_taken_back(ready, kept, answers):
    _before, edited = kept
    ready.click_row("gallbladder")
    answers.append(True)
    ready.app.click(ready.ui.restoreButton)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.roll(edited, 1, axis=2).astype(np.uint8), ready.node, EDITED, ready.ct
    )
    ready.app.click(ready.ui.undoButton)
    assert np.array_equal(voxels(ready), np.roll(edited, 1, axis=2))


def test_only_what_is_kept_can_be_restored(ready, kept):
    ready.click_row("gallbladder")
    assert ready.ui.restoreButton.enabled
    ready.click_row("kidney right")
    assert not ready.ui.restoreButton.enabled
