"""A result leaves the scene: quickly, and without an error in Slicer's log."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer


@pytest.fixture
def result(user):
    """A segmentation that Apply made."""
    user.add_ct()
    user.plan()
    user.run_job()
    (node,) = user.segmentations
    return node


def close(app, _node, _tmp_path):
    app.close_scene()


def close_saved(app, _node, tmp_path):
    app.save_scene(tmp_path)
    app.close_scene()


def open_another(app, _node, tmp_path):
    app.load_scene(app.save_scene(tmp_path), clear=True)


def delete(_app, node, _tmp_path):
    slicer.mrmlScene.RemoveNode(node)


def delete_its_item(_app, node, _tmp_path):
    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    tree.RemoveItem(tree.GetItemByDataNode(node), True, True)


@pytest.mark.parametrize("leave", [close, close_saved, open_another, delete, delete_its_item])
def test_nothing_is_logged_when_a_result_leaves_the_scene(app, user, result, leave, tmp_path):
    result.CreateDefaultDisplayNodes()
    segments = [result.GetSegmentation().GetNthSegment(index) for index in range(2)]

    leave(app, result, tmp_path)
    app.process_events()

    assert app.errors == []
    assert all(segment.GetRepresentation("Binary labelmap") is None for segment in segments)


def test_a_result_that_was_loaded_again_is_whole(app, user, result, tmp_path):
    path = app.save_scene(tmp_path)
    app.close_scene()
    app.load_scene(path)

    (node,) = user.segmentations
    assert node.GetSegmentation().GetNumberOfSegments() == 2
    assert slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen").any()


def test_other_segmentations_keep_their_voxels(app, result):
    """A node that a script holds after its scene was closed: only results of this module are let go."""
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn by hand")
    other.GetSegmentation().AddEmptySegment("liver")
    segment = other.GetSegmentation().GetNthSegment(0)

    app.close_scene()

    assert segment.GetRepresentation("Binary labelmap") is not None
