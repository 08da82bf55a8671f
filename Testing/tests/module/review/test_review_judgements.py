"""Judging structures: by buttons, read back from Slicer's own status, taken back, all without remarks at once."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
import vtk
from TotalSegmentatorWire.tables.review_state import APPROVED_TOGETHER_TAG, SLICER_STATUS_TAG, ReviewState


def status(segment) -> str:
    """Slicer's own."""
    return slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatusAsMachineReadableString(
        slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment)
    )


def state_cell(reviewer, name: str) -> str:
    index = reviewer.index(name)
    return index.sibling(index.row(), 0).data(11)  # Qt.AccessibleTextRole


@pytest.mark.parametrize(
    ("button", "state", "in_slicer"),
    [
        ("approveButton", ReviewState.APPROVED, "completed"),
        ("rejectButton", ReviewState.REJECTED, "flagged"),
        ("laterButton", ReviewState.NEEDS_ATTENTION, "flagged"),
    ],
)
def test_a_judgement_is_slicers_status_too_and_leads_to_the_next(ready, button, state, in_slicer):
    ready.click_row("kidney right")
    ready.app.click(getattr(ready.ui, button))
    assert ready.state("kidney_right") is state
    assert status(ready.segment("kidney_right")) == in_slicer
    assert ready.chosen == "gallbladder"


def test_a_status_set_elsewhere_is_shown(ready):
    for value, title in (("completed", "Approved"), ("flagged", "For later"), ("inprogress", "Edited")):
        ready.segment("gallbladder").SetTag(SLICER_STATUS_TAG, value)
        ready.settle()
        assert state_cell(ready, "gallbladder") == title
    assert ready.ui.progressLabel.text == "0 of 7 judged"


def test_next_and_previous_go_through_what_waits_and_begin_anew(ready):
    seen = []
    for _ in range(4):
        ready.app.click(ready.ui.nextButton)
        seen.append(ready.chosen)
    assert seen == ["kidney right", "gallbladder", "missing: aorta", "kidney right"]
    ready.app.click(ready.ui.previousButton)
    assert ready.chosen == "missing: aorta"


def test_what_is_put_off_comes_last(ready):
    ready.click_row("kidney right")
    ready.app.click(ready.ui.laterButton)
    ready.app.click(ready.ui.nextButton)
    ready.app.click(ready.ui.nextButton)
    assert ready.chosen == "gallbladder"
    ready.app.click(ready.ui.approveButton)
    assert ready.chosen == "missing: aorta"
    ready.app.click(ready.ui.rejectButton)
    assert ready.chosen == "kidney right"
    assert not ready.ui.hintLabel.visible
    ready.app.click(ready.ui.approveButton)
    assert ready.ui.hintLabel.text == "Nothing else in sight waits for a judgement; 4 structures are still open."
    assert ready.groups()[:2] == ["Wrong? (1), done", "Check (2), done"]
    ready.app.click(ready.ui.undoButton)
    assert not ready.ui.hintLabel.visible  # five are open now


def test_undo_takes_back_judgements_one_by_one(ready):
    assert not ready.ui.undoButton.enabled
    ready.click_row("kidney right")
    ready.app.click(ready.ui.approveButton)
    ready.app.click(ready.ui.rejectButton)
    ready.app.click(ready.ui.undoButton)
    assert (ready.state("gallbladder"), ready.chosen) == (ReviewState.UNREVIEWED, "gallbladder")
    assert ready.state("kidney_right") is ReviewState.APPROVED
    ready.app.click(ready.ui.undoButton)
    assert (ready.state("kidney_right"), ready.chosen) == (ReviewState.UNREVIEWED, "kidney right")
    assert not ready.ui.undoButton.enabled


def test_selected_rows_are_judged_and_taken_back_together(ready):
    ready.select("kidney right", "missing: aorta")
    ready.press("A")
    assert ready.ui.progressLabel.text == "2 of 7 judged"
    assert ready.state("kidney_right") is ReviewState.APPROVED
    assert ready.chosen == "gallbladder"
    ready.press("Ctrl+Z")
    assert ready.ui.progressLabel.text == "0 of 7 judged"


def test_undo_leaves_what_another_module_has_changed_since(ready):
    ready.click_row("kidney right")
    ready.app.click(ready.ui.approveButton)
    ready.app.click(ready.ui.approveButton)
    ready.set_state("gallbladder", ReviewState.REJECTED)
    ready.app.click(ready.ui.undoButton)
    assert ready.state("gallbladder") is ReviewState.REJECTED
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED


def test_undo_of_a_missing_structure(ready):
    ready.click_row("missing: aorta")
    ready.app.click(ready.ui.rejectButton)
    assert state_cell(ready, "missing: aorta") == "Rejected"
    ready.app.click(ready.ui.undoButton)
    assert state_cell(ready, "missing: aorta") == "Not reviewed"


def test_all_without_remarks_are_approved_after_one_question(ready, answers):
    ready.set_state("liver", ReviewState.NEEDS_ATTENTION)
    assert ready.ui.approveAllButton.text == "Approve all 2 without remarks..."
    answers.append(False)
    ready.app.click(ready.ui.approveAllButton)
    assert ready.state("stomach") is ReviewState.UNREVIEWED
    answers.append(True)
    ready.app.click(ready.ui.approveAllButton)
    assert [ready.state(each) for each in ("stomach", "kidney_left")] == [ReviewState.APPROVED] * 2
    assert ready.state("liver") is ReviewState.NEEDS_ATTENTION
    assert ready.state("spleen") is ReviewState.UNREVIEWED
    assert ready.ui.progressLabel.text == "2 of 7 judged, 2 of them approved together, 1 for later"
    assert ready.ui.approveAllButton.text == "Approve the one cut by the scan..."
    answers.append(True)
    ready.app.click(ready.ui.approveAllButton)
    assert ready.state("spleen") is ReviewState.APPROVED
    assert not ready.ui.approveAllButton.enabled


@pytest.mark.parametrize("with_cut", [False, True])
def test_the_question_offers_what_is_only_cut_too(ready, with_cut):
    import qt

    def answer(box):
        assert box.text.startswith("3 structures")
        box.checkBox().setChecked(with_cut)
        return qt.QMessageBox.Ok

    with ready.app.everyday_mode(answer):
        ready.app.click(ready.ui.approveAllButton)
    assert ready.state("liver") is ReviewState.APPROVED
    assert (ready.state("spleen") is ReviewState.APPROVED) is with_cut
    assert ready.state("kidney_right") is ready.state("gallbladder") is ReviewState.UNREVIEWED


def tag(reviewer, segment_id: str) -> str:
    value = vtk.reference("")
    reviewer.segment(segment_id).GetTag(APPROVED_TOGETHER_TAG, value)
    return str(value)


def test_the_result_remembers_what_nobody_looked_at(ready, answers):
    answers.append(True)
    ready.app.click(ready.ui.approveAllButton)
    assert [tag(ready, each) for each in ("kidney_left", "liver", "stomach", "spleen")] == ["1", "1", "1", ""]
    ready.open_group("No remarks")
    ready.click_row("liver")
    ready.app.click(ready.ui.approveButton)
    assert tag(ready, "liver") == ""
    assert "2 of them approved together" in ready.ui.progressLabel.text
    ready.app.click(ready.ui.undoButton)
    assert tag(ready, "liver") == "1"
    ready.app.click(ready.ui.undoButton)
    assert [tag(ready, each) for each in ("kidney_left", "liver", "stomach")] == ["", "", ""]
    assert ready.state("stomach") is ReviewState.UNREVIEWED


def test_an_edited_structure_is_not_approved_unseen(ready):
    ready.set_state("stomach", ReviewState.EDITED)
    assert ready.ui.approveAllButton.text == "Approve all 2 without remarks..."


def test_a_filter_for_open_ones_lets_the_review_go_on(ready):
    ready.choose(ready.ui.stateComboBox, "Still open")
    ready.click_row("kidney right")
    ready.app.click(ready.ui.approveButton)
    assert ready.rows() == ["gallbladder", "missing: aorta"]
    assert ready.chosen == "gallbladder"
