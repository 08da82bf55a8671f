"""The scene changes under the review: segments, segmentations and scenes come and go."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from review_support import FLAGS
from TotalSegmentatorWire.tables.review_state import ReviewState


def test_a_segment_that_is_removed_leaves_the_table(ready):
    ready.click_row("kidney right")
    ready.node.GetSegmentation().RemoveSegment("kidney_right")
    ready.settle()
    assert ready.groups()[0] == "Check (2)"
    assert ready.chosen == ""
    assert not ready.ui.approveButton.enabled
    assert ready.visible() == {"spleen", "kidney_left", "gallbladder", "liver", "stomach"}


def test_another_segment_that_is_removed_leaves_the_chosen_one(ready):
    ready.click_row("kidney right")
    ready.node.GetSegmentation().RemoveSegment("gallbladder")
    ready.settle()
    assert ready.chosen == "kidney right"
    assert ready.rows() == ["kidney right", "missing: aorta"]


def test_names_colours_and_new_segments_are_followed(ready):
    ready.segment("kidney_right").SetName("transplant")
    ready.settle()
    assert ready.rows()[0] == "transplant"
    ready.node.GetSegmentation().AddEmptySegment("lesion", "lesion")
    ready.settle()
    assert ready.groups()[3] == "Not checked (1)"
    assert "lesion" in ready.rows()
    ready.click_row("lesion")
    ready.app.click(ready.ui.approveButton)
    assert ready.state("lesion") is ReviewState.APPROVED


def test_a_missing_structure_that_is_drawn_is_no_longer_missing(ready):
    ready.node.GetSegmentation().AddEmptySegment("aorta", "aorta")
    ready.settle()
    assert "missing: aorta" not in ready.rows()
    assert "aorta" in ready.rows()


def test_the_segmentation_is_removed_in_the_middle_of_the_review(ready):
    ready.click_row("kidney right")
    slicer.mrmlScene.RemoveNode(ready.node)
    ready.settle()
    assert not ready.ui.contentWidget.visible
    assert ready.ui.emptyLabel.visible
    ready.app.focus(ready.slice_view())
    for key in ("N", "A", "H", "Ctrl+Z"):
        ready.app.press(key)
    assert not ready.app.errors


def test_the_scene_is_closed_in_the_middle_of_the_review(ready):
    ready.click_row("kidney right")
    ready.app.click(ready.ui.approveButton)
    ready.app.close_scene()
    ready.settle()
    assert not ready.ui.contentWidget.visible
    ready.ct = None
    ready.add_result()
    assert not ready.ui.undoButton.enabled
    ready.press("N", "A")
    assert ready.state("kidney_right") is ReviewState.APPROVED


def test_two_results_are_reviewed_apart(ready):
    first = ready.node
    ready.press("N", "A")
    second = ready.add_result(flags=FLAGS[:1], name="second")
    assert ready.rows() == ["gallbladder"]
    assert ready.chosen == ""
    ready.press("N", "R")
    assert ready.state("gallbladder") is ReviewState.REJECTED
    ready.ui.segmentationSelector.setCurrentNode(first)
    ready.settle()
    ready.node = first
    assert ready.state("gallbladder") is ReviewState.UNREVIEWED
    assert ready.groups()[0] == "Wrong? (1), done"
    # undo goes back to the segmentation on which the last judgement was made
    ready.press("Ctrl+Z")
    assert ready.ui.segmentationSelector.currentNode() is second
    assert ready.chosen == "gallbladder"
    ready.press("Ctrl+Z")
    assert ready.ui.segmentationSelector.currentNode() is first
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED


def test_a_new_result_does_not_interrupt_the_review_of_another(ready):
    from review_support import result_of
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result
    from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras

    first = ready.node
    ready.press("N")
    image, header = result_of(ijk_to_ras(ready.ct), 3, None)
    second = import_result([image], header, ImportTarget(ready.ct, None, "second"))
    ready.panel.result_arrived(second, header)
    ready.wait(lambda: ready.ui.hintLabel.visible)
    assert "second" in ready.ui.hintLabel.text
    assert ready.ui.segmentationSelector.currentNode() is first
    assert ready.chosen == "kidney right"
    ready.ui.segmentationSelector.setCurrentNode(second)
    ready.settle()
    assert ready.groups() == ["Not checked (3)"]
    assert not ready.ui.hintLabel.visible


def test_undo_passes_over_a_segmentation_that_is_gone(ready):
    first = ready.node
    ready.press("N", "A")
    second = ready.add_result(name="second")
    ready.press("N", "A")
    slicer.mrmlScene.RemoveNode(second)
    ready.ui.segmentationSelector.setCurrentNode(first)
    ready.settle()
    ready.node = first
    ready.press("Ctrl+Z")
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED


def test_any_segmentation_can_be_reviewed(reviewer):
    ct = reviewer.user.add_ct()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    for name in ("lesion", "node"):
        node.GetSegmentation().AddEmptySegment(name, name)
    reviewer.node = node
    reviewer.ui.collapsibleButton.collapsed = False
    reviewer.ui.segmentationSelector.setCurrentNode(node)
    reviewer.settle()
    assert reviewer.groups() == ["Not checked (2)"]
    reviewer.press("N", "A", "R")
    assert reviewer.state("lesion") is ReviewState.APPROVED
    assert reviewer.state("node") is ReviewState.REJECTED


def test_the_only_segmentation_is_chosen_when_the_module_is_opened(reviewer):
    reviewer.app.leave_module()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.GetSegmentation().AddEmptySegment("lesion", "lesion")
    reviewer.app.enter_module()
    assert reviewer.ui.segmentationSelector.currentNode() is node


def test_painting_does_not_lose_the_place_in_the_table(reviewer):
    reviewer.add_result(count=60)
    reviewer.open_group("No remarks")
    bar = reviewer.tree.verticalScrollBar()
    bar.setValue(bar.maximum)
    reviewer.settle()
    before = bar.value
    assert before > 0
    reviewer.set_state("liver", ReviewState.EDITED)
    reviewer.segment("stomach").SetName("stomach 2")
    reviewer.settle()
    assert bar.value == before
