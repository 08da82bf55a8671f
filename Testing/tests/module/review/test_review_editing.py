"""From a row into the Segment Editor and back: what is opened, what is protected, and what becomes of the row."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from review_support import FLAGS, WRONG_PLACE
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ReviewState, is_drawn

EVERYWHERE, OUTSIDE_VISIBLE = (
    slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere,
    slicer.vtkMRMLSegmentationNode.EditAllowedOutsideVisibleSegments,
)
OVERWRITE_ALL, OVERWRITE_NONE = (
    slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments,
    slicer.vtkMRMLSegmentEditorNode.OverwriteNone,
)
STRAY = Flag("islands", Level.WRONG, "kidney_right", (), WRONG_PLACE, {"pieces": 2, "expected": 1, "volume_ml": 2})
GAP = Flag("tube_gap", Level.WRONG, "aorta", (), WRONG_PLACE, {"gap_mm": 20, "volume_ml": 5})


def editor_panel():
    return slicer.modules.segmenteditor.widgetRepresentation()


def editor():
    return editor_panel().self().editor


def editor_node():
    return editor().mrmlSegmentEditorNode()


def settings() -> tuple:
    node = editor_node()
    names = ("BrushSphere", "BrushDiameterIsRelative", "BrushAbsoluteDiameter", "Islands.Operation")
    return (
        node.GetMaskMode(), node.GetMaskSegmentID(), node.GetOverwriteMode(), node.GetSourceVolumeIntensityMask(),
        tuple(node.GetSourceVolumeIntensityMaskRange()), *(node.GetAttribute(name) for name in names),
    )  # fmt: skip


def bar_text(reader) -> str:
    bar = reader.user.ui.edit_bar
    return bar.editBarLabel.text if bar.editBarFrame.visible else ""


def edit(reader, row: str) -> None:
    reader.click_row(row)
    reader.press("E")


def go_back(reader) -> None:
    reader.app.click(reader.user.ui.edit_bar.backButton)
    reader.settle()


def mask(reader, segment_id: str) -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(reader.node, segment_id, reader.ct).astype(bool)


def grown(inside: np.ndarray, voxels: int = 3) -> np.ndarray:
    """With ``voxels`` more on all sides along each axis."""
    for axis in range(3):
        for step in (*range(-voxels, 0), *range(1, voxels + 1)):
            moved = np.roll(inside, step, axis)
            inside = inside | moved
    return inside


def test_the_way_back_leads_to_the_row(ready):
    """Slicer scrolls the panel to its top with each change of module."""
    ready.app.resize_window(1024, 420)
    edit(ready, "gallbladder")
    go_back(ready)
    ready.app.process_events()
    assert not ready.tree.visibleRegion().isEmpty()


def test_the_editor_shows_the_structure_and_offers_the_way_back(ready):
    edit(ready, "gallbladder")
    assert (editor().segmentationNode(), editor().sourceVolumeNode()) == (ready.node, ready.ct)
    table = slicer.util.findChild(editor(), "SegmentsTableView")
    assert editor().currentSegmentID() == "gallbladder"
    assert list(table.selectedSegmentIDs()) == ["gallbladder"]
    assert bar_text(ready).startswith("Editing gallbladder.")
    assert ready.app.cut_off() == []
    go_back(ready)
    assert ready.chosen == "gallbladder"
    assert ready.ui.structureLabel.text == "gallbladder: not reviewed"  # nothing was drawn
    assert not ready.ui.undoButton.enabled
    assert not ready.user.ui.edit_bar.editBarFrame.visible


def test_the_list_shows_the_structure_although_it_is_long_and_filtered(ready):
    ready.add_result(count=59, name="many", shape=(32, 32, 32))
    ready.node.SetSegmentListFilterEnabled(True)
    table = slicer.util.findChild(editor(), "SegmentsTableView")
    table.setTextFilter("spleen")
    edit(ready, "gallbladder")
    go_back(ready)
    last = ready.node.GetSegmentation().GetNthSegmentID(58)
    ready.open_group("No remarks")
    row = ready.segment(last).GetName()
    ready.tree.scrollTo(ready.index(row))
    edit(ready, row)
    assert editor().currentSegmentID() == last
    shown = table.sortFilterProxyModel().indexFromSegmentID(last)
    rows = table.tableWidget()
    ready.settle()
    assert rows.viewport().rect.contains(rows.visualRect(shown).center())


def test_neighbours_are_protected_and_the_structure_itself_is_not(ready):
    before = {each: mask(ready, each) for each in ready.node.GetSegmentation().GetSegmentIDs()}
    edit(ready, "gallbladder")
    assert (editor_node().GetMaskMode(), editor_node().GetOverwriteMode()) == (OUTSIDE_VISIBLE, OVERWRITE_NONE)
    assert "Visible structures are protected" in bar_text(ready)
    stroke = grown(before["gallbladder"])
    editor().draw(stroke)
    after = {each: mask(ready, each) for each in before}
    others = set(before) - {"gallbladder"}
    assert all(np.array_equal(after[each], before[each]) for each in others)
    taken = np.any([before[each] for each in others], axis=0)
    assert (stroke & taken).any() and (stroke & ~taken & ~before["gallbladder"]).any()
    assert np.array_equal(after["gallbladder"], before["gallbladder"] | (stroke & ~taken))
    editor().erase(before["gallbladder"])
    assert np.array_equal(mask(ready, "gallbladder"), after["gallbladder"] & ~before["gallbladder"])


def test_hidden_structures_lose_nothing_either(ready):
    edit(ready, "gallbladder")
    hidden = sorted(set(ready.node.GetSegmentation().GetSegmentIDs()) - ready.visible())
    ready.node.GetDisplayNode().SetSegmentVisibility("spleen", False)
    before = mask(ready, "spleen")
    editor().draw(before)
    assert np.array_equal(mask(ready, "spleen"), before), hidden
    assert (mask(ready, "gallbladder") & before).any()  # they overlap


def test_a_mask_that_would_hold_up_each_stroke_is_not_set(ready, monkeypatch):
    from TotalSegmentatorModuleLib.editing import section

    monkeypatch.setattr(section, "MASKED_VOXELS", 1000.0)
    edit(ready, "gallbladder")
    assert (editor_node().GetMaskMode(), editor_node().GetOverwriteMode()) == (EVERYWHERE, OVERWRITE_NONE)
    assert "what you draw may overlap them" in bar_text(ready)
    before = mask(ready, "spleen")
    editor().draw(before)
    assert np.array_equal(mask(ready, "spleen"), before)


def test_the_structure_and_its_neighbours_stay_alone_until_the_user_is_back(ready):
    own = ready.visible()
    ready.click_row("gallbladder")
    alone = ready.visible()
    ready.press("E")
    assert ready.visible() == alone
    ready.app.leave_module()  # a third module
    ready.settle()
    assert ready.visible() == own
    ready.app.enter_module()
    assert ready.visible() == alone


def test_what_was_drawn_makes_the_row_edited_and_is_undone_at_once(ready):
    ready.click_row("kidney right")
    ready.press("A")
    edit(ready, "kidney right")
    before, flags = mask(ready, "kidney_right"), ready.flags("kidney_right")
    half = before.copy()
    half[:, :, : half.shape[2] // 4] = False
    editor().erase(half)
    go_back(ready)
    assert ready.chosen == "kidney right"
    assert ready.ui.structureLabel.text == "kidney right: edited"
    assert ready.remarks()[0].startswith("Changed, not checked again: A coarser model finds another shape")
    assert ready.remarks()[1] == "Changed, not checked again: The scan ends within kidney right (below)."
    ready.press("Ctrl+Z")
    assert np.array_equal(mask(ready, "kidney_right"), before)
    assert ready.state("kidney_right") is ReviewState.APPROVED
    assert ready.flags("kidney_right") == flags


def test_a_neighbour_that_was_drawn_in_has_to_be_reviewed_again_and_comes_back_with_undo(ready):
    """Whoever chooses another segment in the editor's list, or lets strokes take voxels from others, changes it, too:
    what was approved is another shape then."""
    for name in ("kidney right", "spleen", "kidney left"):
        if "No remarks" in str(ready.groups()) and name not in ready.rows():
            ready.open_group("No remarks" if name == "kidney left" else "Cut by the scan")
        ready.click_row(name)
        ready.press("A")
    before = {each: mask(ready, each) for each in ready.node.GetSegmentation().GetSegmentIDs()}
    edit(ready, "kidney right")
    editor_node().SetOverwriteMode(OVERWRITE_ALL)
    editor_node().SetMaskMode(EVERYWHERE)
    taken = before["spleen"].copy()
    taken[:, :, : taken.shape[2] // 8] = False
    assert (taken & before["spleen"]).any() and not taken[before["kidney_left"]].any()
    editor().draw(taken)
    after = mask(ready, "spleen")
    assert after.any() and not np.array_equal(after, before["spleen"])
    go_back(ready)
    states = [ready.state(each) for each in ("kidney_right", "spleen", "kidney_left")]
    assert states == [ReviewState.EDITED, ReviewState.EDITED, ReviewState.APPROVED]
    assert ready.ui.hintLabel.text == "You also changed: spleen. Undo takes back all of it."
    ready.press("Ctrl+Z")
    assert all(np.array_equal(mask(ready, each), before[each]) for each in before)
    assert {ready.state(each) for each in ("kidney_right", "spleen", "kidney_left")} == {ReviewState.APPROVED}


def test_images_that_were_cut_to_other_boxes_are_compared_where_they_are():
    """After a stroke Slicer cuts the image that segments share to what is in it; most of these are as they were."""
    from TotalSegmentatorModuleLib.scene.segment_voxels import ImageVoxels

    before = np.zeros((6, 7, 8), np.uint8)
    before[1:3, 1:3, 1:3], before[4, 4, 4:6], before[5, 6, 7] = 1, 2, 3
    after = before.copy()
    after[4, 4, 5], after[5, 6, 7] = 0, 0
    cut = ImageVoxels(after[1:5, 1:5, 1:6], (11, 21, 31), np.eye(4))
    whole = ImageVoxels(before, (10, 20, 30), np.eye(4))
    assert whole.labels_that_differ(cut) == cut.labels_that_differ(whole) == {0, 2, 3}
    assert whole.labels_that_differ(ImageVoxels(before, (10, 20, 30), np.eye(4))) == set()
    assert whole.labels_that_differ(ImageVoxels(before[:1], (40, 20, 30), np.eye(4))) == {1, 2, 3}
    assert whole.labels_that_differ(ImageVoxels(before, (10, 20, 30), np.diag([2.0, 1, 1, 1]))) is None


def test_an_edit_of_another_structure_alone_is_undone_as_well(ready):
    edit(ready, "kidney right")
    before = mask(ready, "liver")
    editor().setCurrentSegmentID("liver")
    editor().erase(before)
    go_back(ready)
    assert ready.state("liver") is ReviewState.EDITED
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED
    ready.press("Ctrl+Z")
    assert np.array_equal(mask(ready, "liver"), before)
    assert ready.state("liver") is ReviewState.UNREVIEWED


def test_an_edit_that_is_taken_back_was_never_drawn(ready):
    """So that an export does not call it edited: this result has no digests that would tell."""
    from TotalSegmentatorModuleLib.scene.review_tags import segment_tags

    edit(ready, "kidney right")
    editor().erase(mask(ready, "kidney_right"))
    go_back(ready)
    ready.press("A")
    assert is_drawn(segment_tags(ready.segment("kidney_right")))
    ready.press("Ctrl+Z", "Ctrl+Z")
    assert mask(ready, "kidney_right").any()
    assert not is_drawn(segment_tags(ready.segment("kidney_right")))


def test_a_judgement_in_the_editor_counts(ready):
    edit(ready, "kidney right")
    editor().erase(mask(ready, "kidney_right"))
    ready.set_state("kidney_right", ReviewState.APPROVED)
    go_back(ready)
    assert ready.state("kidney_right") is ReviewState.APPROVED


def test_a_new_result_in_the_meantime_is_not_taken_for_an_edit(ready):
    edit(ready, "kidney right")
    ready.segment("kidney_right").SetTag("TotalSegmentatorModule.VoxelDigest", "of another result")
    editor().erase(mask(ready, "kidney_right"))
    ready.set_state("kidney_right", ReviewState.UNREVIEWED)
    go_back(ready)
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED
    assert not ready.ui.undoButton.enabled


@pytest.mark.parametrize("way", ["back", "third module", "scene closed", "module reloaded"])
def test_the_users_own_settings_of_the_editor_come_back(ready, way):
    node = editor_node()
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    node.SetMaskSegmentID("liver")
    node.SetOverwriteMode(OVERWRITE_ALL)
    node.SetSourceVolumeIntensityMaskRange(-5.0, 55.0)
    node.SetAttribute("BrushAbsoluteDiameter", "33")
    before = settings()
    edit(ready, "gallbladder")
    assert settings() != before
    if way == "back":
        go_back(ready)
    elif way == "third module":
        ready.app.leave_module()
    elif way == "scene closed":
        ready.panel.scene_closing()
    else:
        ready.user.widget = ready.app.reload_module()
    ready.settle()
    assert settings() == before
    assert not any("BeforeReview" in name for name in node.GetAttributeNames())


def test_a_scene_saved_in_the_middle_has_the_users_settings_when_it_is_read(ready, tmp_path):
    before = settings()
    edit(ready, "gallbladder")
    path = ready.app.save_scene(tmp_path)
    ready.app.load_scene(path, clear=True)
    assert settings() == before


def test_a_closed_panel_does_not_end_the_editing(ready):
    edit(ready, "gallbladder")
    ready.app.show_panel(False)
    ready.settle()
    ready.app.show_panel(True)
    ready.settle()
    assert bar_text(ready).startswith("Editing gallbladder.")
    assert editor_node().GetOverwriteMode() == OVERWRITE_NONE


@pytest.mark.parametrize(
    ("flags", "row", "effect", "parameters", "hu"),
    [
        (FLAGS, "gallbladder", "Paint", {"BrushSphere": "1", "BrushDiameterIsRelative": "0"}, None),
        ([STRAY], "kidney right", "Islands", {"Operation": "REMOVE_SELECTED_ISLAND"}, None),
        ([GAP], "aorta", "Paint", {"BrushSphere": "1"}, (-60.0, 140.0)),
    ],
    ids=["another shape", "stray piece", "gap in a vessel"],
)
def test_the_first_effect_fits_the_remark(reviewer, flags, row, effect, parameters, hu):
    reviewer.add_result(flags, count=8)
    edit(reviewer, row)
    active = editor().activeEffect()
    assert active.name == effect
    assert {name: active.parameter(name) for name in parameters} == parameters
    assert bool(editor_node().GetSourceVolumeIntensityMask()) is (hu is not None)
    if hu is not None:
        assert tuple(editor_node().GetSourceVolumeIntensityMaskRange()) == hu
        assert "Only -60 to 140 HU are changed" in bar_text(reviewer)


def test_the_brush_is_sized_in_mm_after_the_structure():
    from TotalSegmentatorModuleLib.editing.first_effect import first_effect
    from TotalSegmentatorModuleLib.tags.structure_measures import Measures

    sizes = [first_effect("liver", (), Measures(ml, 40.0, (0,) * 6)).brush_mm for ml in (0.1, 20.0, 1500.0)]
    assert sizes == [4.0, pytest.approx(11.2, abs=0.1), 20.0]
    assert first_effect("liver", (), None).brush_mm == 8.0


def test_the_table_of_first_effects_knows_its_rules_and_effects():
    from TotalSegmentatorModuleLib.editing.first_effect import effect_rows
    from TotalSegmentatorWire.tables.review_rules import RULES

    effects = set(editor().availableEffectNames())
    assert {row["effect"] for row in effect_rows()} <= effects
    assert {row["rule"] for row in effect_rows()} - {"*"} <= set(RULES)


def test_an_editor_that_cannot_be_opened_ends_the_editing(ready, monkeypatch):
    from TotalSegmentatorModuleLib.editing import section

    def fails(*_arguments) -> None:
        raise RuntimeError("no such segment")

    ready.click_row("gallbladder")
    before, ended = settings(), []
    ui = ready.user.ui
    editing = section.EditingSection(ui.edit_bar, ui.review.collapsibleButton, lambda *outcome: ended.append(outcome))
    monkeypatch.setattr(section, "open_on", fails)
    with pytest.raises(RuntimeError, match="no such segment"):
        editing.start(ready.node, ready.panel.review.contents[2][0])
    assert not editing.is_active and settings() == before and bar_text(ready) == ""
    assert ended == [(None,)]


def test_a_structure_that_was_just_removed_is_not_edited(ready):
    from TotalSegmentatorModuleLib.editing.section import EditingSection

    ready.click_row("gallbladder")
    row = ready.panel.review.contents[2][0]
    ready.node.GetSegmentation().RemoveSegment("gallbladder")
    editing = EditingSection(ready.user.ui.edit_bar, ready.ui.collapsibleButton, lambda *_outcome: None)
    editing.start(ready.node, row)
    assert not editing.is_active and bar_text(ready) == ""
