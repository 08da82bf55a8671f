"""The preview in the scene: marked, replaced without losing what the user looked at, and never with the user's work."""

from __future__ import annotations

import numpy as np
import pytest
from job_support import expected_labels
from panel_support import folders_of
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.tables.result_tags import PREVIEW_TAG


def is_preview(node) -> bool:
    from TotalSegmentatorModuleLib.tags.preview_mark import is_preview

    return is_preview(node)


def test_the_fine_result_takes_the_previews_place_with_what_the_user_looked_at(somebody):
    import slicer

    node = somebody.start()
    assert is_preview(node)
    assert "3 mm preview" in node.GetName()
    assert node.GetDisplayNode().GetVisibility()
    assert somebody.user.parameters.reviewSegmentation is None
    assert "takes its place" in somebody.ui.messages.resultLabel.text
    assert somebody.ui.progress.applyButton.text == "Cancel"

    segment, display = node.GetSegmentation().GetSegment("spleen"), node.GetDisplayNode()
    segment.SetColor(0.1, 0.2, 0.3)
    segment.SetName("Milz")
    display.SetSegmentOpacity2DFill("spleen", 0.25)
    display.SetSegmentVisibility3D("spleen", False)
    display.SetVisibility(False)
    editor = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetAndObserveSegmentationNode(node)
    editor.SetSelectedSegmentID("spleen")
    node.CreateClosedSurfaceRepresentation()
    somebody.finish()

    assert somebody.nodes == [node]
    assert not is_preview(node)
    assert "preview" not in node.GetName()
    expected = expected_labels(slicer.util.arrayFromVolume(somebody.ct))
    assert np.array_equal(somebody.voxels(node), expected == 1)
    segment = node.GetSegmentation().GetSegment("spleen")
    assert (segment.GetName(), segment.GetColor()) == ("Milz", (0.1, 0.2, 0.3))
    assert display.GetSegmentOpacity2DFill("spleen") == 0.25
    assert not display.GetSegmentVisibility3D("spleen")
    assert not display.GetVisibility()
    other = node.GetSegmentation().GetNthSegmentID(1)
    assert display.GetSegmentVisibility(other)
    assert (editor.GetSegmentationNode(), editor.GetSelectedSegmentID()) == (node, "spleen")
    assert somebody.app.wait_until(
        lambda: all(
            node.GetSegmentation().GetNthSegment(index).GetRepresentation("Closed surface") is not None
            for index in range(2)
        ),
        READY_SECONDS,
    ), "the 3-D views show the fine result"
    assert somebody.user.parameters.reviewSegmentation is node
    assert not somebody.ui.messages.compareResultButton.visible


@pytest.mark.parametrize("work", ["drawn", "removed", "judged"])
def test_the_users_work_is_kept_beside_the_fine_result(somebody, work):
    from TotalSegmentatorModuleLib.scene.review_tags import set_state
    from TotalSegmentatorWire.tables.review_state import ReviewState

    node = somebody.start()
    if work == "drawn":
        somebody.draw(node)
        drawn = somebody.voxels(node)
    elif work == "removed":
        node.GetSegmentation().RemoveSegment("spleen")
    else:
        set_state(node.GetSegmentation().GetSegment("spleen"), ReviewState.APPROVED)
    somebody.finish()

    (fine,) = (each for each in somebody.nodes if each is not node)
    assert "preview, edited" in node.GetName()
    assert not is_preview(fine)
    assert somebody.voxels(fine).any()
    if work == "drawn":
        assert is_preview(node)
        assert np.array_equal(somebody.voxels(node), drawn)
    assert "You have worked on the preview" in somebody.ui.messages.warningLabel.text
    assert somebody.ct.GetName() not in somebody.log, "which users hand on"
    somebody.app.click(somebody.ui.messages.compareResultButton)
    parameters = somebody.user.parameters
    assert (parameters.compareSegmentation, parameters.compareOther) == (fine, node)
    assert not somebody.ui.compare.collapsibleButton.collapsed
    displays = [each.GetDisplayNode() for each in (node, fine)]
    assert not somebody.app.wait_until(lambda: not all(each.GetVisibility() for each in displays), 0.5)


@pytest.mark.parametrize("is_edited", [False, True])
def test_it_is_told_where_the_result_goes_if_an_output_is_chosen(somebody, is_edited):
    output = somebody.add_output()
    preview = somebody.start()
    assert "goes into the chosen output" in somebody.ui.messages.resultLabel.text
    if is_edited:
        output.GetSegmentation().AddEmptySegment("mine", "mine")
    somebody.finish()
    told = somebody.ui.messages.warningLabel.text
    if is_edited:
        assert somebody.nodes == [output, preview]
        assert output.GetSegmentation().GetSegmentIDs() == ("mine",)
        assert not is_preview(preview)
        assert "edited or removed in the meantime, so the result is in the one of the preview" in told
    else:
        assert somebody.nodes == [output]
        assert "in the meantime" not in told


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_the_preview_stays_marked_where_the_job_has_no_result(somebody, end):
    node = somebody.start()
    if end == "cancelled":
        somebody.app.click(somebody.ui.progress.applyButton)
        somebody.user.wait_until_ready()
        told = somebody.ui.messages.resultLabel.text
    else:
        somebody.refuse()
        assert somebody.user.error_code == "MEMORY_SHORT"
        told = somebody.ui.messages.warningLabel.text
    assert "The preview stays in the scene" in told and somebody.ct.GetName() in told
    assert somebody.ct.GetName() not in somebody.log, "which users hand on"
    assert somebody.nodes == [node]
    assert is_preview(node)


def test_nothing_is_left_of_a_preview_whose_scene_is_closed(somebody):
    import slicer

    somebody.start()
    slicer.mrmlScene.Clear()
    somebody.user.wait_until_ready()
    assert somebody.nodes == []
    assert somebody.app.wait_until(lambda: not folders_of("results"), READY_SECONDS)


def test_a_segmentation_of_the_next_scene_is_not_taken_for_the_preview(somebody):
    import slicer

    node_id = somebody.start().GetID()
    slicer.mrmlScene.Clear()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Another patient")
    assert other.GetID() == node_id, "ids begin anew with each scene"
    somebody.user.wait_until_ready()
    assert "Another patient" not in somebody.ui.messages.resultLabel.text


def test_a_saved_preview_is_still_one_when_its_scene_is_opened_again(somebody, tmp_path):
    from TotalSegmentatorModuleLib.scene.review_tags import segment_tags

    node = somebody.start()
    assert segment_tags(node.GetSegmentation().GetSegment("spleen"))[PREVIEW_TAG], "exports hear of it"
    somebody.app.click(somebody.ui.progress.applyButton)
    somebody.user.wait_until_ready()
    saved = somebody.app.save_scene(tmp_path / "scene")
    somebody.app.load_scene(saved, clear=True)
    (loaded,) = somebody.nodes
    assert is_preview(loaded)
    somebody.user.parameters.reviewSegmentation = loaded
    somebody.app.process_events()
    somebody.ui.review.collapsibleButton.collapsed = False
    somebody.app.process_events()
    assert somebody.ui.review.headlineLabel.text.startswith("Preview")


def test_the_file_of_a_saved_preview_is_not_the_one_of_the_fine_result(somebody, tmp_path):
    node = somebody.start()
    somebody.app.save_scene(tmp_path)
    saved = node.GetStorageNode().GetFileName()
    assert "preview" in saved
    somebody.finish()
    assert not is_preview(node)
    node.AddDefaultStorageNode(None)  # as Slicer does before it saves
    assert node.GetStorageNode().GetFileName() != saved


def test_the_box_is_there_where_a_preview_can_be_and_remembers_what_was_chosen(somebody):
    from TotalSegmentatorModuleLib import settings

    assert somebody.box.enabled
    assert somebody.box.checked, "nobody knows yet that the job is short"
    somebody.user.choose_model("104-3mm")
    assert not somebody.box.enabled
    assert "quicker" in somebody.box.toolTip
    somebody.user.choose_model("117-1.5mm")
    assert not somebody.box.enabled
    assert "segment once with" in somebody.box.toolTip
    somebody.user.choose_model("104-1.5mm")
    somebody.app.click(somebody.box)
    assert settings.text(settings.PREVIEW) == "off"
    somebody.user.run_job()
    (node,) = somebody.nodes
    assert not is_preview(node)
    somebody.app.click(somebody.box)
    assert somebody.box.checked
    assert settings.text(settings.PREVIEW) == "on", "although the job is known to be short by now"
