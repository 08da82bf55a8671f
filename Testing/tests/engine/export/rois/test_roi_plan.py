"""What goes out: which structures, in which order, under which names and as what; what stays out, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
from roi_plan_support import (
    AT_FIRST_SLICE,
    AT_LAST_SLICE,
    AT_LEFT_BORDER,
    NOWHERE,
    SHAPE,
    Block,
    names,
    placed,
    planned,
    warnings,
)
from TotalSegmentatorEngine.export.core.codes import Code
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import structure_table

LEFT_LUNG = ("lung_upper_lobe_left", "lung_lower_lobe_left")
RIGHT_LUNG = ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right")
APPROVED, EDITED = ReviewState.APPROVED, ReviewState.EDITED
REJECTED = ReviewState.REJECTED


def refusal(*blocks, **choice) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        planned(*blocks, **choice)
    return caught.value


def body() -> VoxelMask:
    return VoxelMask.cropped(np.ones(SHAPE, bool))


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_every_structure_goes_out_with_its_voxels_under_its_tg263_name():
    plan = planned("liver", "kidney_left", "vertebrae_T9", "iliopsoas_left")
    assert names(plan) == ["Liver", "Kidney_L", "VB_T09", "Musc_Iliopsoas_L"]
    assert [roi.number for roi in plan.rois] == [1, 2, 3, 4]
    segmentation = placed("liver", "kidney_left", "vertebrae_T9", "iliopsoas_left")
    for roi, segment in zip(plan.rois, segmentation.segments, strict=True):
        assert roi.sources == (segment.id,) and roi.colour == segment.colour
        np.testing.assert_array_equal(roi.voxels().whole(), segmentation.mask(segment).whole())
        assert not roi.is_cut and not roi.is_constructed


@pytest.mark.parametrize("table", ["structures_104", "structures_117"])
def test_all_names_of_both_models_fit_a_planning_system_cut_or_not(table):
    rows = structure_table(table)
    for start in range(0, len(rows), 25):
        for place in (AT_LAST_SLICE, "inside"):
            some = [Block(row.name, place, table=table) for row in rows[start : start + 25]]
            plan = planned(*some)
            assert all(len(name) <= 16 and ("~" in name) == (place == AT_LAST_SLICE) for name in names(plan))
            assert "EXPORT_NAMES_CHANGED" not in warnings(plan)


def test_own_names_can_be_chosen():
    plan = planned("kidney_left", Block("liver", AT_FIRST_SLICE), "My PTV", names="own")
    assert names(plan) == ["kidney left", "liver~", "My PTV"]


def test_long_and_repeated_names_are_told():
    plan = planned("a name that is too long for some", "twice", "twice", "short", names="own")
    assert names(plan) == ["a name that is t", "twice", "twice_2", "short"]
    changed = "a name that is too long for some as a name that is t, twice as twice_2"
    assert warnings(plan)["EXPORT_NAMES_CHANGED"] == {"names": changed, "count": 2, "longest": 16}
    longer = planned("a name that is too long for some", "short", names="own", longest_name=64)
    assert names(longer)[0] == "a name that is too long for some"
    assert "EXPORT_NAMES_CHANGED" not in warnings(longer)


def test_warning_about_names_says_how_long_they_can_be():
    plan = planned("twice", "twice")
    said = {problem.code: problem.what for problem in plan.warnings}["EXPORT_NAMES_CHANGED"]
    assert said == "Names were shortened to 16 characters or numbered to be unique: twice as twice_2."


def test_renamed_structure_keeps_the_name_that_somebody_gave_it():
    """What is left of a liver when a tumour was cut out of it must not go out as the liver, nor make up a union."""
    plan = planned(Block("liver", segment_name="liver-GTV"), Block("kidney_left", segment_name="Left kidney"))
    assert names(plan) == ["liver-GTV", "Kidney_L"]
    pair = planned(Block("kidney_left", segment_name="kidney left old"), "kidney_right", template=["Kidneys", "*"])
    assert names(pair) == ["kidney left old", "Kidney_R"]
    line = {"source": "liver", "name": "Liver"}
    assert refusal(Block("liver", segment_name="liver-GTV"), template=[line]).code == "EXPORT_TEMPLATE_EMPTY"


def test_drawn_structure_with_a_name_of_tg263_gets_its_spelling():
    assert names(planned("spinal cord", Block("parotid L", AT_FIRST_SLICE))) == ["SpinalCord", "Parotid~_L"]


# -- who made it -------------------------------------------------------------------------------------------------------


def test_algorithm_says_who_made_a_structure():
    """PS3.3 C.8.8.5: AUTOMATIC until somebody edits it."""
    drawn = Block("Scar", tags={"DICOM.SegmentAlgorithmType": "MANUAL"})
    imported = Block("Tumor", tags={"DICOM.SegmentAlgorithmType": "AUTOMATIC", "DICOM.SegmentAlgorithmName": "Other"})
    plan = planned("liver", "spleen", Block("colon", state="edited"), drawn, imported, edited=["spleen"])
    algorithms = {roi.name: roi.algorithm for roi in plan.rois}
    assert algorithms == {
        "Liver": "AUTOMATIC",
        "Spleen": "SEMIAUTOMATIC",
        "Colon": "SEMIAUTOMATIC",
        "Scar": "MANUAL",
        "Tumor": "AUTOMATIC",
    }
    by_name = {roi.name: roi for roi in plan.rois}
    assert by_name["Liver"].description == "104-1.5mm, TotalSegmentatorModule 0.1.0"
    assert by_name["Liver"].algorithm_name == "TotalSegmentatorModule 104-1.5mm"
    assert (by_name["Scar"].description, by_name["Scar"].algorithm_name) == ("Drawn by hand", "")
    assert (by_name["Tumor"].description, by_name["Tumor"].algorithm_name) == ("Other", "Other")


def test_nobody_is_said_to_have_made_what_anybody_can_have_made():
    """A label image has no tags; Slicer gives a terminology to what is drawn and to what other extensions find."""
    tissue = {"TerminologyEntry": "a~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~b~^^~^^"}
    blocks = (Block("liver", own_tags=False), Block("Mask"), Block("spleen", own_tags=False, tags=tissue))
    made = [(roi.algorithm, roi.algorithm_name, roi.description) for roi in planned(*blocks).rois]
    assert made == [("", "", "Origin unknown")] * 3


@pytest.mark.parametrize(
    ("others", "algorithm"), [("", ""), ("AUTOMATIC", ""), ("MANUAL", ""), ("SEMIAUTOMATIC", "SEMIAUTOMATIC")]
)
def test_union_with_a_part_of_unknown_origin(others: str, algorithm: str):
    known = Block("kidney_right", own_tags=False, tags={"DICOM.SegmentAlgorithmType": others})
    plan = planned(Block("kidney_left", own_tags=False), known, template=["Kidneys"])
    assert (plan.rois[0].algorithm, bool(plan.rois[0].algorithm_name)) == (algorithm, bool(algorithm))


def test_a_name_that_says_that_the_structure_is_cut_keeps_its_sign():
    plan = planned(Block("Liver~"), Block("kidney_left", segment_name="Kidney~_L"), Block("Lung~_R"), Block("Odd~name"))
    assert names(plan) == ["Liver~", "Kidney~_L", "Lung~_R", "Odd~name"]
    assert [roi.is_cut for roi in plan.rois] == [True, True, True, False]


def test_model_alone_makes_a_structure_automatic():
    tags = {"TotalSegmentatorModule.Model": "117-3mm"}
    roi = planned(Block("liver", own_tags=False, tags=tags)).rois[0]
    assert (roi.algorithm, roi.algorithm_name) == ("AUTOMATIC", "TotalSegmentatorModule 117-3mm")


def test_descriptions_have_at_most_64_characters():
    tags = {"TotalSegmentatorModule.Model": "a-model-of-a-user-with-a-name-that-is-longer-than-it-should-be"}
    blocks = [Block(name, tags=tags) for name in LEFT_LUNG]
    plan = planned(*blocks, template=["Lung_L", "*"])
    for roi in plan.rois:
        assert len(roi.description) <= 64 and len(roi.algorithm_name) <= 64
    assert plan.rois[0].description.startswith("Constructed of 2; a-model")
    assert all(roi.description.endswith("0.1.0") for roi in plan.rois)


# -- codes -------------------------------------------------------------------------------------------------------------


def test_codes_come_from_the_terminology_with_the_number_of_the_table():
    kidney, cyst = planned("kidney_left", Block("kidney_cyst_left", table="structures_117")).rois
    assert kidney.codes.type == Code("SCT", "64033007", "Kidney")
    assert kidney.codes.modifier == Code("SCT", "7771000", "Left")
    assert kidney.codes.fma == Code("FMA", "7205", "Kidney left")
    assert cyst.codes.region == Code("SCT", "64033007", "Kidney") and cyst.codes.fma is None


def test_changed_terminology_is_believed_and_has_no_number():
    entry = "Master list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
    codes = planned(Block("kidney_left", tags={"TerminologyEntry": entry})).rois[0].codes
    assert (codes.type.value, codes.modifier, codes.fma) == ("10200004", None, None)


@pytest.mark.parametrize("entry", ["", "nonsense", "a~b~c~d~e~f~g", "a~SCT^1^x~SCT^^y~^^~b~^^~^^"])
def test_damaged_terminology_gives_way_to_the_table(entry):
    assert planned(Block("liver", tags={"TerminologyEntry": entry})).rois[0].codes.type.value == "10200004"
    assert planned(Block("Scar", tags={"TerminologyEntry": entry})).rois[0].codes is None


# -- interpreted types -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "kind"),
    [
        ("PTV_60", "PTV"),
        ("gtv primary", "GTV"),
        ("CTVn", "CTV"),
        ("Bolus 5mm", "BOLUS"),
        ("Body", "EXTERNAL"),
        ("Scar", "ORGAN"),
        ("my ptv", "ORGAN"),
    ],
)
def test_interpreted_type_follows_the_name_of_what_somebody_drew(drawn, kind):
    plan = planned("liver", drawn)
    assert {roi.interpreted_type for roi in plan.rois if roi.name != "Liver"} == {kind}
    assert {roi.interpreted_type for roi in planned(drawn, template=["*"]).rois} == {kind}


def test_targets_go_out_first():
    assert names(planned("liver", "PTV_60", "spleen", "GTV")) == ["GTV", "PTV_60", "Liver", "Spleen"]


def test_union_of_targets_is_a_target():
    lines = [
        {"name": "PTV_All", "union_of": ["ptv*"]},
        {"name": "zRing", "union_of": ["*"], "interpreted_type": "CONTROL"},
    ]
    plan = planned("PTV_60", "PTV_50", "liver", template=lines)
    assert [roi.interpreted_type for roi in plan.rois] == ["PTV", "CONTROL"]


def test_structures_of_a_preview_are_warned_of():
    plan = planned(Block("liver", tags={"TotalSegmentatorModule.Preview": "1"}), "spleen")
    assert warnings(plan)["EXPORT_PREVIEW"]["names"] == "Liver"
    assert "EXPORT_PREVIEW" not in warnings(planned("liver"))


# -- the body outline --------------------------------------------------------------------------------------------------


def test_body_outline_goes_out_first_and_is_never_cut():
    plan = planned(Block("liver", AT_FIRST_SLICE), external=True, outline=body)
    assert names(plan) == ["Body", "Liver~"] and [roi.number for roi in plan.rois] == [1, 2]
    outline = plan.rois[0]
    assert (outline.interpreted_type, outline.algorithm, outline.is_cut) == ("EXTERNAL", "AUTOMATIC", False)
    assert outline.sources == () and outline.voxels().count == np.prod(SHAPE)
    assert outline.codes.type.value == "38266002"
    assert warnings(plan)["EXPORT_CUT"] == {"names": "Liver~", "count": 1}
    assert warnings(plan)["EXPORT_UNREVIEWED"] == {"names": "Liver~", "unreviewed": 1, "edited": 0}


def test_body_outline_is_made_only_when_it_is_written():
    def never() -> VoxelMask:
        raise AssertionError("the outline was made")

    assert names(planned("liver", external=True, outline=never))[0] == "Body"


def test_outline_without_a_ct_is_refused():
    assert refusal("liver", external=True).code == "EXPORT_NO_BODY"
    assert names(planned("liver", "Body", external=True)) == ["Body", "Liver"]


def test_drawn_outline_takes_the_place_of_the_made_one():
    """Planning systems take one EXTERNAL."""
    plan = planned("liver", "External", external=True, outline=body)
    assert [(roi.name, roi.interpreted_type) for roi in plan.rois] == [("External", "EXTERNAL"), ("Liver", "ORGAN")]
    rejected = planned("liver", Block("External", state="rejected"), external=True, outline=body)
    assert names(rejected) == ["Body", "Liver"]


def test_outline_does_not_take_the_name_of_a_structure():
    lines = [{"source": "body", "interpreted_type": "AVOIDANCE"}]
    plan = planned("Body", template=lines, external=True, outline=body)
    assert [(roi.name, roi.interpreted_type) for roi in plan.rois] == [("Body_2", "EXTERNAL"), ("Body", "AVOIDANCE")]


def test_outline_alone_can_be_chosen_but_does_not_stand_in_for_empty_structures():
    assert names(planned("liver", structures=[], external=True, outline=body)) == ["Body"]
    assert refusal(Block("liver", NOWHERE), external=True, outline=body).code == "EXPORT_SEGMENT_EMPTY"


# -- cut structures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [AT_FIRST_SLICE, AT_LAST_SLICE, AT_LEFT_BORDER])
def test_structure_at_the_border_is_cut(place):
    plan = planned(Block("femur_left", place), "liver")
    assert names(plan) == ["Femur~_L", "Liver"]
    assert [roi.is_cut for roi in plan.rois] == [True, False]
    assert warnings(plan)["EXPORT_CUT"] == {"names": "Femur~_L", "count": 1}


# -- what was chosen ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "source"),
    [
        ("kidney_left", "kidney_left"),
        ("Kidney_L", "kidney_left"),
        ("kidney left", "kidney_left"),
        ("KIDNEY LEFT", "kidney_left"),
        ("scar of a wound", "Segment_9"),
        ("Segment_9", "Segment_9"),
    ],
)
def test_structure_is_chosen_by_id_structure_tg263_or_own_name(asked, source):
    plan = planned("liver", "kidney_left", Block("Scar of a wound", id="Segment_9"), structures=[asked])
    assert [roi.sources for roi in plan.rois] == [(source,)]
    (roi,) = plan.rois
    assert warnings(plan) == {"EXPORT_UNREVIEWED": {"names": roi.name, "unreviewed": 1, "edited": 0}}


def test_id_that_is_another_ones_name_means_the_id():
    plan = planned(Block("liver", id="Segment_1"), Block("Segment_1", id="Segment_2"), structures=["Segment_1"])
    assert [roi.sources for roi in plan.rois] == [("Segment_1",)]


def test_union_can_be_chosen_by_name_and_takes_its_parts_from_all():
    plan = planned(*LEFT_LUNG, *RIGHT_LUNG, "liver", structures=["Lungs", "liver"])
    assert names(plan) == ["Liver", "Lungs"]
    own = [{"name": "Zwei", "union_of": ["liver", "spleen"]}, {"source": "colon", "name": "Darm"}]
    plan = planned("liver", "spleen", "colon", structures=["zwei", "Darm"], template=own)
    assert names(plan) == ["Zwei", "Darm"]


def test_unknown_structure_is_refused_with_the_nearest_names():
    error = refusal("liver", "My PTV", structures=["livr"])
    assert error.code == "EXPORT_STRUCTURE_UNKNOWN"
    assert error.problem.values["nearest"].split(", ")[0] == "liver"
    assert "Lungs" in refusal("liver", structures=["lungz"]).problem.values["nearest"]


def test_structure_that_this_ct_does_not_show_is_no_unknown_one():
    plan = planned("liver", structures=["liver", "brain", "Kidneys"])
    assert names(plan) == ["Liver"] and warnings(plan)["EXPORT_EMPTY_LEFT_OUT"]["count"] == 2
    error = refusal("liver", structures=["brain"])
    assert (error.code, error.problem.values) == ("EXPORT_SEGMENT_EMPTY", {"names": "brain", "count": 1})


# -- what stays out ----------------------------------------------------------------------------------------------------


def test_empty_structures_stay_out_with_a_warning():
    plan = planned("liver", Block("spleen", NOWHERE), Block("Scar", NOWHERE))
    assert names(plan) == ["Liver"] and plan.rois[0].number == 1
    assert warnings(plan)["EXPORT_EMPTY_LEFT_OUT"]["count"] == 2


def test_nothing_but_empty_structures_is_refused():
    error = refusal(Block("liver", NOWHERE), Block("spleen", NOWHERE))
    assert (error.code, error.problem.values) == ("EXPORT_SEGMENT_EMPTY", {"names": "Liver, Spleen", "count": 2})
    assert refusal("liver", Block("spleen", NOWHERE), structures=["spleen"]).code == "EXPORT_SEGMENT_EMPTY"


def test_states_choose_what_goes_out():
    blocks = (
        Block("liver", state="approved"),
        Block("spleen", state="edited"),
        Block("colon"),
        Block("brain", state="rejected"),
    )
    plan = planned(*blocks)
    assert names(plan) == ["Liver", "Spleen", "Colon"]
    assert warnings(plan)["EXPORT_REJECTED_LEFT_OUT"]["count"] == 1
    assert warnings(plan)["EXPORT_UNREVIEWED"] == {"names": "Spleen, Colon", "unreviewed": 1, "edited": 1}
    approved = planned(*blocks, states={APPROVED})
    assert names(approved) == ["Liver"]
    assert warnings(approved) == {"EXPORT_STATES_LEFT_OUT": {"names": "Spleen, Colon, Brain", "count": 3}}
    assert names(planned(*blocks, states={REJECTED})) == ["Brain"]


def test_edited_voxels_are_an_edited_structure_until_somebody_judges_it():
    plan = planned("liver", Block("spleen", state="approved"), edited=["liver", "spleen"])
    assert [roi.review_state for roi in plan.rois] == [EDITED, APPROVED]
    assert [roi.algorithm for roi in plan.rois] == ["SEMIAUTOMATIC", "SEMIAUTOMATIC"]


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ({"states": {APPROVED}}, "EXPORT_NOTHING_CHOSEN"),
        ({"structures": []}, "EXPORT_NOTHING_CHOSEN"),
        ({"template": ["Brain"]}, "EXPORT_TEMPLATE_EMPTY"),
        ({"template": ["PTV*"]}, "EXPORT_TEMPLATE_EMPTY"),
        ({"template": ["liver"], "states": {APPROVED}}, "EXPORT_NOTHING_CHOSEN"),
        ({"template": ["Brain"], "structures": []}, "EXPORT_NOTHING_CHOSEN"),
    ],
)
def test_nothing_left_is_refused(choice, code):
    assert refusal("liver", "spleen", **choice).code == code


def test_rejected_and_empty_structures_alone_are_nothing():
    assert refusal(Block("liver", state="rejected"), Block("spleen", NOWHERE)).code == "EXPORT_NOTHING_CHOSEN"
