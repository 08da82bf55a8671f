"""The time for which each structure is under review: off at first, only totals by names, deleted at will."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer


@pytest.fixture
def clock(monkeypatch, app):
    """A clock that stands still until a test moves it; signs of the user are looked for at once."""
    from TotalSegmentatorModuleLib.review.times import clock as module

    class Clock:
        seconds = 1000.0

    monkeypatch.setattr(module, "monotonic", lambda: Clock.seconds)
    monkeypatch.setattr(module, "LOOK_MS", 0)
    return Clock


@pytest.fixture(autouse=True)
def advanced(ready):
    """The section with the boxes and buttons."""
    ready.user.ui.advanced.collapsibleButton.collapsed = False


def kept() -> dict[str, float]:
    """What the file of times holds."""
    from TotalSegmentatorModuleLib.settings import review_times_file

    path = review_times_file()
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def scroll(reviewer) -> None:
    """As the mouse wheel over a slice view does it, while the mouse is at rest."""
    logic = reviewer.slice_view().sliceLogic()
    logic.SetSliceOffset(logic.GetSliceOffset() + 2.5)


def test_nothing_is_counted_until_it_is_turned_on(clock, ready):
    assert not ready.user.ui.review_times.timesCheckBox.checked
    ready.click_row("kidney right")
    clock.seconds += 30
    ready.press("N")
    ready.app.leave_module()
    assert kept() == {}
    assert (
        not ready.user.ui.review_times.deleteTimesButton.visible and not ready.user.ui.review_times.timesLabel.visible
    )


def test_minutes_add_up_by_structure_and_pauses_do_not_count(clock, ready, answers):
    ready.app.click(ready.user.ui.review_times.timesCheckBox)
    ready.click_row("kidney right")
    for _ in range(2):
        clock.seconds += 40
        scroll(ready)
        ready.settle()
    assert ready.user.ui.review_times.timesLabel.text == "1.3 min in all reviews; longest: kidney right 1.3."
    ready.click_row("gallbladder")
    clock.seconds += 61  # nobody is there
    ready.settle()
    scroll(ready)
    ready.settle()
    clock.seconds += 30
    ready.press("P")  # back to the kidney
    clock.seconds += 10
    ready.app.leave_module()
    clock.seconds += 50  # in another module
    assert kept() == {"version": 1, "seconds": {"kidney_right": 90.0, "gallbladder": 30.0}}

    ready.user.widget = ready.app.reload_module()  # as the next start
    ready.ui = ready.user.ui.review
    ready.app.enter_module()
    ready.ui.collapsibleButton.collapsed = False
    ready.ui.segmentationSelector.setCurrentNode(ready.node)
    ready.wait(lambda: ready.tree.model().rowCount() > 0)
    assert ready.user.ui.review_times.timesCheckBox.checked
    ready.click_row("missing: aorta")
    clock.seconds += 6
    ready.user.ui.advanced.collapsibleButton.collapsed = False
    ready.app.click(ready.user.ui.review_times.timesCheckBox)  # off: what was counted is kept
    clock.seconds += 6
    ready.click_row("kidney right")
    assert kept()["seconds"] == {"kidney_right": 90.0, "gallbladder": 30.0, "aorta": 6.0}
    shown = "2.1 min in all reviews; longest: kidney right 1.5, gallbladder 0.5, aorta 0.1."
    assert ready.user.ui.review_times.timesLabel.text == shown
    assert "<td>gallbladder</td><td align='right'>&nbsp;0.5&nbsp;" in ready.user.ui.review_times.timesLabel.toolTip

    answers[:] = [False, True]
    ready.app.click(ready.user.ui.review_times.deleteTimesButton)
    assert kept()
    ready.app.click(ready.user.ui.review_times.deleteTimesButton)
    assert kept() == {}
    assert (
        not ready.user.ui.review_times.deleteTimesButton.visible and not ready.user.ui.review_times.timesLabel.visible
    )


def test_editing_a_structure_counts_and_other_modules_do_not(clock, ready):
    ready.app.click(ready.user.ui.review_times.timesCheckBox)
    ready.press("N", "E")  # in the Segment Editor
    clock.seconds += 40
    scroll(ready)
    ready.settle()
    clock.seconds += 20
    ready.app.enter_module()
    ready.press("E")
    clock.seconds += 5
    ready.app.leave_module()
    assert kept()["seconds"] == {"kidney_right": 65.0}
    clock.seconds += 20
    scroll(ready)
    ready.settle()
    ready.app.enter_module()
    ready.app.leave_module()
    assert kept()["seconds"] == {"kidney_right": 65.0}


def test_names_that_the_user_gave_are_not_kept(clock, ready):
    ready.app.click(ready.user.ui.review_times.timesCheckBox)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Smith")
    for name in ("Smith lesion 1950-02-03", "Smith lesion 2"):
        node.GetSegmentation().AddEmptySegment(name, name)
    ready.ui.segmentationSelector.setCurrentNode(node)
    ready.settle()
    for row in ready.rows():
        ready.click_row(row)
        clock.seconds += 12
    ready.ui.collapsibleButton.collapsed = True
    assert kept() == {"version": 1, "seconds": {"": 24.0}}
    assert ready.user.ui.review_times.timesLabel.text == "0.4 min in all reviews; longest: other structures 0.4."


def test_nothing_is_counted_after_the_settings_were_removed(clock, ready):
    from TotalSegmentatorModuleLib import settings

    ready.app.click(ready.user.ui.review_times.timesCheckBox)
    ready.click_row("kidney right")
    clock.seconds += 12
    ready.click_row("gallbladder")
    settings.forget_all()  # as Remove... in the section Set-up does it
    clock.seconds += 12
    ready.click_row("kidney right")
    ready.app.leave_module()
    assert kept() == {}
    assert not ready.user.ui.review_times.timesCheckBox.checked


def test_a_folder_that_cannot_be_written_is_told_and_the_review_goes_on(clock, ready):
    from TotalSegmentatorModuleLib.settings import review_times_file

    review_times_file().parent.parent.mkdir(parents=True, exist_ok=True)
    review_times_file().parent.write_text("a file in place of the folder", encoding="utf-8")
    ready.app.click(ready.user.ui.review_times.timesCheckBox)
    ready.click_row("kidney right")
    clock.seconds += 12
    ready.ui.collapsibleButton.collapsed = True
    ready.ui.collapsibleButton.collapsed = False
    assert "could not be written to" in ready.user.ui.review_times.timesLabel.text
    ready.click_row("gallbladder")
    assert ready.chosen == "gallbladder"
    review_times_file().parent.unlink()
    ready.ui.collapsibleButton.collapsed = True
    assert kept()["seconds"] == {"kidney_right": 12.0, "gallbladder": 0.0}


def test_a_file_that_cannot_be_written_is_tried_once_a_minute(clock, ready, monkeypatch):
    from TotalSegmentatorModuleLib.review.times import structure_times

    tried = []

    def fails(_file, seconds) -> None:
        tried.append(sum(seconds.values()))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(structure_times, "add_totals", fails)
    ready.app.click(ready.user.ui.review_times.timesCheckBox)
    ready.click_row("kidney right")
    for _ in range(14):
        clock.seconds += 10
        scroll(ready)
        ready.settle()
    assert tried == [70.0, 140.0]
