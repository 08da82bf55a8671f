"""The status that a user sets in the Segment Editor is the review state of an export, and the other way round.

Slicer's own logic (vtkSlicerSegmentationsModuleLogic) sets and reads the status, as its segment list does.
"""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from TotalSegmentatorWire.tables.review_state import ReviewState

STATUS = slicer.vtkSlicerSegmentationsModuleLogic


def segments(node):
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]


def test_completed_in_the_segment_editor_is_approved(ready, never_asked):
    ready.choose(ready.ui.export.structuresComboBox, "approved")
    ready.click()
    assert ready.error_code == "EXPORT_NOTHING_CHOSEN"
    assert "status Completed" in ready.ui.export_task.errorTodoLabel.text

    STATUS.SetSegmentStatus(segments(ready.node)[0], STATUS.Completed)
    ready.export()
    assert ready.argument("--states") == "approved"
    assert ready.error_code == ""


def test_when_all_are_completed_nothing_is_asked(ready, never_asked):
    for segment in segments(ready.node):
        STATUS.SetSegmentStatus(segment, STATUS.Completed)
    ready.export()
    assert ready.written


def test_flagged_ones_are_asked_about(ready, answers):
    first, *others = segments(ready.node)
    STATUS.SetSegmentStatus(first, STATUS.Flagged)
    for segment in others:
        STATUS.SetSegmentStatus(segment, STATUS.Completed)
    answers[:] = [False]
    ready.click()
    assert ready.calls == []


def test_the_status_reaches_the_engine(ready, never_asked):
    from TotalSegmentatorModuleLib.scene.review_tags import segment_tags

    first, *_others = segments(ready.node)
    STATUS.SetSegmentStatus(first, STATUS.Completed)
    assert segment_tags(first)["Segmentation.Status"] == "completed"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (ReviewState.UNREVIEWED, STATUS.NotStarted),
        (ReviewState.EDITED, STATUS.InProgress),
        (ReviewState.APPROVED, STATUS.Completed),
        (ReviewState.NEEDS_ATTENTION, STATUS.Flagged),
        (ReviewState.REJECTED, STATUS.Flagged),
    ],
)
def test_slicer_shows_what_is_written_and_a_click_there_counts(ready, state, status):
    from TotalSegmentatorModuleLib.scene.review_tags import set_state, state_of

    first = segments(ready.node)[0]
    assert state_of(first) is ReviewState.UNREVIEWED
    set_state(first, state)
    assert STATUS.GetSegmentStatus(first) == status
    assert state_of(first) is state
    STATUS.SetSegmentStatus(first, STATUS.Completed)
    assert state_of(first) is ReviewState.APPROVED
    STATUS.SetSegmentStatus(first, STATUS.NotStarted)
    assert state_of(first) is ReviewState.UNREVIEWED


def test_what_the_export_finds_edited_is_in_progress_in_slicer(ready, answers):
    first, second = segments(ready.node)[:2]
    STATUS.SetSegmentStatus(second, STATUS.Completed)
    ids = [ready.node.GetSegmentation().GetNthSegmentID(index) for index in (0, 1)]
    ready.tells_edited(*ids)
    answers[:] = [True]
    ready.export()

    assert STATUS.GetSegmentStatus(first) == STATUS.InProgress
    assert STATUS.GetSegmentStatus(second) == STATUS.Completed
    time = first.GetMTime()
    answers[:] = []
    ready.export()
    assert first.GetMTime() == time, "writing it again would clear the Segment Editor's redo"


def test_a_status_that_was_set_meanwhile_counts_as_an_edit_of_the_output(ready):
    from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice

    choice = OutputChoice(ready.node)
    STATUS.SetSegmentStatus(segments(ready.node)[0], STATUS.Flagged)
    assert choice.resolve() is None


def test_status_survives_the_scene_and_a_segmentation_file(ready, tmp_path):
    from TotalSegmentatorModuleLib.scene.review_tags import set_state, state_of

    set_state(segments(ready.node)[0], ReviewState.REJECTED)
    STATUS.SetSegmentStatus(segments(ready.node)[1], STATUS.Completed)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(tmp_path / "saved.seg.nrrd"))
    assert storage.WriteData(ready.node)
    read = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(read)
    assert [state_of(segment) for segment in segments(read)[:2]] == [ReviewState.REJECTED, ReviewState.APPROVED]
