"""Presets, the tree of structures and the quality: what is clicked becomes the models of a job."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import slicer
from fake_setup import put_models
from panel_support import PanelUser
from PIL import Image
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.user_folders import default_models_folder


@pytest.fixture
def chooser(user):
    user.add_ct()
    return user


@pytest.fixture
def orders(user, monkeypatch) -> list:
    """What Apply has started; all models count as installed."""
    from TotalSegmentatorModuleLib.segment.session import SegmentationSession

    put_models(read_catalogue(), default_models_folder())
    user.app.leave_module()
    user.app.enter_module()
    ordered: list = []
    monkeypatch.setattr(SegmentationSession, "apply", lambda _session, order: ordered.append(order))
    return ordered


def _qt():
    """There is none before the application has started."""
    import qt

    return qt


def open_tree(user: PanelUser):
    """The tree's model, with all rows made."""
    if user.ui.inputs.treeFrame.isHidden():
        user.app.click(user.ui.inputs.treeButton)
    model = user.ui.inputs.structuresTreeView.model()
    assert user.app.wait_until(lambda: len(list(rows_of(model))) > 300, 10)
    return model


def rows_of(model, above=None):
    """Index of each structure, which has no rows below it."""
    above = above if above is not None else _qt().QModelIndex()
    for row in range(model.rowCount(above)):
        index = model.index(row, 0, above)
        if model.rowCount(index):
            yield from rows_of(model, index)
        else:
            yield index


def ticked(model) -> set[str]:
    return {
        model.data(index) for index in rows_of(model) if model.data(index, _qt().Qt.CheckStateRole) == _qt().Qt.Checked
    }


def tick(user: PanelUser, model, title: str, state) -> None:
    (index,) = [index for index in rows_of(model) if model.data(index) == title]
    model.setData(index, state, _qt().Qt.CheckStateRole)
    user.app.process_events()


def requests(user: PanelUser, orders: list) -> tuple[ModelRequest, ...]:
    """What a click on Apply starts."""
    user.click_apply()
    return orders.pop().requests


def test_a_preset_for_planning_asks_several_models(orders, chooser):
    chooser.choose_model("104-1.5mm")
    chooser.choose_preset("RT thorax")

    models = {request.model for request in requests(chooser, orders)}
    assert {"104-1.5mm", "117-1.5mm", "trunk_cavities", "body"} <= models
    assert not chooser.ui.inputs.installLabel.visible


def test_a_preset_says_what_is_installed_and_what_is_drawn_by_hand(chooser):
    chooser.choose_model("104-1.5mm")
    chooser.choose_preset("RT thorax")

    text = chooser.ui.inputs.choiceLabel.text
    assert "only 8 of 13 networks have to run" in text
    assert "To draw by hand" in text and "brachial plexus" in text
    assert "of no published size" in chooser.ui.inputs.installLabel.text
    assert "Body: trunk and limbs" in chooser.ui.inputs.installLabel.toolTip
    assert chooser.ui.progress.applyButton.enabled


def test_the_whole_body_is_one_model(orders, chooser):
    chooser.choose_preset("RT thorax")
    chooser.choose_preset("Whole body")

    assert requests(chooser, orders) == (ModelRequest(chooser.parameters.model),)
    assert chooser.parameters.structures == ""


def test_boxes_and_names_are_one_choice(chooser):
    model = open_tree(chooser)
    chooser.app.click(chooser.ui.inputs.clearButton)
    assert ticked(model) == set()
    assert not chooser.ui.progress.applyButton.enabled
    assert chooser.ui.progress.obstacleLabel.text == "Choose at least one structure."

    tick(chooser, model, "liver", _qt().Qt.Checked)
    assert chooser.parameters.structures == "liver"
    assert chooser.ui.progress.applyButton.enabled

    chooser.ui.inputs.structuresLineEdit.setText("spleen, kidney left")
    chooser.app.process_events()
    assert ticked(model) == {"spleen", "kidney left"}


def test_the_search_finds_rows_by_any_of_their_names(chooser):
    model = open_tree(chooser)
    chooser.ui.inputs.searchLineEdit.setText("Glnd_Thyroid")
    chooser.app.process_events()

    assert [model.data(index) for index in rows_of(model)] == ["thyroid gland"]
    chooser.ui.inputs.searchLineEdit.setText("no such thing")
    chooser.app.process_events()
    assert chooser.ui.inputs.nothingLabel.visible and "no such thing" in chooser.ui.inputs.nothingLabel.text


def found_by(model, title: str) -> str:
    """The second column of the structure ``title``."""
    (index,) = [index for index in rows_of(model) if model.data(index) == title]
    return model.data(index.sibling(index.row(), 1))


def test_found_by_names_the_model_that_would_run(chooser):
    chooser.choose_model("104-3mm")
    model = open_tree(chooser)
    chooser.ui.inputs.structuresLineEdit.setText("liver")
    chooser.app.process_events()
    assert (found_by(model, "liver"), found_by(model, "kidney left")) == ("104", "104")
    assert (found_by(model, "spinal cord"), found_by(model, "mediastinum")) == ("117", "Trunk")

    tick(chooser, model, "spinal cord", _qt().Qt.Checked)  # which only the 117 have, and they have the rest as well
    assert (found_by(model, "liver"), found_by(model, "kidney left")) == ("117", "117")
    assert found_by(model, "mediastinum") == "Trunk"


def test_many_names_are_shown_from_the_first_one(chooser):
    line = chooser.ui.inputs.structuresLineEdit
    chooser.choose_preset("RT thorax")
    assert len(line.text) > 200 and line.cursorPosition == 0

    chooser.app.focus(line)
    chooser.app.press("End")
    assert line.cursorPosition == len(line.text)
    chooser.app.focus(chooser.ui.inputs.presetComboBox)
    assert line.cursorPosition == 0


def test_the_tree_is_used_with_keys_alone(chooser):
    inputs = chooser.ui.inputs
    model = open_tree(chooser)
    chooser.app.focus(inputs.treeButton)
    chooser.app.click(inputs.clearButton)  # which leads to the search
    assert inputs.searchLineEdit.hasFocus()
    inputs.searchLineEdit.setText("kidney")
    chooser.app.press("Down")
    view = inputs.structuresTreeView
    assert view.hasFocus() and "kidney" in model.data(view.currentIndex())
    first = model.data(view.currentIndex())

    chooser.app.press("Space")
    assert ticked(model) == {first}
    chooser.app.press("Down")
    chooser.app.press("Space")
    assert len(ticked(model)) == 2 and first in ticked(model)
    chooser.app.press("Space")
    assert ticked(model) == {first}

    chooser.app.press("Escape")
    assert inputs.searchLineEdit.hasFocus() and inputs.searchLineEdit.text == ""
    assert len(list(rows_of(model))) > 300
    inputs.searchLineEdit.setText("kidney")
    chooser.app.press("Escape")
    assert inputs.searchLineEdit.text == "" and inputs.searchLineEdit.hasFocus()


def test_enter_in_the_search_goes_to_a_structure_with_a_box(chooser):
    """Not to what is built at export or drawn by hand, which is listed first."""
    model = open_tree(chooser)
    chooser.choose_preset("RT abdomen")
    chooser.ui.inputs.searchLineEdit.setText("kidney")
    chooser.app.process_events()
    assert model.data(model.index(0, 0), _qt().Qt.CheckStateRole) is None
    chooser.ui.inputs.searchLineEdit.setFocus()
    chooser.app.press("Return")

    assert model.data(chooser.ui.inputs.structuresTreeView.currentIndex()) == "kidney left"
    chooser.app.press("Space")
    assert "kidney_left" not in chooser.parameters.structures.split(", ")


def test_nothing_can_be_chosen_while_a_job_runs(chooser):
    inputs = chooser.ui.inputs
    tool_tip = inputs.structuresTreeView.toolTip
    choices = (inputs.presetComboBox, inputs.structuresLineEdit, inputs.clearButton, inputs.presetMenuButton)
    chooser.plan("predicting", "wait")
    chooser.click_apply()
    assert not any(widget.enabled for widget in choices)
    chooser.click_apply()
    chooser.wait_until_ready()
    assert all(widget.enabled for widget in choices)
    assert inputs.structuresTreeView.toolTip == tool_tip != ""


def test_the_quality_chooses_the_model_of_the_family(orders, chooser):
    chooser.choose_model("104-3mm")
    assert requests(chooser, orders) == (ModelRequest("104-3mm"),)

    chooser.app.click(chooser.ui.inputs.fineRadioButton)
    assert requests(chooser, orders) == (ModelRequest("104-1.5mm"),)
    assert "recommended" in chooser.ui.inputs.qualityHintLabel.text


def test_few_structures_take_fewer_networks(orders, chooser):
    chooser.choose_model("104-1.5mm")
    chooser.ui.inputs.structuresLineEdit.setText("liver")
    chooser.app.process_events()

    assert requests(chooser, orders) == (ModelRequest("104-1.5mm", ("liver",)),)
    assert "only 1 of 5 networks" in chooser.ui.inputs.choiceLabel.text


def test_what_is_drawn_by_hand_stands_in_the_tree_opened_later(chooser):
    chooser.choose_preset("RT thorax")
    model = open_tree(chooser)

    assert chooser.app.wait_until(lambda: model.data(model.index(0, 0)) == "Built at export, or drawn by hand", 10)
    assert "brachial plexus left (BrachialPlex_L)" in [model.data(index) for index in rows_of(model)]


@pytest.fixture
def dark_theme(app):
    palette, former = _qt().QPalette(), slicer.app.palette()
    for role, colour in (("Window", "#353535"), ("Base", "#252525"), ("Text", "#ffffff"), ("WindowText", "#ffffff")):
        palette.setColor(getattr(_qt().QPalette, role), _qt().QColor(colour))
    slicer.app.setPalette(palette)
    yield
    slicer.app.setPalette(former)


def test_boxes_are_seen_on_a_dark_background(dark_theme, chooser, tmp_path):
    model = open_tree(chooser)
    chooser.app.click(chooser.ui.inputs.clearButton)
    view = chooser.ui.inputs.structuresTreeView
    row = view.visualRect(model.index(3, 0))
    picture = np.asarray(Image.open(chooser.app.grab(view.viewport(), tmp_path / "tree.png")).convert("L")).astype(int)
    box = picture[row.top() : row.bottom(), row.left() : row.left() + 18]  # to the left of the title
    assert box.max() - box.min() > 60


def test_an_own_preset_is_kept_for_the_next_session(chooser, monkeypatch):
    chooser.ui.inputs.structuresLineEdit.setText("liver, spleen")
    open_tree(chooser)
    above: list = []
    window = _qt().QWidget()
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: window)
    monkeypatch.setattr(_qt().QInputDialog, "getText", lambda parent, *_: above.append(parent) or "Upper abdomen")
    (save,) = [each for each in chooser.ui.inputs.presetMenuButton.menu().actions() if each.text == "&Save..."]
    save.trigger()
    chooser.app.process_events()
    combo = chooser.ui.inputs.presetComboBox
    assert combo.currentText == "Upper abdomen"
    assert above == [window]

    chooser.widget = chooser.app.reload_module()
    chooser.choose_preset("Upper abdomen")
    assert chooser.parameters.structures == "liver, spleen"
