"""When a review is saved in the background, when that is removed, and what becomes of it in the next Slicer."""

from __future__ import annotations

import dataclasses
import errno
import shutil

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import slicer
from recovery_support import TUMOUR, draw, edited_review, everything, is_saved, saved_folders, saved_review
from review_support import SHAPE
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.recovery.saved_review import read_review_file
from TotalSegmentatorModuleLib.recovery.voxel_store import VoxelStore
from TotalSegmentatorWire.job_folder import create_owned_folder, read_owner, results_folder, write_owner
from TotalSegmentatorWire.process_identity import this_process
from TotalSegmentatorWire.tables.review_state import ReviewState


@pytest.fixture
def user(slicer_user):
    return slicer_user()


@pytest.fixture
def reviewer(user, work_folder):
    """With an edited review that is saved."""
    reviewer = edited_review(user)
    wait(reviewer, lambda: is_saved(work_folder, reviewer))
    return reviewer


@pytest.fixture
def left(reviewer, work_folder, monkeypatch):
    """The review as a Slicer leaves it that was killed, in the scene of the next one, with the CT in it; what the
    review was like."""
    before = everything(reviewer.node, reviewer.ct)
    (folder,) = saved_folders(work_folder)
    kept = folder.rename(work_folder / "kept")
    reviewer.app.close_scene()
    reviewer.app.wait_until(lambda: False, 0.6)  # until the closed scene is forgotten
    kept.rename(folder)
    write_owner(folder, dataclasses.replace(this_process(), started="long ago"))
    return before


def wait(reviewer, condition) -> None:
    assert reviewer.app.wait_until(condition, READY_SECONDS)


def enter(user) -> None:
    user.app.leave_module()
    user.app.enter_module()
    user.app.process_events()


def test_a_saved_scene_needs_no_saved_review_until_something_changes(reviewer, work_folder, tmp_path):
    reviewer.app.save_scene(tmp_path / "scene")
    wait(reviewer, lambda: not saved_folders(work_folder))
    reviewer.app.wait_until(lambda: False, 0.6)
    assert saved_folders(work_folder) == []

    reviewer.click_row("gallbladder")
    reviewer.press("A")
    wait(reviewer, lambda: is_saved(work_folder, reviewer))

    reviewer.app.quit()
    assert saved_folders(work_folder) == []


def test_a_scene_that_was_read_is_saved_once_it_changes(reviewer, work_folder, tmp_path, monkeypatch):
    from TotalSegmentatorModuleLib.recovery import autosave

    scene = reviewer.app.save_scene(tmp_path / "scene")
    wait(reviewer, lambda: not saved_folders(work_folder))
    reviewer.app.close_scene()
    begun = []
    touch = slicer.mrmlScene.AddObserver(
        slicer.vtkMRMLScene.EndImportEvent,
        lambda *_: (
            slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0].GetSegmentation().GetNthSegment(0).Modified()
        ),
    )  # as Slicer's modules do
    with monkeypatch.context() as patch:
        patch.setattr(
            autosave, "create_owned_folder", lambda *words: begun.append(words) or create_owned_folder(*words)
        )
        reviewer.app.load_scene(scene, clear=True)
        reviewer.app.wait_until(lambda: False, 0.8)
    slicer.mrmlScene.RemoveObserver(touch)
    assert begun == [] and saved_folders(work_folder) == []
    (reviewer.node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    reviewer.set_state("liver", ReviewState.APPROVED)
    wait(reviewer, lambda: is_saved(work_folder, reviewer))


def test_what_is_drawn_just_after_the_scene_was_saved_is_saved_too(reviewer, work_folder, tmp_path):
    pieces = saved_review(work_folder).digests
    reviewer.app.save_scene(tmp_path / "scene")
    draw(reviewer, TUMOUR, first=10)
    wait(reviewer, lambda: saved_folders(work_folder) and saved_review(work_folder).digests != pieces)


def test_a_result_that_was_opened_from_its_own_file_is_saved_once_it_changes(reviewer, work_folder, tmp_path):
    reviewer.app.save_scene(tmp_path / "scene")
    (file,) = tmp_path.rglob("*.seg.nrrd")
    reviewer.app.close_scene()
    reviewer.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    reviewer.node.AddDefaultStorageNode(str(file))
    assert reviewer.node.GetStorageNode().ReadData(reviewer.node)
    wait(reviewer, lambda: not saved_folders(work_folder))
    reviewer.set_state("liver", ReviewState.APPROVED)
    wait(reviewer, lambda: is_saved(work_folder, reviewer))


def test_a_folder_that_was_begun_for_a_restored_review_is_removed(reviewer, tmp_path):
    from TotalSegmentatorModuleLib.recovery.autosave import ReviewAutosave
    from TotalSegmentatorModuleLib.recovery.saved_review import UnsavedReview

    autosave = ReviewAutosave(tmp_path / "other", pytest.fail)
    wait(reviewer, lambda: saved_folders(tmp_path / "other"))
    (begun,) = saved_folders(tmp_path / "other")
    restored = shutil.copytree(begun, begun.with_name("restored"))
    autosave.adopt(reviewer.node, UnsavedReview(restored, read_review_file(restored)))
    wait(reviewer, lambda: not begun.exists())
    draw(reviewer, TUMOUR, first=10)
    pieces = read_review_file(restored).digests
    wait(reviewer, lambda: read_review_file(restored).digests != pieces)
    assert read_review_file(restored).digests <= {file.stem for file in restored.glob("*.z")}
    autosave.close()


def test_an_unexpected_error_does_not_end_the_saving(user, work_folder, monkeypatch):
    from TotalSegmentatorModuleLib.recovery import autosave

    def fail(_store, _data):
        raise RuntimeError

    monkeypatch.setattr(autosave, "RETRY_SECONDS", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(VoxelStore, "put", fail)
        reviewer = edited_review(user)
        warning = user.ui.messages.warningLabel
        wait(reviewer, lambda: "cannot be saved in the background. Save the scene" in warning.text)
    wait(reviewer, lambda: is_saved(work_folder, reviewer))


def test_the_review_goes_with_its_segmentation(reviewer, work_folder):
    slicer.mrmlScene.RemoveNode(reviewer.node)
    wait(reviewer, lambda: not saved_folders(work_folder))


def test_what_is_drawn_later_is_saved_too(reviewer, work_folder):
    pieces = saved_review(work_folder).digests
    draw(reviewer, TUMOUR, first=10)
    wait(reviewer, lambda: saved_review(work_folder).digests != pieces)
    files = {file.stem for file in saved_folders(work_folder)[0].glob("*.z")}
    wait(reviewer, lambda: files == saved_review(work_folder).digests)


def test_the_files_of_a_result_stay_until_its_review_is_saved(user, work_folder, monkeypatch):
    def fail(_store, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    user.add_ct()
    user.plan()
    with monkeypatch.context() as patch:
        patch.setattr(VoxelStore, "put", fail)
        user.run_job()
        shown = user.ui.messages
        assert user.app.wait_until(lambda: "cannot be saved" in shown.warningLabel.text, READY_SECONDS)
        assert len(list(results_folder(work_folder).iterdir())) == 1
        enter(user)
        assert not user.ui.unimported.resultFrame.visible  # it is in the scene
    user.app.close_scene()
    assert user.app.wait_until(lambda: not list(results_folder(work_folder).iterdir()), READY_SECONDS)


def test_a_review_of_a_slicer_that_runs_is_not_offered(reviewer, work_folder):
    enter(reviewer.user)
    assert read_owner(saved_folders(work_folder)[0]) == this_process()
    assert not reviewer.user.ui.unimported.resultFrame.visible


def test_without_its_ct_the_review_comes_back_where_it_was_if_the_user_insists(left, user, work_folder, answers):
    enter(user)
    answers += [False, True]
    user.app.click(user.ui.unimported.importButton)
    assert user.ui.messages.resultLabel.text.startswith("Nothing was restored. Load the CT")
    assert user.segmentations == []
    assert user.ui.unimported.importButton.text == "Restore"
    user.app.click(user.ui.unimported.importButton)
    assert user.app.wait_until(lambda: len(user.segmentations) == 1, READY_SECONDS)
    assert "The CT of this result is not in the scene" in user.ui.messages.warningLabel.text
    (node,) = user.segmentations
    ct = user.add_ct(np.full(SHAPE, 40, np.int16))
    assert everything(node, ct) == left
    assert user.parameters.reviewSegmentation is node
    user.app.wait_until(lambda: False, 0.6)
    assert read_owner(saved_folders(work_folder)[0]) == this_process()


def test_a_damaged_review_is_refused_and_stays(left, user, work_folder):
    user.add_ct(np.full(SHAPE, 40, np.int16))
    enter(user)
    max(saved_folders(work_folder)[0].glob("*.z"), key=lambda file: file.stat().st_size).write_bytes(b"")
    user.app.click(user.ui.unimported.importButton)
    assert user.app.wait_until(lambda: user.error_code == "REVIEW_DAMAGED", READY_SECONDS)
    assert user.segmentations == []
    assert user.ui.unimported.resultFrame.visible


def test_a_review_that_is_not_wanted_is_deleted(left, user, work_folder, answers):
    enter(user)
    answers += [False, True]
    user.app.click(user.ui.unimported.discardButton)
    assert saved_folders(work_folder)
    user.app.click(user.ui.unimported.discardButton)
    assert user.app.wait_until(lambda: not saved_folders(work_folder), READY_SECONDS)
    assert not user.ui.unimported.resultFrame.visible


def test_segments_that_become_others_while_they_are_saved_are_saved_anew(reviewer, tmp_path, monkeypatch):
    from TotalSegmentatorModuleLib.recovery import snapshot

    monkeypatch.setattr(snapshot, "WORK_SECONDS", 0.0)
    monkeypatch.setattr(snapshot, "PIECE_BYTES", 1)
    (tmp_path / "saved").mkdir()
    saving = snapshot.save_review(reviewer.node.GetID(), tmp_path / "saved", "", snapshot.Written())
    next(saving)
    reviewer.node.GetSegmentation().RemoveSegment(TUMOUR)
    with pytest.raises(StopIteration) as end:
        next(saving)
    assert end.value.value is False
    assert not (tmp_path / "saved" / "review.json").exists()
