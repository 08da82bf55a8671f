"""The panel in the space that Slicer gives it: it keeps its width, and nothing in it is squeezed or cut off.

The stand-in plays what Slicer does there (Testing/desktop/application/module_panel.py).
"""

from __future__ import annotations

import random
import re

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import soft_tissue_with_air
from panel_support import GRID, MODULE
from setup_user import ENGINE_ITEM, MODEL_ITEM, SetupUser
from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS

WIDTHS = (370, 460, 600)
SMALL_SCREEN = 352
"""What two slice views side by side leave on a screen of 1024 px: they need 666 (Slicer 5.13)."""
LONG_NAME = "CT thorax and abdomen with contrast agent, portal venous phase, 1.5 mm, iterative reconstruction"
UNBROKEN = (
    r"C:\Users\Administrator\AppData\Local\TotalSegmentatorModule\models\Dataset900_PhantomDemo104__nnUNetTrainer"
)
LONG_TEXT = "This sentence goes on and on, so that it needs more than one line in a panel of any width. " * 3
SECTIONS = ("queue", "review", "export", "compare", "advanced", "setup", "log")


@pytest.fixture(params=WIDTHS)
def width(request, app):
    app.resize_window(request.param + 500, 768)
    return request.param


def settle(app) -> None:
    for _ in range(3):
        app.process_events()


def check(app, width: int, when: str) -> None:
    settle(app)
    assert app.panel_width == width, when
    assert app.cut_off() == [], when


def section(user, name: str):
    return getattr(user.ui, name).collapsibleButton


def open_all(user) -> None:
    for name in (*SECTIONS, "export_options"):
        section(user, name).collapsed = False


def wrapped_labels(user) -> list:
    return [label for label in user.widget.parent.findChildren("QLabel") if label.wordWrap]


# -- module switches ---------------------------------------------------------------------------------------------------


def test_each_section_keeps_its_rows_after_ten_module_switches(user, app, width):
    user.add_ct(soft_tissue_with_air(), LONG_NAME)
    user.plan()
    user.run_job()
    app.set_panel_width(width)
    check(app, width, "after a job")
    for switch in range(10):
        app.leave_module()
        app.enter_module()
        check(app, width, f"after switch {switch + 1}")
        if switch in (0, 9):  # what grows with each switch shows after the last, what a first one breaks at once
            for name in SECTIONS:
                section(user, name).collapsed = False
                check(app, width, f"{name} opened after switch {switch + 1}")
            for name in SECTIONS:
                section(user, name).collapsed = True


def test_a_small_screen_has_room_for_the_views_beside_all_sections(user, app):
    """Slicer's window would become wider than the screen."""
    app.resize_window(1024, 768)
    app.set_panel_width(SMALL_SCREEN)
    user.add_ct(soft_tissue_with_air(), LONG_NAME)
    user.plan()
    user.run_job()
    user.ui.messages.absentButton.setText("104 structures were not found in this scan, or no more are looked for")
    user.ui.messages.absentButton.setVisible(True)
    open_all(user)
    settle(app)
    assert app.panel_width == SMALL_SCREEN


def test_sections_in_any_order_between_switches(user, app, width):
    app.set_panel_width(width)
    chance = random.Random(width)
    for step in range(20):
        if chance.random() < 0.5:
            app.leave_module()
            app.enter_module()
        name = chance.choice(SECTIONS)
        section(user, name).collapsed = not section(user, name).collapsed
        check(app, width, f"step {step + 1}: {name}")


# -- texts -------------------------------------------------------------------------------------------------------------


def sentences() -> list[str]:
    """Every error and warning, with something long for each value."""
    texts = [f"{row.what} {row.todo}" for row in (ERRORS | WARNINGS).values()]
    return [re.sub(r"\{[^}]*\}", "Dataset900_PhantomDemo104", text) for text in texts]


def test_every_error_and_warning_fits(user, app, width):
    app.set_panel_width(width)
    messages, page, task = user.ui.messages, user.ui.install_page, user.ui.export_task
    section(user, "export").collapsed = False
    for frame in (messages.messagesWidget, messages.errorFrame, messages.warningFrame, task.errorFrame):
        frame.setVisible(True)
    for frame in (page.pageFrame, page.errorFrame, page.warningFrame, task.warningFrame):
        frame.setVisible(True)
    texts = sentences()
    longest_code = max(ERRORS, key=len)
    for first in range(0, len(texts), 8):
        some = texts[first : first + 8]
        for place, ui in enumerate((messages, page, task)):
            ui.errorWhatLabel.setText(some[place % len(some)])
            ui.errorTodoLabel.setText(some[-1 - place % len(some)])
            ui.errorCodeLabel.setText(f"Code: {longest_code}")
            ui.warningLabel.setText("\n\n".join(some))
        check(app, width, f"sentences from {first}")


@pytest.mark.parametrize("text", ["", "Short.", LONG_TEXT, UNBROKEN, f"Folder: {UNBROKEN}. {LONG_TEXT}"])
def test_any_text_fits_any_wrapped_label(user, app, text):
    open_all(user)
    for frame in user.widget.parent.findChildren("QFrame"):
        if frame.objectName.endswith("Frame"):
            frame.setVisible(True)
    for width in WIDTHS:
        app.resize_window(width + 500, 768)
        app.set_panel_width(width)
        for label in wrapped_labels(user):
            label.setVisible(True)
            label.setText(text)
        check(app, width, f"{width} px")


def test_words_are_broken_only_where_they_have_no_room(user, app):
    label = user.ui.messages.resultLabel
    for widget in (user.ui.messages.messagesWidget, label):
        widget.setVisible(True)
    label.setText(UNBROKEN)
    app.resize_window(2000, 768)
    for width, is_broken in ((370, True), (1200, False), (370, True)):
        app.set_panel_width(width)
        settle(app)
        assert ("\u200b" in label.text) is is_broken, width
        assert label.text.replace("\u200b", "") == UNBROKEN
    label.setText("Another text.")
    settle(app)
    assert label.text == "Another text."


def test_a_broken_word_is_copied_whole(user, app):
    label = user.ui.messages.resultLabel
    for widget in (user.ui.messages.messagesWidget, label):
        widget.setVisible(True)
    label.setText(f"Folder: {UNBROKEN}")
    app.set_panel_width(370)
    settle(app)
    label.setSelection(len("Folder: "), len(label.text) - len("Folder: "))
    label.setFocus()
    settle(app)
    assert "\u200b" in label.selectedText
    slicer.app.clipboard().setText(label.selectedText)  # what its menu does
    app.process_events()
    assert slicer.app.clipboard().text() == UNBROKEN


def test_a_label_is_as_high_again_when_its_text_is_shorter(user, app, width):
    app.set_panel_width(width)
    label = user.ui.messages.resultLabel
    for widget in (user.ui.messages.messagesWidget, label):
        widget.setVisible(True)
    heights = []
    for text in ("Short.", LONG_TEXT, "Short."):
        label.setText(text)
        check(app, width, text)
        heights.append(label.height)
    assert heights[0] == heights[2] < heights[1]


# -- pages and choices -------------------------------------------------------------------------------------------------


def test_set_up_page_keeps_the_width(user, app, width):
    licence = "BSD-3-Clause, Apache-2.0 and MIT; CUDA libraries under NVIDIA's licence agreement"
    installer = SetupUser(user)
    installer.plans(
        {**ENGINE_ITEM, "title": "Engine packages for NVIDIA graphics cards (CUDA 12.4)", "licence": licence},
        {**MODEL_ITEM, "purpose": "Dataset297_TotalSegmentator_total_3mm_1559subj and four further networks"},
        free_bytes=1000,
    )
    app.set_panel_width(width)
    installer.ask()
    check(app, width, "offer")
    installer.install("slow")
    installer.wait_for_half()
    check(app, width, "installing")
    app.click(user.ui.install_page.cancelButton)
    installer.wait(lambda: user.ui.install_page.installButton.visible)
    check(app, width, "cancelled")
    installer.install("fail")
    installer.wait(lambda: user.ui.install_page.errorFrame.visible)
    check(app, width, "failed")


def test_choices_of_the_export_keep_the_width(user, app, width):
    app.set_panel_width(width)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", LONG_NAME)
    for number in range(40):
        node.GetSegmentation().AddEmptySegment(f"s{number}", f"structure with a long name {number}")
    user.ui.export.segmentationSelector.setCurrentNode(node)
    open_all(user)
    for combo in (user.ui.export.formatComboBox, user.ui.export.structuresComboBox):
        for index in range(combo.count):
            combo.setCurrentIndex(index)
            check(app, width, combo.currentText)
        combo.setCurrentIndex(0)


def test_choices_of_the_comparison_keep_the_width(user, app, width):
    app.set_panel_width(width)
    for name in (LONG_NAME, f"{LONG_NAME}, edited"):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.GetSegmentation().AddEmptySegment("liver", "liver")
        user.ui.compare.segmentationSelector.setCurrentNode(node)
        user.ui.compare.otherSelector.setCurrentNode(node)
    section(user, "compare").collapsed = False
    combo = user.ui.compare.otherKindComboBox
    for index in range(combo.count):
        combo.setCurrentIndex(index)
        check(app, width, combo.currentText)
    combo.setCurrentIndex(0)


def test_names_of_nodes_do_not_widen_the_panel(app):
    app.add_volume(soft_tissue_with_air(), GRID, LONG_NAME)  # before the list is made
    widget = app.open_module(MODULE)
    for name in SECTIONS:
        getattr(widget.ui, name).collapsibleButton.collapsed = False
    app.set_panel_width(370)
    check(app, 370, "at the start")
    app.add_volume(soft_tissue_with_air(), GRID, LONG_NAME + ", second")
    check(app, 370, "after another CT")


def test_the_department_server_keeps_the_width(user, app):
    section(user, "setup").collapsed = False
    for width in WIDTHS:
        app.resize_window(width + 500, 768)
        app.set_panel_width(width)
        for host in ("ct", "segmentation-server-of-the-radiology-department." * 3 + "example"):
            user.ui.setup.serverLineEdit.setText(f"tls://{host}:8786")
            user.ui.inputs.runOnComboBox.setCurrentIndex(1)
            user.ui.inputs.runOnComboBox.activated.emit(1)
            check(app, width, host)
            assert user.ui.inputs.leavesLabel.visible


def test_progress_keeps_the_width(user, app, width):
    app.set_panel_width(width)
    user.add_ct()
    user.plan("predicting", "wait")
    user.click_apply()
    settle(app)
    progress = user.ui.progress
    for stage in ("Resampling the labels to the CT's grid", "Segmenting, step 1234 of 1904"):
        progress.stageLabel.setText(stage)
        progress.timeLeftLabel.setText("about 12 min 50 s left")
        progress.planLabel.setText(
            "First estimate: 1904 steps in 5 networks, about 2 h 10 min, needs 11.4 GB of memory (15.9 GB free)"
        )
        progress.planLabel.setVisible(True)
        check(app, width, stage)
    user.click_apply()
    user.wait_until_ready()


# -- the mouse wheel ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [500, 2600])  # the panel scrolls; everything has room
def test_wheel_changes_no_list_and_no_number_without_focus(user, app, height):
    app.resize_window(1024, height)
    open_all(user)
    settle(app)
    ui = user.ui
    lists = (ui.inputs.presetComboBox, ui.inputs.deviceComboBox, ui.export.formatComboBox, ui.export.namesComboBox)
    user.ui.log.textEdit.setFocus()
    for combo in lists:
        index = combo.currentIndex
        app.wheel(combo, -1)
        app.wheel(combo, -1)  # the first turn of the wheel must not have given it the focus either
        assert combo.currentIndex == index, combo.objectName
    for spin in (ui.advanced.smallestIslandSpinBox, ui.export_options.islandSpinBox):
        app.wheel(spin, 2)
        app.wheel(spin, 2)
        assert spin.value == 0, spin.objectName


def test_wheel_turns_the_list_that_has_the_focus(user, app):
    app.resize_window(1024, 2600)
    combo = user.ui.inputs.presetComboBox
    combo.setFocus()
    app.process_events()
    index = combo.currentIndex
    app.wheel(combo, -1)
    assert combo.currentIndex == index + 1
