"""Several CTs, one after the other, by clicks."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import engine_environment, expected_labels
from queue_support import distinct_ct
from setup_user import ENGINE_ITEM, SetupUser
from time_bounds import BLOCK_SECONDS, READY_SECONDS


def segmentation_of(user, ct):
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    (node,) = [each for each in user.segmentations if each.GetNodeReference(role) is ct]
    return node


@pytest.fixture
def kept_jobs(monkeypatch):
    """The ids of each line's jobs, each time that the queue is kept on disk."""
    from TotalSegmentatorModuleLib.job_queue.queue_file import QueueFile

    kept, save = [], QueueFile.save

    def save_and_note(file, items) -> None:
        save(file, items)
        kept.append([dict(item.jobs) for item in items])

    monkeypatch.setattr(QueueFile, "save", save_and_note)
    return kept


def test_every_loaded_ct_gets_a_segmentation_of_its_own(queue_user, app, kept_jobs):
    user = queue_user()
    cts = user.add_cts("CT head", "CT thorax", "CT pelvis")
    user.plan()
    user.add("Loaded CTs")
    assert user.lines() == [("CT head", "Waiting"), ("CT thorax", "Waiting"), ("CT pelvis", "Waiting")]
    app.reset_block_clock()

    user.start()
    user.wait_for_states(["Finished"] * 3)

    assert [node.GetName().split(" \u2013 ")[0] for node in user.segmentations] == [ct.GetName() for ct in cts]
    for ct in cts:
        spleen = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation_of(user, ct), "spleen", ct)
        assert np.array_equal(spleen != 0, expected_labels(slicer.util.arrayFromVolume(ct)) == 1)
    assert user.queue_ui.summaryLabel.text == "3 finished."
    assert app.wait_until(lambda: not user.queue_ui.startButton.enabled, READY_SECONDS)
    # by its job's id a result is found after a crash: at no moment a line has that of another one's job
    last = kept_jobs[-1]
    assert len({job for jobs in last for job in jobs.values()}) == 3
    assert all(jobs in ({}, last[line]) for lines in kept_jobs for line, jobs in enumerate(lines))
    assert app.longest_block_ms() < BLOCK_SECONDS * 1000, app.longest_block_name()


def test_a_result_keeps_its_buttons_when_a_ct_is_added(queue_user):
    user = queue_user()
    user.add_cts("CT head")
    user.plan()
    user.run_job()
    user.add("Loaded CTs")
    assert user.lines() == [("CT head", "Waiting")]
    assert user.ui.messages.resultLabel.visible and user.ui.messages.nextWidget.visible


def test_a_bad_and_a_cancelled_ct_do_not_stop_the_others(queue_user, app):
    user = queue_user()
    bad = distinct_ct(0).astype(np.float32)
    bad[0, 0, 0] = np.inf
    user.add_ct(bad, "CT bad")
    user.add_cts("CT one", "CT two", "CT three")
    user.plan()
    user.add("CT bad", "CT one")
    user.plan("predicting", "slow")
    user.add("CT two")
    user.plan(act="agrees")
    user.add("CT three")
    user.start()
    user.wait_for_running(2)
    assert user.states()[0] == "Failed"
    user.select(2)
    assert user.queue_ui.removeButton.text == "Cancel"
    app.click(user.queue_ui.removeButton)
    user.wait_for_states(["Failed", "Finished", "Cancelled", "Finished"])

    user.select(0)
    assert "not finite" in user.queue_ui.explanationLabel.text or "infinite" in user.queue_ui.explanationLabel.text
    assert "exact ones in 99.4" in user.ui.messages.resultLabel.text
    assert user.error_code == ""  # no frame for what stands in the line
    assert len(user.segmentations) == 2
    assert user.queue_ui.summaryLabel.text == "2 finished, 1 failed, 1 cancelled."


def test_lines_are_moved_removed_and_queued_again(queue_user, app):
    user = queue_user()
    user.add_cts("CT a", "CT b", "CT c")
    user.plan()
    user.add("Loaded CTs")
    user.select(2)
    app.click(user.queue_ui.upButton)
    app.click(user.queue_ui.upButton)
    assert not user.queue_ui.upButton.enabled
    assert [title for title, _state in user.lines()] == ["CT c", "CT a", "CT b"]
    app.click(user.queue_ui.downButton)
    assert [title for title, _state in user.lines()] == ["CT a", "CT c", "CT b"]
    app.click(user.queue_ui.removeButton)
    assert [title for title, _state in user.lines()] == ["CT a", "CT b"]

    slicer.mrmlScene.RemoveNode(slicer.util.getNode("CT b"))
    assert user.states() == ["Waiting", "Not loaded"]
    user.select(1)
    app.click(user.queue_ui.againButton)
    user.start()
    user.wait_for_states(["Finished", "Not loaded"])
    user.select(1)
    assert user.queue_ui.explanationLabel.text.startswith("The CT is not loaded any more, and it is not known")


def test_what_is_chosen_when_a_ct_is_added_counts(queue_user, app):
    """Also while the queue runs: the choices are not locked then."""
    user = queue_user()
    user.add_cts("CT a", "CT b")
    user.plan("predicting", "slow")
    user.add("CT a")
    user.start()
    user.wait_for_running(0)
    user.plan()
    user.ui.inputs.deviceComboBox.setCurrentIndex(user.ui.inputs.deviceComboBox.findData("cpu"))
    user.ui.inputs.deviceComboBox.activated.emit(user.ui.inputs.deviceComboBox.currentIndex)
    user.add("CT b")
    assert "Device: cpu" in user.tool_tip(1) and "Device" not in user.tool_tip(0)
    app.click(user.queue_ui.startButton)
    assert user.queue_ui.startButton.text == "Start"
    user.click_apply()
    user.wait_until_ready()
    assert user.states() == ["Cancelled", "Waiting"]
    user.add("CT b")
    assert user.states() == ["Cancelled", "Waiting"]
    assert user.ui.messages.resultLabel.text.startswith("What waits in the queue already")


def test_work_goes_on_while_the_queue_runs(queue_user, app):
    """A result of the queue takes neither the review nor the views from what the user works on."""
    user = queue_user()
    first, second = user.add_cts("CT a", "CT b")
    user.parameters.inputVolume = first
    slicer.util.setSliceViewerLayers(background=first)
    user.plan()
    user.run_job()
    (mine,) = user.segmentations
    assert app.wait_until(lambda: user.parameters.reviewSegmentation is mine, READY_SECONDS)
    user.add("CT b")
    user.start()
    user.wait_for_states(["Finished"])
    new = segmentation_of(user, second)
    assert user.parameters.reviewSegmentation is mine
    assert mine.GetDisplayNode().GetVisibility() and not new.GetDisplayNode().GetVisibility()
    assert user.ui.messages.resultLabel.text == "Finished: {}.".format(new.GetName())

    user.select(0)
    app.click(user.queue_ui.reviewButton)
    assert user.parameters.reviewSegmentation is new
    assert new.GetDisplayNode().GetVisibility() and not mine.GetDisplayNode().GetVisibility()
    backgrounds = {each.GetBackgroundVolumeID() for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    assert backgrounds == {second.GetID()}


def test_what_is_missing_is_installed_first(queue_user, monkeypatch):
    """Then the queue goes on by itself."""
    from TotalSegmentatorModuleLib.background import installed_engine

    monkeypatch.setattr(installed_engine, "has_own_packages", lambda: False)
    user = queue_user()
    installer = SetupUser(user)
    installer.plans(ENGINE_ITEM)
    user.add_cts("CT a", "CT b")
    user.plan()
    user.add("Loaded CTs")
    user.start()
    installer.wait(lambda: installer.ui.install_page.installButton.visible)
    assert user.states() == ["Waiting", "Waiting"] and user.queue_ui.startButton.text == "Start"
    installer.install()
    user.wait_for_states(["Finished", "Finished"])


def test_the_queue_stops_where_the_next_ct_would_fail_as_well(queue_user, app):
    user = queue_user(lambda mark: engine_environment(sys.executable, mark, missing="torch"))
    user.add_cts("CT a", "CT b")
    user.plan()
    user.add("Loaded CTs")
    user.start()
    assert app.wait_until(lambda: user.error_code == "ENGINE_MISSING", READY_SECONDS), user.describe()
    assert user.states() == ["Waiting", "Waiting"] and user.queue_ui.startButton.text == "Start"
