"""4-D CT, a frame at a time, into a sequence of segmentations."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import expected_labels
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.job_folder import results_folder


def segmented(user):
    """The sequence of segmentations, and its proxy."""
    (target,) = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode")
        if node.GetNthDataNode(0) is not None and node.GetNthDataNode(0).IsA("vtkMRMLSegmentationNode")
    ]
    (browser,) = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    return target, browser.GetProxyNode(target)


def spleen_of(node, ct) -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ct)


def test_each_frame_gets_its_segmentation(queue_user, app, work_folder, tmp_path, monkeypatch):
    from TotalSegmentatorModuleLib.job_queue import frame_results

    monkeypatch.setattr(frame_results, "LOOK_MS", 100)
    user = queue_user()
    sequence, browser = user.add_sequence("Breathing", 3)
    assert user.choices() == []
    user.plan()
    user.tick("Loaded sequences")
    assert user.choices() == ["Loaded sequences (4-D CT)", "Breathing (3 frames)"]  # not the frame that is shown
    user.add()
    user.start()
    user.wait_for_states(["Finished"])

    target, proxy = segmented(user)
    assert target.GetName() == "Breathing segmentation"
    assert (target.GetIndexName(), target.GetIndexUnit(), target.GetNumberOfDataNodes()) == ("phase", "%", 3)
    for frame in range(3):
        browser.SetSelectedItemNumber(frame)
        ct = browser.GetProxyNode(sequence)
        expected = expected_labels(slicer.util.arrayFromVolume(ct)) == 1
        assert np.array_equal(spleen_of(proxy, ct) != 0, expected), frame
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [browser.GetProxyNode(sequence)]
    assert proxy.GetNodeReference(proxy.GetReferenceImageGeometryReferenceRole()) is browser.GetProxyNode(sequence)

    # an edit stays with its frame
    ct = browser.GetProxyNode(sequence)
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.zeros((12, 16, 20), np.uint8), proxy, "spleen", ct)
    browser.SetSelectedItemNumber(0)
    assert spleen_of(proxy, ct).any()
    browser.SetSelectedItemNumber(2)
    assert not spleen_of(proxy, ct).any()

    # the files of the results stay until the sequence is saved
    assert len(list(results_folder(work_folder).iterdir())) == 3
    target.AddDefaultStorageNode()
    target.GetStorageNode().SetFileName(str(tmp_path / "target.mrb"))
    assert target.GetStorageNode().WriteData(target)
    assert app.wait_until(lambda: not list(results_folder(work_folder).iterdir()), READY_SECONDS)

    # removing what shows the frame does not empty the frame
    browser.SetSelectedItemNumber(0)
    slicer.mrmlScene.RemoveNode(proxy)
    assert target.GetNthDataNode(0).GetSegmentation().GetNumberOfSegments() == 2


def test_a_bad_frame_is_left_out_and_can_be_repeated(queue_user, app):
    user = queue_user()
    sequence, browser = user.add_sequence("Breathing", 3)
    bad = sequence.GetNthDataNode(1)
    array = np.full((12, 16, 20), np.inf, np.float32)
    slicer.util.updateVolumeFromArray(bad, array)
    user.plan()
    user.add("Loaded sequences")
    user.start()
    user.wait_for_states(["Failed"])
    user.select(0)
    assert user.queue_ui.explanationLabel.text.startswith("1 of 3 frames of the sequence could not be segmented")
    target, proxy = segmented(user)
    assert target.GetNumberOfDataNodes() == 2
    browser.SetSelectedItemNumber(1)
    assert proxy.GetSegmentation().GetNumberOfSegments() == 0

    array[:] = 40
    slicer.util.updateVolumeFromArray(bad, array)
    app.click(user.queue_ui.againButton)
    user.start()
    user.wait_for_states(["Finished"])
    assert segmented(user)[0] is target and target.GetNumberOfDataNodes() == 3
    assert proxy.GetSegmentation().GetNumberOfSegments() == 1

    # what shows the frame does not hear of each segment that goes with the scene
    del sequence, browser, target, proxy, bad
    app.close_scene()
    assert app.errors == []
