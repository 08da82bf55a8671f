"""Repairs that the real program works out: previewed, applied, undone and cancelled by clicks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from panel_support import folders_of
from repair_support import (
    TABLE,
    TAGS,
    VOXEL_ML,
    centre_of,
    labels_of,
    largest_piece,
    nodes,
    previews,
    wait_for_second_check,
    work_out,
)
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ABSENT_TAG, ReviewState


@pytest.fixture
def reviewer(mender):
    return mender


@pytest.fixture
def with_island(reviewer):
    return reviewer.add_with_island()


def test_a_repair_comes_into_sight_and_leads_on_to_the_next_fault(reviewer):
    evidence = {"volume_ml": 2, "distance_mm": 6}
    reviewer.add_with_island(Flag("second_opinion", Level.CHECK, "spleen", (), None, evidence))
    reviewer.app.resize_window(1024, 700)
    work_out(reviewer, "liver", "Remove...")
    apply = reviewer.repair_ui.applyRepairButton
    assert reviewer.app.wait_until(lambda: not apply.visibleRegion().isEmpty(), 5)
    reviewer.app.focus(apply)
    reviewer.app.click(apply)  # and it is hidden
    assert slicer.app.focusWidget() is reviewer.tree
    wait_for_second_check(reviewer)
    assert reviewer.chosen == "liver"
    assert "liver" in reviewer.rows()  # below a heading that was closed
    reviewer.app.press("N")
    assert reviewer.chosen == "spleen"


def test_an_island_is_previewed_removed_and_brought_back(reviewer, with_island):
    liver, island = with_island
    before = reviewer.everything()
    work_out(reviewer, "liver", "Remove...")
    removed = island.sum() * VOXEL_ML
    assert reviewer.repair_ui.repairLabel.text == (
        f"Liver: removes {removed:.1f} ml. The coloured outline shows the outcome."
    )
    assert reviewer.everything() == before
    assert np.allclose(reviewer.slice_centre(), centre_of(island), atol=2.1)  # its middle voxel
    (preview,) = previews()
    assert not preview.GetSaveWithScene() and not preview.GetDisplayNode().GetSaveWithScene()
    (segment_id,) = preview.GetSegmentation().GetSegmentIDs()
    outlined = slicer.util.arrayFromSegmentBinaryLabelmap(preview, segment_id, reviewer.ct)
    assert np.array_equal(outlined.astype(bool), liver)
    assert preview.GetDisplayNode().GetVisibility2DOutline() and not preview.GetDisplayNode().GetVisibility2DFill()

    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.settle()
    assert previews() == []
    assert np.array_equal(reviewer.mask("liver"), liver)
    assert reviewer.state("liver") is ReviewState.EDITED
    assert reviewer.state("spleen") is ReviewState.UNREVIEWED
    assert reviewer.remarks()[0].startswith("Changed, not checked again: liver has stray pieces")

    wait_for_second_check(reviewer)
    assert not any("stray pieces" in each for each in reviewer.remarks())
    mean_hu = slicer.util.arrayFromVolume(reviewer.ct)[liver].mean()
    assert reviewer.cells("liver")[3:5] == [f"{liver.sum() * VOXEL_ML:.0f}", f"{mean_hu:.0f}"]  # measured again, too

    reviewer.press("Ctrl+Z")
    reviewer.settle()
    assert np.array_equal(reviewer.mask("liver"), liver | island)
    assert reviewer.state("liver") is ReviewState.UNREVIEWED
    assert reviewer.repair_buttons() == ["Remove..."]
    after = reviewer.everything()
    assert {each: values[:3] for each, values in after.items()} == {each: values[:3] for each, values in before.items()}
    assert reviewer.app.wait_until(lambda: not folders_of("jobs"), READY_SECONDS)


@pytest.mark.parametrize("way", ["cancel", "another row", "module left", "while it works"])
def test_what_is_cancelled_leaves_nothing(reviewer, with_island, way):
    before, nodes_before = reviewer.everything(), nodes()
    if way == "while it works":
        reviewer.click_row("liver")
        reviewer.click_repair("Remove...")
        assert reviewer.repair_ui.repairLabel.text.startswith("Working out")
    else:
        work_out(reviewer, "liver", "Remove...")
        assert len(previews()) == 1
    if way == "another row":
        reviewer.open_group("No remarks")
        reviewer.click_row("spleen")
    elif way == "module left":
        reviewer.app.leave_module()
    else:
        reviewer.app.click(reviewer.repair_ui.cancelRepairButton)
    assert not reviewer.repair_ui.repairFrame.visible
    assert reviewer.app.wait_until(lambda: not folders_of("jobs"), READY_SECONDS)
    reviewer.settle()
    assert not reviewer.repair_ui.repairFrame.visible
    assert previews() == []
    assert nodes() == nodes_before
    assert reviewer.everything() == before
    assert not reviewer.ui.undoButton.enabled


def test_a_repair_under_a_transform_of_both_is_at_the_same_voxels(reviewer, with_island):
    liver, island = with_island
    moved = np.eye(4)
    moved[:3, 3] = (20.0, -30.0, 40.0)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(moved))
    for node in (reviewer.ct, reviewer.node):
        node.SetAndObserveTransformNodeID(transform.GetID())
    reviewer.settle()
    work_out(reviewer, "liver", "Remove...")
    assert np.allclose(reviewer.slice_centre(), np.add(centre_of(island), moved[:3, 3]), atol=2.1)
    assert previews()[0].GetParentTransformNode() is transform
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    assert np.array_equal(reviewer.mask("liver"), liver)


def test_swapped_vertebrae_are_checked_again_after_the_repair(reviewer):
    reviewer.add_swapped()
    before = reviewer.everything()
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    assert reviewer.chosen == "vertebrae T11"  # the bone that was looked at
    reviewer.click_row("vertebrae T10")
    assert reviewer.remarks()[0].startswith("Changed, not checked again")
    wait_for_second_check(reviewer)
    assert reviewer.chosen == "vertebrae T10"
    reviewer.press("A")
    assert reviewer.state("vertebrae_T10") is ReviewState.APPROVED
    assert not any("swapped" in tag for values in reviewer.everything().values() for tag in values[2])
    reviewer.press("Ctrl+Z")
    reviewer.press("Ctrl+Z")
    before["liver"][2][TAGS.index(ABSENT_TAG)] = ""  # the check has found that nothing is missing
    assert reviewer.everything() == before


def test_a_second_check_that_comes_too_late_gives_way_to_one_of_what_is_there(reviewer):
    reviewer.add_swapped()
    before = {name: (title, voxels) for name, (title, _colour, _tags, voxels) in reviewer.everything().items()}
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    assert folders_of("jobs") or reviewer.app.wait_until(lambda: folders_of("jobs"), READY_SECONDS)
    reviewer.press("Ctrl+Z")
    assert reviewer.app.wait_until(lambda: not folders_of("jobs"), READY_SECONDS)
    reviewer.settle()
    after = {name: (title, voxels) for name, (title, _colour, _tags, voxels) in reviewer.everything().items()}
    assert after == before
    assert reviewer.flags("vertebrae_T10").startswith('[{"rule":"vertebrae_swapped"')


def test_what_was_drawn_meanwhile_is_not_lost(reviewer, with_island):
    liver, _island = with_island
    work_out(reviewer, "liver", "Remove...")
    drawn = liver.copy()
    drawn[:, :10] = False
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn.astype(np.uint8), reviewer.node, "liver", reviewer.ct)
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    assert reviewer.repair_ui.repairLabel.text == "The segmentation has changed meanwhile. Choose the repair again."
    assert np.array_equal(reviewer.mask("liver"), drawn)
    assert previews() == []


def test_a_piece_becomes_the_segment_that_was_missing(reviewer):
    labels = labels_of("vertebrae_T10", "vertebrae_T11", "vertebrae_T12")
    eleventh, twelfth = labels == TABLE["vertebrae_T11"], labels == TABLE["vertebrae_T12"]
    tenth = labels == TABLE["vertebrae_T10"]
    labels[eleventh] = TABLE["vertebrae_T10"]
    flag = Flag(
        "vertebra_double", Level.WRONG, "vertebrae_T10", ("vertebrae_T11",), centre_of(eleventh), {"volume_ml": 9.0}
    )
    reviewer.add_phantom(labels, [flag])
    work_out(reviewer, "vertebrae T10", "Move...")
    assert "Vertebrae T11: adds" in reviewer.repair_ui.repairLabel.text
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.settle()
    assert np.array_equal(reviewer.mask("vertebrae_T11"), eleventh)
    assert np.array_equal(reviewer.mask("vertebrae_T10"), tenth)
    assert np.array_equal(reviewer.mask("vertebrae_T12"), twelfth)
    reviewer.press("Ctrl+Z")
    reviewer.settle()
    assert reviewer.segment("vertebrae_T11") is None
    assert np.array_equal(reviewer.mask("vertebrae_T10"), tenth | eleventh)


def aorta_of(reviewer, missing_planes: int) -> tuple[np.ndarray, np.ndarray]:
    """The aorta in one piece but for a gap in its middle, under review; returns it whole, and what is missing."""
    aorta = largest_piece(labels_of("aorta") > 0)
    planes = np.flatnonzero(aorta.any(axis=(1, 2)))
    first = planes[len(planes) // 2]
    missing = aorta.copy()
    missing[:first], missing[first + missing_planes :] = False, False
    labels = labels_of("liver", "inferior_vena_cava", "vertebrae_T12")
    labels[aorta & ~missing] = TABLE["aorta"]
    place = centre_of(missing) if missing_planes else centre_of(aorta)
    evidence = {"gap_mm": 4 * missing_planes, "volume_ml": 3.0}
    reviewer.add_phantom(labels, [Flag("tube_gap", Level.WRONG, "aorta", (), place, evidence)])
    return aorta, missing


def test_a_gap_is_bridged_with_the_ct(reviewer):
    _aorta, missing = aorta_of(reviewer, 5)
    before = reviewer.mask("aorta")
    others = [reviewer.mask(each) for each in ("liver", "inferior_vena_cava", "vertebrae_T12")]
    work_out(reviewer, "aorta", "Bridge...")
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.settle()
    added = reviewer.mask("aorta") & ~before
    assert 2 * (added & missing).sum() / (added.sum() + missing.sum()) > 0.8
    now = [reviewer.mask(each) for each in ("liver", "inferior_vena_cava", "vertebrae_T12")]
    assert all(np.array_equal(one, other) for one, other in zip(others, now, strict=True))
    reviewer.press("Ctrl+Z")
    assert np.array_equal(reviewer.mask("aorta"), before)


def test_a_repair_that_fails_says_why(reviewer):
    aorta_of(reviewer, 0)
    before = reviewer.everything()
    work_out(reviewer, "aorta", "Bridge...")
    assert reviewer.repair_ui.repairLabel.text == (
        "The structure is in one piece: there is no gap to bridge. Correct the structure in the Segment Editor if "
        "something is missing. (REPAIR_NO_GAP)"
    )
    assert not reviewer.repair_ui.applyRepairButton.visible
    assert reviewer.everything() == before
    assert reviewer.repair_ui.cancelRepairButton.text == "Close"
    reviewer.app.click(reviewer.repair_ui.cancelRepairButton)
    assert not reviewer.repair_ui.repairFrame.visible


def test_a_preview_goes_with_the_scene(reviewer, with_island):
    work_out(reviewer, "liver", "Remove...")
    slicer.mrmlScene.Clear(0)
    reviewer.settle()
    assert previews() == []
    assert not reviewer.repair_ui.repairFrame.visible
