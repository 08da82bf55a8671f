"""*Correct with points*: a structure is handed to nnInteractive where that is installed.

Run with a module of the same interface; not run with the real one, which needs its model.
"""

from __future__ import annotations

import numpy as np
import pytest
from places import TESTING

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from TotalSegmentatorWire.tables.review_state import ReviewState

FAKE = TESTING / "tests/support/fakes/nninteractive/SlicerNNInteractive.py"


@pytest.fixture
def installed(ready):
    """With the extension; the user comes back to the review after its installation."""
    ready.app.leave_module()
    ready.app.load_module(FAKE)
    ready.app.enter_module()
    yield ready
    del slicer.modules.slicernninteractive


def points():
    return slicer.modules.slicernninteractive.widgetRepresentation().self()


def mask(reader, segment_id: str) -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(reader.node, segment_id, reader.ct).astype(bool)


def test_nothing_is_offered_without_the_extension(ready):
    ready.click_row("kidney right")
    assert not ready.ui.pointsButton.visible


def test_structure_and_place_are_handed_over(installed):
    assert not installed.ui.pointsButton.enabled  # no row is chosen
    installed.click_row("gallbladder")
    place = installed.slice_centre()
    installed.app.click(installed.ui.pointsButton)
    editor = points().ui.editor_widget
    assert editor.segmentationNode() is installed.node
    assert editor.sourceVolumeNode() is installed.ct
    assert editor.currentSegmentID() == "gallbladder"
    assert installed.slice_centre() == place
    assert not points().ui.pbInteractionPoint.checked  # no model is loaded
    assert installed.user.ui.edit_bar.editBarLabel.text.startswith("Correcting gallbladder.")
    installed.app.click(installed.user.ui.edit_bar.backButton)
    points().initialize()
    installed.app.click(installed.ui.pointsButton)
    assert points().ui.pbInteractionPoint.checked


@pytest.mark.parametrize("is_grown", [False, True], ids=["within the layer", "beyond the layer"])
def test_neighbours_keep_their_voxels_and_the_row_is_edited(installed, is_grown):
    before = {each: mask(installed, each) for each in installed.node.GetSegmentation().GetSegmentIDs()}
    installed.click_row("gallbladder")
    installed.app.click(installed.ui.pointsButton)
    found = before["gallbladder"] | before["kidney_left"]
    if is_grown:
        found = np.ones_like(found)
    points().add_result(found)
    installed.app.click(installed.user.ui.edit_bar.backButton)
    installed.settle()
    assert installed.chosen == "gallbladder"
    assert installed.state("gallbladder") is ReviewState.EDITED
    after = {each: mask(installed, each) for each in before}
    assert np.array_equal(after.pop("gallbladder"), found)
    assert all(np.array_equal(after[each], before[each]) for each in after)
    installed.press("Ctrl+Z")
    assert np.array_equal(mask(installed, "gallbladder"), before["gallbladder"])
    assert installed.state("gallbladder") is ReviewState.UNREVIEWED


def test_a_version_without_that_editor_is_opened_all_the_same(installed):
    installed.click_row("gallbladder")
    del points().ui.editor_widget
    installed.app.click(installed.ui.pointsButton)
    assert installed.user.ui.edit_bar.editBarFrame.visible
