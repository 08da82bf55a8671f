"""What is seen of the fine result when it takes the preview's place: neither hidden by the review, nor shown again."""

from __future__ import annotations

import pytest
from time_bounds import READY_SECONDS


def visible(node) -> set[str]:
    display = node.GetDisplayNode()
    return {each for each in node.GetSegmentation().GetSegmentIDs() if display.GetSegmentVisibility(each)}


def surfaces(node) -> list[bool]:
    segmentation = node.GetSegmentation()
    segments = map(segmentation.GetSegment, segmentation.GetSegmentIDs())
    return [segment.GetRepresentation("Closed surface") is not None for segment in segments]


@pytest.mark.parametrize("has_output", [False, True])
def test_all_of_the_fine_result_is_seen_after_one_structure_was_reviewed_alone(somebody, has_output):
    output = somebody.add_output() if has_output else None
    preview = somebody.start("three structures")
    preview.GetDisplayNode().SetSegmentOpacity2DFill("spleen", 0.25)
    somebody.review_alone(preview, "spleen")
    assert visible(preview) == {"spleen"}
    somebody.finish()
    fine = output or preview
    assert somebody.nodes == [fine]
    assert visible(fine) == {"spleen", "kidney_right"}
    assert fine.GetDisplayNode().GetSegmentOpacity2DFill("spleen") == 0.25
    somebody.ui.review.collapsibleButton.collapsed = True
    somebody.app.process_events()
    assert visible(fine) == {"spleen", "kidney_right"}


def test_surfaces_that_were_hidden_are_not_shown_again(somebody):
    preview = somebody.start()
    preview.CreateClosedSurfaceRepresentation()
    preview.GetDisplayNode().SetVisibility3D(False)
    somebody.finish()
    assert surfaces(preview) == [False, False]
    assert not preview.GetDisplayNode().GetVisibility3D()


def test_the_button_of_the_review_stays_with_the_segmentation_that_is_reviewed(somebody):
    somebody.user.choose_model("104-3mm")
    somebody.user.run_job()
    (other,) = somebody.nodes
    somebody.user.choose_model("104-1.5mm")
    preview = somebody.start()
    preview.CreateClosedSurfaceRepresentation()
    somebody.review_alone(other, "spleen")
    somebody.finish()
    assert somebody.user.parameters.reviewSegmentation is other
    assert somebody.app.wait_until(lambda: all(surfaces(preview)), READY_SECONDS), "the 3-D views show the fine result"
    button = somebody.ui.review_figures.threeDButton
    assert button.text == "Show 3D"
    somebody.app.click(button)
    assert somebody.app.wait_until(lambda: button.text == "Hide 3D", READY_SECONDS)
    assert all(surfaces(other))
    assert all(surfaces(preview))
