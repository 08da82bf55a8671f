"""Edits and removals while a segmentation is handed over, and how long a slice of the work takes."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
import vtk
from export_user import SHAPE, add_segment
from time_bounds import BLOCK_SECONDS
from TotalSegmentatorEngine.export.sources.slicer_transfer import (
    read_transferred_segmentation,
)
from TotalSegmentatorWire.errors.problem import SegmentationError
from transfer_scene import GRID, add_balls, first_two

# -- meanwhile ---------------------------------------------------------------------------------------------------------


def test_edit_in_the_middle_begins_again(scene):
    first, second = first_two(scene.node)
    from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

    transfer = scene.transfer(identity=CtIdentity(sends_voxels=True))
    assert not transfer.step(0.0)  # the layer is written, the CT is not
    image = scene.node.GetSegmentation().GetSegment(first).GetRepresentation("Binary labelmap")
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(SHAPE)
    voxels[0, 0, :] = 2
    image.GetPointData().GetScalars().Modified()
    while not transfer.step(0.01):
        pass
    transfer.close()
    segmentation, _header = read_transferred_segmentation(scene.folder)

    assert (segmentation.layers[0].array[0, 0] == 2).all()
    assert {segment.id for segment in segmentation.segments} == {first, second}


def test_surface_that_is_edited_in_the_middle_is_read_again(scene):
    from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

    node = add_balls(scene)
    transfer = scene.transfer(identity=CtIdentity(sends_voxels=True))
    while transfer.fraction == 0.0:
        assert not transfer.step(0.0)
    surface = node.GetSegmentation().GetSegment("margin").GetRepresentation("Closed surface")
    points = vtk.util.numpy_support.vtk_to_numpy(surface.GetPoints().GetData())
    points += 0.5 * ((GRID @ [10, 8, 6, 1])[:3] - points)  # half as large
    surface.GetPoints().Modified()
    while not transfer.step(0.01):
        pass
    transfer.close()

    segmentation, _header = read_transferred_segmentation(scene.folder)
    volumes = {each.id: (segmentation.layers[each.layer].array == each.label).sum() for each in segmentation.segments}
    assert volumes["margin"] < volumes["tumour"]


def test_review_and_colour_of_the_middle_go_out(scene):
    from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity
    from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG

    first, _second = first_two(scene.node)
    transfer = scene.transfer(identity=CtIdentity(sends_voxels=True))
    assert not transfer.step(0.0)
    segment = scene.node.GetSegmentation().GetSegment(first)
    segment.SetTag(REVIEW_STATE_TAG, "rejected")
    segment.SetColor(0.0, 1.0, 0.0)
    while not transfer.step(0.01):
        pass
    transfer.close()

    segmentation, _header = read_transferred_segmentation(scene.folder)
    handed = next(each for each in segmentation.segments if each.id == first)
    assert (handed.tags[REVIEW_STATE_TAG], handed.colour) == ("rejected", (0, 255, 0))


def test_reading_changes_no_stamp(scene):
    """Else a hand-over would begin again for ever."""
    from TotalSegmentatorModuleLib.scene.output_segmentation import change_stamp

    for node in (scene.node, add_balls(scene)):
        scene.node = node
        before = change_stamp(node)
        scene.hand_over()
        assert change_stamp(node) == before


def test_segment_removed_in_the_middle_is_left_out(scene):
    first, second = first_two(scene.node)
    from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

    transfer = scene.transfer(identity=CtIdentity(sends_voxels=True))
    assert not transfer.step(0.0)
    scene.node.GetSegmentation().RemoveSegment(first)
    while not transfer.step(0.01):
        pass
    transfer.close()

    segmentation, _header = read_transferred_segmentation(scene.folder)
    assert [segment.id for segment in segmentation.segments] == [second]


@pytest.mark.parametrize("gone", ["node", "ct"])
def test_removed_nodes_are_reported(scene, gone):
    transfer = scene.transfer()
    slicer.mrmlScene.RemoveNode(getattr(scene, gone))

    with pytest.raises(SegmentationError) as told:
        transfer.step(0.01)
    assert told.value.code == "EXPORT_INPUT_REMOVED"


def test_full_disk_is_reported_before_anything_is_written(scene, monkeypatch):
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)

    with pytest.raises(SegmentationError) as told:
        scene.hand_over()
    assert told.value.code == "DISK_FULL"
    assert list(scene.folder.iterdir()) == []


def test_large_segmentation_is_written_a_little_at_a_time(scene):
    shape = (200, 512, 512)
    scene.ct = scene.app.add_volume(np.zeros(shape, np.int16), GRID, "large CT")
    voxels = np.zeros(shape, np.uint8)
    voxels[50:150, 100:200, 100:200] = 1
    scene.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    add_segment(scene.node, "block", voxels, scene.ct)
    transfer = scene.transfer()
    longest, steps, is_complete = 0.0, 0, False
    while not is_complete:
        begun = time.thread_time()
        is_complete = transfer.step(0.005)
        longest = max(longest, time.thread_time() - begun)
        steps += 1
    transfer.close()

    assert steps > 1
    assert longest < BLOCK_SECONDS
