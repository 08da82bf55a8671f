"""Slicer's segment status and our own tag as review states of an export, and the names of what stays out."""

from __future__ import annotations

import pytest
from roi_plan_support import NOWHERE, Block, names, planned, warnings
from TotalSegmentatorWire.tables.review_state import ReviewState, review_state, review_tags


@pytest.mark.parametrize(
    ("status", "own", "state"),
    [
        ("completed", None, "approved"),
        ("completed", "unreviewed", "approved"),
        ("completed", "rejected", "approved"),
        ("inprogress", "approved", "edited"),
        ("notstarted", "approved", "unreviewed"),
        ("flagged", "approved", "needs-attention"),
        ("flagged", "rejected", "rejected"),
        ("a status of a later version", "approved", "approved"),
    ],
)
def test_slicers_status_comes_before_our_tag_and_flagged_may_be_rejected(status, own, state):
    plan = planned(Block("liver", state=own, tags={"Segmentation.Status": status}), states=set(ReviewState))
    assert plan.rois[0].review_state.value == state


def test_flagged_structure_goes_out_and_is_named_and_every_left_out_one_is_named():
    flagged = Block("liver", tags={"Segmentation.Status": "flagged"})
    done = Block("spleen", tags={"Segmentation.Status": "completed"})
    blocks = (flagged, done, Block("brain", state="rejected"), Block("colon", NOWHERE))
    plan = planned(*blocks)
    assert names(plan) == ["Liver", "Spleen"]
    assert warnings(plan) == {
        "EXPORT_NEEDS_ATTENTION": {"names": "Liver", "count": 1},
        "EXPORT_REJECTED_LEFT_OUT": {"names": "Brain", "count": 1},
        "EXPORT_EMPTY_LEFT_OUT": {"names": "Colon", "count": 1},
    }
    many = [Block(f"Lesion {number}", state="rejected") for number in range(16)]
    said = warnings(planned(done, *many))["EXPORT_REJECTED_LEFT_OUT"]["names"]
    assert said.split(", ") == [block.name for block in many]
    assert planned(done).warnings == []
    template = warnings(planned(done, template=["Spleen", "Brain", "Rectum"]))["EXPORT_TEMPLATE_ABSENT"]
    assert template["names"] == "Brain, Rectum"


@pytest.mark.parametrize("state", list(ReviewState))
def test_both_tags_of_a_state_are_read_as_that_state(state):
    assert review_state(review_tags(state)) is state
