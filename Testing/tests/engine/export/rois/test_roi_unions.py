"""Unions that planning uses: what they are made of, when they are only a part, in which state, and with which codes."""

from __future__ import annotations

import numpy as np
import pytest
from roi_plan_support import (
    AT_LAST_SLICE,
    NOWHERE,
    TABLES,
    Block,
    names,
    placed,
    planned,
    warnings,
)
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import structure_table

LEFT_LUNG = ("lung_upper_lobe_left", "lung_lower_lobe_left")
RIGHT_LUNG = ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right")
CHAMBERS = tuple(row.name for row in structure_table("structures_104") if row.name.startswith("heart_"))
APPROVED, EDITED = ReviewState.APPROVED, ReviewState.EDITED
UNREVIEWED, REJECTED = ReviewState.UNREVIEWED, ReviewState.REJECTED


def test_union_has_the_voxels_of_its_parts_and_says_that_it_was_constructed():
    plan = planned(*LEFT_LUNG, *RIGHT_LUNG, template=["Lung_L", "Lung_R", "Lungs"])
    assert names(plan) == ["Lung_L", "Lung_R", "Lungs"]
    left, right, both = plan.rois
    assert left.sources == LEFT_LUNG and both.sources == LEFT_LUNG + RIGHT_LUNG
    assert all(roi.is_constructed for roi in plan.rois)
    assert both.description == "Constructed of 5; 104-1.5mm, TotalSegmentatorModule 0.1.0"
    segmentation = placed(*LEFT_LUNG, *RIGHT_LUNG)
    whole = np.logical_or.reduce([segmentation.mask(segment).whole() for segment in segmentation.segments])
    np.testing.assert_array_equal(both.voxels().whole(), whole)
    assert left.voxels().count + right.voxels().count == both.voxels().count
    assert (both.codes.type.meaning, both.codes.modifier.value, both.codes.fma.value) == ("Lung", "51440002", "68877")


def test_heart_is_the_label_of_117_classes_or_made_of_the_chambers_of_104():
    heart = planned(Block("heart", table="structures_117"), template=["Heart"]).rois[0]
    assert heart.name == "Heart" and not heart.is_constructed and "Constructed" not in heart.description
    made = planned(*CHAMBERS, template=["Heart"]).rois[0]
    assert made.name == "Heart" and made.sources == CHAMBERS
    assert made.description.startswith("Constructed of 5; ")
    assert made.codes == heart.codes and heart.codes.fma.value == "7088"
    assert made.colour == heart.colour


def test_union_with_a_cut_part_is_cut():
    plan = planned(Block(LEFT_LUNG[0]), Block(LEFT_LUNG[1], AT_LAST_SLICE), *RIGHT_LUNG, template=["Lung_L", "Lungs"])
    assert names(plan) == ["Lung~_L", "Lungs~"]


@pytest.mark.parametrize("missing", [None, Block("lung_middle_lobe_right", NOWHERE)])
def test_union_without_one_of_its_parts_is_marked_as_a_part(missing):
    """Nobody can distinguish a lobe that was resected from one that was not found."""
    blocks = [Block(name) for name in (*LEFT_LUNG, RIGHT_LUNG[0], RIGHT_LUNG[2])] + ([missing] if missing else [])
    plan = planned(*blocks, template=["Lung_R", "Lungs"])
    assert names(plan) == ["Lung~_R", "Lungs~"]
    assert [roi.description.split(";")[0] for roi in plan.rois] == ["Constructed of 2 of 3", "Constructed of 4 of 5"]


@pytest.mark.parametrize(
    ("blocks", "pair"),
    [
        (LEFT_LUNG, "Lungs"),
        (("kidney_right",), "Kidneys"),
        (("kidney_right", Block("kidney_left", NOWHERE)), "Kidneys"),
        (("femur_left",), "Femurs"),
    ],
)
def test_pair_of_which_one_side_is_missing_stays_out(blocks, pair):
    plan = planned(*blocks, "liver", template=[pair, "Liver"])
    assert names(plan) == ["Liver"]
    assert warnings(plan)["EXPORT_TEMPLATE_ABSENT"]["count"] == 1


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (("approved", "approved"), APPROVED),
        (("approved", "edited"), EDITED),
        (("approved", None), UNREVIEWED),
        (("edited", None), UNREVIEWED),
        (("approved", "needs-attention"), ReviewState.NEEDS_ATTENTION),
        (("approved", "a state of a later version"), UNREVIEWED),
    ],
)
def test_union_is_in_the_worst_state_of_its_parts(states, state):
    blocks = [Block(name, state=each) for name, each in zip(("kidney_left", "kidney_right"), states, strict=True)]
    assert planned(*blocks, template=["Kidneys"]).rois[0].review_state is state


def test_rejected_part_keeps_the_whole_union_out():
    blocks = (Block("kidney_left", state="rejected"), Block("kidney_right", state="approved"))
    plan = planned(*blocks, template=["Kidneys", "*"])
    assert names(plan) == ["Kidney_R"]
    assert warnings(plan)["EXPORT_REJECTED_LEFT_OUT"]["count"] == 2
    every = planned(*blocks, template=["Kidneys", "*"], states={APPROVED, REJECTED})
    assert names(every) == ["Kidneys", "Kidney_L", "Kidney_R"] and every.rois[0].review_state is REJECTED


@pytest.mark.parametrize(
    ("edited", "drawn", "algorithm"),
    [([], False, "AUTOMATIC"), (["kidney_left"], False, "SEMIAUTOMATIC"), ([], True, "SEMIAUTOMATIC")],
)
def test_union_with_an_edited_or_drawn_part_is_semiautomatic(edited, drawn, algorithm):
    tags = {"DICOM.SegmentAlgorithmType": "MANUAL"} if drawn else {}
    plan = planned(Block("kidney_left", tags=tags), "kidney_right", edited=edited, template=["Kidneys"])
    assert plan.rois[0].algorithm == algorithm


def test_union_of_a_user_takes_its_codes_from_a_pair_and_none_from_different_structures():
    plan = planned(
        "hip_left",
        "hip_right",
        "colon",
        "small_bowel",
        template=[
            {"name": "Hips", "union_of": ["hip*"]},
            {"name": "Bowel", "union_of": ["colon", "small_bowel"]},
            {"name": "Bowel_Bones", "union_of": ["Hips", "colon"]},
        ],
    )
    hips, bowel, part = plan.rois
    assert (hips.codes.type.meaning, hips.codes.modifier.value, hips.codes.fma) == ("Hip", "51440002", None)
    assert bowel.codes is None and bowel.colour == TABLES["structures_104"]["colon"].colour
    assert part.name == "Bowel_Bones~", "a union of a template is no part of another one"


def test_parts_that_were_not_chosen_are_not_in_a_union():
    plan = planned(*LEFT_LUNG, template=["Lung_L"], structures=[LEFT_LUNG[0]])
    assert names(plan) == ["Lung~_L"] and plan.rois[0].sources == LEFT_LUNG[:1]
    plan = planned("liver", "spleen", template=["Liver", "Spleen"], structures=["liver"])
    assert names(plan) == ["Liver"] and "EXPORT_TEMPLATE_ABSENT" not in warnings(plan)


def test_part_that_a_union_names_twice_is_one():
    plan = planned("colon", "small_bowel", template=[{"name": "Bowel", "union_of": ["colon", "*bowel", "col*"]}])
    assert plan.rois[0].sources == ("colon", "small_bowel")
    assert plan.rois[0].description.startswith("Constructed of 2;")


def test_template_changes_what_a_standard_union_is_called_and_means():
    line = {"source": "Kidneys", "name": "Nieren", "colour": "#010203", "interpreted_type": "AVOIDANCE"}
    codes = {"type": "SCT^64033007^Kidney"}
    one, other = planned("kidney_left", "kidney_right", template=[line, {"source": "Kidneys", "codes": codes}]).rois
    assert (one.name, one.colour, one.interpreted_type) == ("Nieren", (1, 2, 3), "AVOIDANCE")
    assert one.codes.modifier.value == "51440002"
    assert (other.name, other.codes.modifier, other.interpreted_type) == ("Kidneys", None, "ORGAN")
