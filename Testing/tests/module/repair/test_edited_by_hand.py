"""What somebody draws in the Segment Editor is checked and measured again by the real program."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from repair_support import VOXEL_ML, wait_for_second_check
from TotalSegmentatorWire.tables.review_state import ReviewState


def test_an_island_that_is_removed_by_hand_is_no_remark_any_more(mender):
    liver, island = mender.add_with_island()
    before = mender.everything()
    mender.click_row("liver")
    mender.press("E")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.erase(island)
    mender.app.click(mender.user.ui.edit_bar.backButton)
    mender.settle()
    assert mender.state("liver") is ReviewState.EDITED
    assert mender.remarks()[0].startswith("Changed, not checked again: liver has stray pieces")
    assert mender.repair_buttons() == []
    wait_for_second_check(mender)
    assert mender.chosen == "liver"
    assert not any("stray pieces" in each for each in mender.remarks())
    assert mender.cells("liver")[3] == f"{liver.sum() * VOXEL_ML:.0f}"
    mender.press("Ctrl+Z")
    mender.settle()
    assert np.array_equal(mender.mask("liver"), liver | island)
    after = mender.everything()
    assert after["liver"][:3] == before["liver"][:3]
    for each, (title, colour, tags, _voxels) in after.items():  # the fixture's mean HU is not what is measured
        kept = [tag for tag in before[each][2] if "mean_hu" not in tag]
        assert (title, colour) == before[each][:2] and [tag for tag in tags if "mean_hu" not in tag] == kept


def test_another_structure_that_is_drawn_in_on_the_way_is_checked_as_well(mender):
    liver, island = mender.add_with_island()
    untouched = next(each for each in mender.node.GetSegmentation().GetSegmentIDs() if each != "liver")
    mender.open_group("No remarks")
    mender.click_row(mender.segment(untouched).GetName())
    before = mender.mask(untouched)
    mender.press("E")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setCurrentSegmentID("liver")
    editor.erase(island)
    mender.app.click(mender.user.ui.edit_bar.backButton)
    mender.settle()
    assert mender.state(untouched) is ReviewState.UNREVIEWED and np.array_equal(mender.mask(untouched), before)
    assert "You also changed" in mender.ui.hintLabel.text
    mender.click_row("liver")
    assert mender.state("liver") is ReviewState.EDITED
    assert mender.remarks()[0].startswith("Changed, not checked again: liver has stray pieces")
    wait_for_second_check(mender)
    assert not any("stray pieces" in each for each in mender.remarks())
    assert mender.cells("liver")[3] == f"{liver.sum() * VOXEL_ML:.0f}"
    mender.press("Ctrl+Z")
    assert mender.state("liver") is ReviewState.UNREVIEWED and np.array_equal(mender.mask("liver"), liver | island)
