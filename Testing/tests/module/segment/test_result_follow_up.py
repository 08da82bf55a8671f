"""A result is whole from the start; what happens while Slicer still makes its items in the subject hierarchy."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer

STEPS = [1, 50, 103]


@pytest.fixture
def imported(arrival):
    """Imports one result and calls ``action`` with its node before Slicer is told of the segment number ``step``."""

    def run(step: int, action) -> None:
        arrival.interrupt("telling", step, lambda: action(arrival.nodes[-1]))
        arrival.start()
        arrival.wait_until_told()

    return run


@pytest.mark.parametrize("step", STEPS)
def test_scene_that_is_saved_meanwhile_is_whole(arrival, imported, tmp_path, step):
    imported(step, lambda _node: arrival.app.save_scene(tmp_path))
    arrival.assert_whole(arrival.nodes[0])

    arrival.app.load_scene(tmp_path / "scene.mrml", clear=True)
    (node,) = arrival.nodes
    arrival.assert_whole(node)


@pytest.mark.parametrize("step", STEPS)
def test_scene_that_is_closed_meanwhile_is_empty(arrival, imported, step):
    imported(step, lambda _node: slicer.mrmlScene.Clear(False))
    assert arrival.nodes == []
    arrival.session.look_for_unimported_results()
    assert arrival.unimported == []  # it was imported, and then closed


@pytest.mark.parametrize("step", STEPS)
def test_segmentation_that_is_deleted_meanwhile_is_gone(arrival, imported, step):
    imported(step, slicer.mrmlScene.RemoveNode)
    assert arrival.nodes == []
    assert slicer.mrmlScene.GetSubjectHierarchyNode().GetNumberOfItems() == 1  # the CT's


@pytest.mark.parametrize("segment_id", ["spleen", "face"])
def test_segment_that_is_deleted_meanwhile_does_not_come_back(arrival, imported, segment_id):
    """The first segment has its item already, the last one not yet."""
    imported(50, lambda node: node.GetSegmentation().RemoveSegment(segment_id))
    (node,) = arrival.nodes
    assert segment_id not in arrival.segments(node)
    assert arrival.items(node) == arrival.segments(node)
    assert len(arrival.items(node)) == 103


@pytest.mark.parametrize("segment_id", ["spleen", "face"])
def test_segment_that_is_renamed_meanwhile_keeps_its_name(arrival, imported, segment_id):
    imported(50, lambda node: node.GetSegmentation().GetSegment(segment_id).SetName("mine"))
    (node,) = arrival.nodes
    assert arrival.segments(node)[segment_id] == arrival.items(node)[segment_id] == "mine"
    assert len(arrival.items(node)) == 104


def test_change_of_the_display_makes_all_items(arrival, imported):
    counts = []

    def hide(node) -> None:
        node.GetDisplayNode().SetVisibility(False)
        counts.append(len(arrival.items(node)))

    imported(10, hide)
    assert counts == [104]
    arrival.assert_whole(arrival.nodes[0])


def test_another_result_meanwhile(arrival, imported):
    imported(50, lambda _node: arrival.start())
    first, second = arrival.nodes
    for node in (first, second):
        arrival.assert_whole(node)
    arrival.wait(lambda: [bool(node.GetDisplayNode().GetVisibility()) for node in (first, second)] == [False, True])


def test_undo_of_the_scene_meanwhile(arrival, imported):
    scene = slicer.mrmlScene
    scene.SetUndoOn()
    scene.SaveStateForUndo()
    imported(50, lambda _node: scene.Undo())
    for node in arrival.nodes:  # whether Undo takes a node away is Slicer's choice
        arrival.assert_whole(node)


def test_segment_editor_undoes_nothing_of_what_was_replaced(arrival):
    """It keeps earlier states of the vtkSegmentation that its node had."""
    arrival.start()
    arrival.wait_until_told()
    (node,) = arrival.nodes
    editor = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetAndObserveSegmentationNode(node)
    editor.SetSelectedSegmentID("liver")
    seen = []
    editor.AddObserver("ModifiedEvent", lambda *_: seen.append(editor.GetSegmentationNode()))
    ends = arrival.replace(node)
    arrival.wait(lambda: ends)

    assert None in seen and seen[-1] is node
    assert editor.GetSelectedSegmentID() == "liver"


def test_reload_of_the_module_meanwhile(arrival, imported):
    imported(50, lambda _node: arrival.session.dispose())
    arrival.assert_whole(arrival.nodes[0])


def test_nothing_is_told_while_a_scene_is_read(arrival):
    """Slicer does not listen then."""
    scene = slicer.mrmlScene
    arrival.interrupt("telling", 50, lambda: scene.StartState(scene.ImportState))
    arrival.start()
    arrival.wait(scene.IsImporting)
    for _ in range(20):
        arrival.app.process_events()
    assert arrival.is_telling
    scene.EndState(scene.ImportState)
    arrival.wait_until_told()
    arrival.assert_whole(arrival.nodes[0])
