"""The largest piece alone, and a structure merged into its neighbour: repairs that no single remark asks for."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from panel_support import folders_of
from repair_support import TABLE, TAGS, VOXEL_ML, centre_of, labels_of, previews, wait_for_second_check, work_out
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ABSENT_TAG, ReviewState
from TotalSegmentatorWire.tables.structures import known_structures

LARGEST = "Keep only the largest piece"
SPINE = ("vertebrae_T9", "vertebrae_T10", "vertebrae_T11")


def add_spine(mender) -> dict[str, np.ndarray]:
    """Three vertebrae and the liver, with a remark on the middle one; returns their voxels."""
    labels = labels_of(*SPINE, "liver")
    place = centre_of(labels == TABLE["vertebrae_T10"])
    flag = Flag("vertebra_volume", Level.CHECK, "vertebrae_T10", ("vertebrae_T9",), place, {"ratio": 0.4})
    mender.add_phantom(labels, [flag, Flag("missing_between", Level.WRONG, "aorta", (), None)])
    return {name: mender.mask(name) for name in (*SPINE, "liver")}


def test_the_largest_piece_is_offered_where_there_are_several_and_undone(mender):
    liver, island = mender.add_with_island()
    before = mender.everything()
    mender.open_group("No remarks")
    mender.click_row("spleen")
    assert mender.more_repairs() == []
    work_out(mender, "liver", LARGEST)
    removed = island.sum() * VOXEL_ML
    assert mender.repair_ui.repairLabel.text.startswith(f"Liver: removes {removed:.1f} ml.")
    assert mender.everything() == before
    mender.app.click(mender.repair_ui.applyRepairButton)
    mender.settle()
    assert np.array_equal(mender.mask("liver"), liver)
    assert mender.state("liver") is ReviewState.EDITED
    wait_for_second_check(mender)
    assert mender.more_repairs() == []
    mender.press("Ctrl+Z")
    assert np.array_equal(mender.mask("liver"), liver | island)
    assert mender.more_repairs() == [LARGEST]


def test_a_vertebra_is_merged_into_its_neighbour_and_comes_back(mender):
    bones = add_spine(mender)
    before = mender.everything()
    mender.click_row("vertebrae T10")
    assert mender.more_repairs() == ["Merge into vertebrae T9", "Merge into vertebrae T11"]
    work_out(mender, "vertebrae T10", "Merge into vertebrae T9")
    text = mender.repair_ui.repairLabel.text
    moved = bones["vertebrae_T10"].sum() * VOXEL_ML
    assert text.startswith(f"Vertebrae T9: adds {moved:.1f} ml. Segment that goes, with all its voxels: vertebrae T10.")
    assert mender.everything() == before
    assert len(previews()) == 1

    mender.app.click(mender.repair_ui.applyRepairButton)
    mender.settle()
    assert previews() == []
    assert mender.segment("vertebrae_T10") is None
    assert mender.chosen == "vertebrae T9"
    assert np.array_equal(mender.mask("vertebrae_T9"), bones["vertebrae_T9"] | bones["vertebrae_T10"])
    assert np.array_equal(mender.mask("vertebrae_T11"), bones["vertebrae_T11"])
    assert mender.state("vertebrae_T9") is ReviewState.EDITED
    assert mender.node.GetSegmentation().GetNumberOfLayers() == 1
    assert "missing: aorta" in mender.rows()
    assert mender.app.wait_until(lambda: not folders_of("jobs"), READY_SECONDS)
    mender.settle()

    mender.press("Ctrl+Z")
    mender.settle()
    after = mender.everything()
    assert list(after) == list(before)
    before["liver"][2][TAGS.index(ABSENT_TAG)] = ""  # the check has found that nothing is missing
    assert {each: values[:3] for each, values in after.items()} == {each: values[:3] for each, values in before.items()}
    assert all(np.array_equal(mender.mask(name), mask) for name, mask in bones.items())
    assert mender.chosen == "vertebrae T10"


def test_overlapping_layers_are_merged_without_a_loss_to_others(mender):
    bones = add_spine(mender)
    drawn = bones["vertebrae_T10"] | bones["liver"]  # reaches into the liver, as a layer of its own
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn.astype(np.uint8), mender.node, "vertebrae_T10", mender.ct)
    mender.settle()
    work_out(mender, "vertebrae T10", "Merge into vertebrae T11")
    mender.app.click(mender.repair_ui.applyRepairButton)
    mender.settle()
    assert np.array_equal(mender.mask("vertebrae_T11"), bones["vertebrae_T11"] | drawn)
    assert np.array_equal(mender.mask("liver"), bones["liver"])
    mender.press("Ctrl+Z")
    mender.settle()
    masks = {name: mender.mask(name) for name in bones}
    assert np.array_equal(masks.pop("vertebrae_T10"), drawn)
    assert all(np.array_equal(mask, bones[name]) for name, mask in masks.items())


def test_the_table_of_kinds_names_structures():
    from TotalSegmentatorModuleLib.repair.row_repairs import same_kind

    assert set(same_kind()) <= set(known_structures())
    assert set(same_kind()["lung_middle_lobe_right"]) == {"lung_upper_lobe_right", "lung_lower_lobe_right"}
