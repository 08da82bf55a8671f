"""The keys of the review: where they work, where they must not, and what they share with the Segment Editor."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from TotalSegmentatorWire.tables.review_state import ReviewState

BUTTONS = {
    "P": "previousButton",
    "N": "nextButton",
    "Ctrl+Z": "undoButton",
    "A": "approveButton",
    "R": "rejectButton",
    "M": "laterButton",
    "E": "editButton",
    "H": "aloneButton",
}


def editor():
    return slicer.modules.segmenteditor.widgetRepresentation().self().editor


def test_each_key_is_printed_on_its_button(ready):
    for key, name in BUTTONS.items():
        button = getattr(ready.ui, name)
        said = button.toolTip if name == "undoButton" else button.text  # whose key everybody knows
        assert f"({key})" in said


def test_a_review_by_keys_alone(ready):
    ready.press("N", "A", "R", "M")
    states = [ready.state(each) for each in ("kidney_right", "gallbladder")]
    assert states == [ReviewState.APPROVED, ReviewState.REJECTED]
    assert ready.ui.progressLabel.text == "2 of 7 judged, 1 rejected, 1 for later"
    ready.press("Ctrl+Z", "Ctrl+Z")
    assert ready.state("gallbladder") is ReviewState.UNREVIEWED
    assert ready.chosen == "gallbladder"
    ready.press("P")
    assert ready.chosen == "missing: aorta"


@pytest.mark.parametrize("view", ["Red", "Green", "Yellow"])
def test_keys_work_in_the_slice_views(ready, view):
    ready.app.focus(ready.slice_view(view))
    for key in ("N", "A", "A"):
        ready.app.press(key)
    assert ready.state("kidney_right") is ready.state("gallbladder") is ReviewState.APPROVED
    ready.app.press("Ctrl+Z")
    assert ready.state("gallbladder") is ReviewState.UNREVIEWED


def test_keys_work_at_once_when_the_user_comes_back_from_the_editor(ready):
    ready.click_row("kidney right")
    ready.press("E")
    back = ready.user.ui.edit_bar.backButton
    ready.app.focus(back)  # a click on it does so; with its panel it loses the focus again
    ready.app.click(back)
    ready.app.press("N")
    assert ready.chosen == "gallbladder"


def test_keys_work_at_once_when_the_section_is_opened_with_the_mouse(ready):
    header = ready.ui.collapsibleButton
    for is_open in (False, True):
        ready.app.focus(header)
        header.collapsed = not is_open
        ready.settle()
    ready.app.press("N")
    assert ready.chosen == "kidney right"


def test_a_result_that_arrives_leaves_the_focus_in_a_text_field(ready):
    field = ready.ui.filterLineEdit
    ready.app.focus(field)
    ready.add_result(name="another")
    ready.app.press("N")
    assert field.text.upper() == "N"


@pytest.fixture
def second_window(ready):
    """Slicer's layout for two monitors, which the user chooses while the review is open."""
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutDualMonitorFourUpView)
    ready.settle()
    return slicer.app.layoutManager().viewport("views+")


def test_keys_work_once_in_a_second_window(ready, second_window):
    manager = slicer.app.layoutManager()
    for layout in ("SlicerLayoutFourUpView", "SlicerLayoutDualMonitorFourUpView"):  # closed, and opened again
        manager.setLayout(getattr(slicer.vtkMRMLLayoutNode, layout))
        ready.settle()
    ready.app.focus(ready.slice_view("Green+"))
    for key in ("N", "A"):
        ready.app.press(key)
    assert ready.state("kidney_right") is ReviewState.APPROVED
    assert ready.chosen == "gallbladder"  # one further, not two
    ready.app.press("H")
    assert not ready.ui.aloneButton.checked
    ready.app.press("Ctrl+Z")
    assert ready.chosen == "kidney right"
    ready.app.leave_module()
    ready.app.focus(ready.slice_view("Green+"))
    ready.app.press("A")
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED


def test_a_field_in_the_bar_of_a_view_keeps_its_keys(ready, second_window):
    """As that for the offset of the slice, in qMRMLSliceControllerWidget."""
    import qt

    ready.click_row("kidney right")
    for field in (qt.QLineEdit(second_window), qt.QDoubleSpinBox(second_window)):
        field.show()
        ready.app.focus(field)
        for key in ("A", "R", "H", "5"):
            ready.app.press(key)
        assert "5" in field.text
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED
    assert ready.ui.aloneButton.checked


def test_keys_work_on_the_buttons_after_a_click(ready):
    ready.app.focus(ready.ui.nextButton)
    ready.app.press("N")
    ready.app.press("A")
    assert ready.state("kidney_right") is ReviewState.APPROVED


def test_a_text_field_keeps_its_keys(ready):
    ready.click_row("kidney right")
    ready.app.focus(ready.ui.filterLineEdit)
    for key in ("A", "R", "N", "H", "Ctrl+Z"):
        ready.app.press(key)
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED
    assert ready.ui.filterLineEdit.text == ""  # typed and undone
    assert ready.ui.aloneButton.checked
    ready.user.ui.inputs.structuresLineEdit.setText("")
    ready.app.focus(ready.user.ui.inputs.structuresLineEdit)
    ready.app.press("A")
    assert ready.user.ui.inputs.structuresLineEdit.text == "a"
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED


@pytest.mark.parametrize("obstacle", ["section closed", "module left", "no segmentation"])
def test_keys_rest_while_nothing_is_reviewed(ready, obstacle):
    ready.click_row("kidney right")
    if obstacle == "section closed":
        ready.ui.collapsibleButton.collapsed = True
    elif obstacle == "module left":
        ready.app.leave_module()
    else:
        ready.ui.segmentationSelector.setCurrentNode(None)
    ready.settle()
    ready.app.focus(ready.slice_view())
    for key in ("N", "A", "R", "M", "E", "H", "Ctrl+Z"):
        ready.app.press(key)
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED


def test_edit_opens_the_segment_editor_on_the_structure_and_back_returns_to_its_row(ready):
    before = ready.visible()
    ready.press("N", "N", "E")
    assert (editor().currentSegmentID(), editor().segmentationNode()) == ("gallbladder", ready.node)
    assert editor().sourceVolumeNode() is ready.ct
    assert ready.visible() == before  # the user edits with their own display settings
    ready.app.enter_module()
    assert ready.chosen == "gallbladder"
    assert ready.ui.structureLabel.text == "gallbladder: not reviewed"


def test_the_segment_editors_keys_are_its_own_while_it_is_open(ready):
    ready.press("N", "E")
    ready.app.focus(ready.slice_view())
    for key in ("Ctrl+Z", "Z", "Q", "N", "A"):
        ready.app.press(key)
    assert list(editor().pressedShortcuts()) == ["Ctrl+Z", "Z", "Q"]
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED
    ready.app.enter_module()
    ready.app.focus(ready.slice_view())
    ready.app.press("A")
    ready.app.press("Ctrl+Z")
    assert ready.state("kidney_right") is ReviewState.UNREVIEWED
    assert list(editor().pressedShortcuts()) == ["Ctrl+Z", "Z", "Q"]


def test_what_the_segment_editor_marks_is_there_when_the_user_comes_back(ready):
    ready.press("N", "E")
    ready.set_state("kidney_right", ReviewState.EDITED)
    ready.app.enter_module()
    assert ready.ui.structureLabel.text == "kidney right: edited"
    ready.press("A")
    assert ready.state("kidney_right") is ReviewState.APPROVED


def test_a_reloaded_module_has_each_key_once(ready):
    from review_support import ReviewUser

    ready.user.widget = ready.app.reload_module()
    again = ReviewUser(ready.user)
    again.add_result()
    again.app.focus(again.slice_view())
    again.app.press("N")
    again.app.press("A")
    assert again.state("kidney_right") is ReviewState.APPROVED
    assert again.chosen == "gallbladder"


def test_keys_without_a_chosen_structure_do_nothing(ready):
    ready.press("A", "R", "M", "E", "Ctrl+Z")
    assert ready.ui.progressLabel.text == "0 of 7 judged"
    assert ready.chosen == ""


def test_the_tab_key_goes_from_top_to_bottom(ready):
    order = ["filterLineEdit", "tg263Button", "levelComboBox", "stateComboBox", "groupComboBox", "structuresTree"]
    ready.app.focus(ready.ui.filterLineEdit)
    for name in order[1:]:
        ready.app.press("Tab")
        assert getattr(ready.ui, name).hasFocus(), name
