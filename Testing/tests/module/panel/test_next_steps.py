"""After a run: the line about the result, what was not found, and the buttons with which one goes on."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from panel_support import GRID
from review_support import ReviewUser, result_of, review_of
from setup_user import ENGINE_ITEM, MODEL_ITEM, SetupUser

LOW, HIGH = 700, 2600
"""Heights of the window: in the first one the panel scrolls."""
SECTIONS = ("review", "export", "compare", "advanced", "setup", "log")


@pytest.fixture
def reviewer(user) -> ReviewUser:
    user.app.resize_window(1024, HIGH)
    return ReviewUser(user)


@pytest.fixture
def messages(user):
    return user.ui.messages


def collapsed(user) -> dict[str, bool]:
    return {name: getattr(user.ui, name).collapsibleButton.collapsed for name in SECTIONS}


def scroll_area(widget):
    area = widget.parent()
    while not area.inherits("QScrollArea"):
        area = area.parent()
    return area


def is_in_sight(app, widget) -> bool:
    app.process_events()
    return not widget.visibleRegion().isEmpty()


# -- what was not found ------------------------------------------------------------------------------------------------


def test_what_was_not_found_is_one_line_until_it_is_asked_for(user, app, reviewer, messages):
    image, header = result_of(GRID, 6, review_of(()))
    names = [f"rib_left_{number}" for number in range(1, 13)] + ["colon", "brain"]
    ct = user.add_ct()
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result

    node = import_result([image], header, ImportTarget(ct, None, ""))
    reviewer.panel.result_arrived(node, dataclasses.replace(header, absent=names))
    app.process_events()

    assert messages.absentButton.text == "14 structures were not found in this scan"
    assert "rib" not in messages.resultLabel.text and not messages.absentLabel.visible
    app.click(messages.absentButton)
    assert messages.absentLabel.visible
    assert messages.absentLabel.text == "rib left 1-12, colon, brain"
    app.click(messages.absentButton)
    assert not messages.absentLabel.visible
    assert "rib left 1-12, colon, brain" in user.ui.log.textEdit.toPlainText()


def test_nothing_is_said_where_all_was_found(reviewer, messages):
    reviewer.add_result()
    assert messages.resultLabel.text.startswith("6 structures found")
    assert not messages.absentButton.visible


# -- the buttons -------------------------------------------------------------------------------------------------------


def test_surfaces_are_shown_and_hidden_beside_the_result(reviewer, messages):
    node = reviewer.add_result()
    reviewer.app.click(messages.showIn3DButton)
    reviewer.wait(lambda: messages.showIn3DButton.text == "Hide 3D")
    assert not messages.showIn3DProgressBar.visible
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    assert reviewer.user.ui.review_figures.threeDButton.text == "Hide 3D"
    reviewer.app.click(messages.showIn3DButton)
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_making_surfaces_shows_how_far_it_is_and_can_be_cancelled(reviewer, messages):
    node = reviewer.add_result(count=104, shape=(80, 80, 80))
    reviewer.app.click(messages.showIn3DButton)
    reviewer.wait(lambda: messages.showIn3DProgressBar.value > 0)
    assert messages.showIn3DProgressBar.visible and messages.showIn3DProgressBar.maximum == 104
    assert messages.showIn3DButton.text == "Cancel 3D"
    reviewer.app.click(messages.showIn3DButton)
    assert messages.showIn3DButton.text == "Show 3D" and not messages.showIn3DProgressBar.visible
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_surfaces_are_those_of_the_result_though_another_one_is_reviewed(reviewer, messages):
    result = reviewer.add_result(name="first")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    other.GetSegmentation().AddEmptySegment("liver")
    reviewer.ui.segmentationSelector.setCurrentNode(other)
    reviewer.app.process_events()
    reviewer.app.click(messages.showIn3DButton)
    reviewer.wait(lambda: messages.showIn3DButton.text == "Hide 3D")
    assert reviewer.ui.segmentationSelector.currentNode() is result
    assert result.GetSegmentation().ContainsRepresentation("Closed surface")


def test_review_opens_the_section_on_the_result(reviewer, messages):
    node = reviewer.add_result(height=LOW)
    reviewer.ui.collapsibleButton.collapsed = True
    reviewer.ui.segmentationSelector.setCurrentNode(None)
    reviewer.app.click(messages.reviewResultButton)
    reviewer.app.process_events()
    assert reviewer.ui.segmentationSelector.currentNode() is node
    assert is_in_sight(reviewer.app, reviewer.tree)
    assert reviewer.ui.headlineLabel.text == "1 wrong?, 2 to check, 2 cut by the scan"


def test_editor_opens_on_the_result_and_its_ct(reviewer, messages):
    node = reviewer.add_result()
    reviewer.app.click(messages.editResultButton)
    assert not reviewer.user.widget.parent.isEntered
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    assert editor.segmentationNode() is node
    assert editor.sourceVolumeNode() is reviewer.ct


def test_export_opens_on_the_result(reviewer, messages):
    node = reviewer.add_result(height=LOW)
    export = reviewer.user.ui.export
    export.segmentationSelector.setCurrentNode(None)
    reviewer.app.click(messages.exportResultButton)
    assert export.segmentationSelector.currentNode() is node
    assert is_in_sight(reviewer.app, export.formatComboBox)


def test_buttons_go_with_the_segmentation(reviewer, messages):
    node = reviewer.add_result()
    assert messages.nextWidget.visible
    slicer.mrmlScene.RemoveNode(node)
    assert not messages.nextWidget.visible
    reviewer.add_result()
    assert messages.nextWidget.visible
    reviewer.app.close_scene()
    assert not messages.nextWidget.visible


def test_buttons_go_when_something_else_is_said(user, reviewer, messages):
    reviewer.add_result()
    user.plan("resampling", "refuse")
    user.run_job()
    assert user.error_code == "MEMORY_SHORT"
    assert not messages.nextWidget.visible and not messages.absentButton.visible


# -- into sight --------------------------------------------------------------------------------------------------------


def test_result_and_the_start_of_its_review_come_into_sight(reviewer, messages):
    reviewer.add_result(height=LOW)
    assert is_in_sight(reviewer.app, messages.resultLabel)
    assert is_in_sight(reviewer.app, messages.showIn3DButton)
    assert is_in_sight(reviewer.app, reviewer.ui.collapsibleButton)


def test_error_comes_into_sight(user, app, messages):
    app.resize_window(1024, LOW)
    user.add_ct()
    user.plan("resampling", "refuse")
    user.ui.setup.collapsibleButton.collapsed = False
    app.process_events()
    bar = scroll_area(messages.messagesWidget).verticalScrollBar()
    bar.setValue(bar.maximum)
    user.click_apply()
    user.wait_until_ready()
    assert is_in_sight(app, messages.errorWhatLabel)


def test_progress_of_a_job_comes_into_sight(user, app):
    user.add_ct()
    user.plan("predicting", "wait")
    app.resize_window(1024, 420)
    app.click(user.ui.inputs.treeButton)
    app.process_events()
    area = scroll_area(user.ui.progress.applyButton)
    area.ensureWidgetVisible(user.ui.progress.applyButton, 0, 0)  # at the lower border
    user.click_apply()
    app.wait_until(lambda: user.ui.progress.progressFrame.visible, 10)
    app.process_events()
    assert is_in_sight(app, user.ui.progress.stageLabel)
    user.click_apply()
    user.wait_until_ready()


def test_page_of_the_set_up_comes_into_sight(user, app):
    installer = SetupUser(user)
    installer.plans(ENGINE_ITEM, MODEL_ITEM)
    app.resize_window(1024, 420)
    installer.ask()
    assert is_in_sight(app, user.ui.install_page.titleLabel)


def test_panel_does_not_move_while_a_structure_is_looked_at(reviewer, messages):
    reviewer.add_result(height=LOW)
    reviewer.click_row("kidney right")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    bar = scroll_area(messages.messagesWidget).verticalScrollBar()
    bar.setValue(bar.maximum)
    assert not is_in_sight(reviewer.app, messages.resultLabel)
    reviewer.user.widget.panel.result_arrived(other, result_of(GRID, 6, review_of(()))[1])
    reviewer.settle()
    assert not is_in_sight(reviewer.app, messages.resultLabel)


# -- one section at a time ---------------------------------------------------------------------------------------------


def test_on_a_low_screen_the_section_that_is_opened_closes_the_others(user, app):
    app.resize_window(1024, LOW)
    for name in ("export", "setup"):
        button = getattr(user.ui, name).collapsibleButton
        app.click(button)
        app.process_events()
        assert collapsed(user) == {each: each != name for each in SECTIONS}
        assert is_in_sight(app, button)
    app.click(user.ui.setup.collapsibleButton)
    assert all(collapsed(user).values())


def test_a_section_at_the_lower_border_comes_into_sight(user, app):
    app.resize_window(1024, LOW)
    app.click(user.ui.setup.collapsibleButton)
    app.process_events()
    assert is_in_sight(app, user.ui.setup.repairButton)


def test_on_a_high_screen_sections_stay_open(user, app):
    app.resize_window(1024, HIGH)
    for name in ("export", "setup"):
        app.click(getattr(user.ui, name).collapsibleButton)
    assert [name for name, is_closed in collapsed(user).items() if not is_closed] == ["export", "setup"]


def test_what_a_script_opens_closes_nothing(user, app):
    app.resize_window(1024, LOW)
    for name in ("export", "setup"):
        getattr(user.ui, name).collapsibleButton.collapsed = False
    app.process_events()
    assert [name for name, is_closed in collapsed(user).items() if not is_closed] == ["export", "setup"]
