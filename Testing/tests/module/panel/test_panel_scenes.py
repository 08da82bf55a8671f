"""Scenes that are saved, opened, added and closed, with the module shown, hidden or never opened: the panel shows what
the parameter node holds, and Apply runs on what is shown."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import soft_tissue_with_air
from panel_support import GRID, PanelUser

SELECTORS = {
    "inputVolume": lambda ui: ui.inputs.inputSelector,
    "outputSegmentation": lambda ui: ui.inputs.outputSelector,
    "exportSegmentation": lambda ui: ui.export.segmentationSelector,
    "exportCt": lambda ui: ui.export.ctSelector,
    "compareSegmentation": lambda ui: ui.compare.segmentationSelector,
    "compareCt": lambda ui: ui.compare.ctSelector,
    "compareOther": lambda ui: ui.compare.otherSelector,
}


def assert_agreement(user: PanelUser) -> None:
    """Every widget shows its parameter, and Apply is enabled where a CT is shown."""
    ui, parameters = user.ui, user.parameters
    for name, selector in SELECTORS.items():
        shown, held = selector(ui).currentNode(), getattr(parameters, name)
        assert shown is held, "{} holds {}, shown is {}".format(name, name_of(held), name_of(shown))
    device = ui.inputs.deviceComboBox
    assert user.chosen_model == parameters.model
    assert device.itemData(device.currentIndex) == parameters.device
    assert ui.advanced.modelFolderPathLineEdit.currentPath == parameters.modelFolder
    assert ui.inputs.structuresLineEdit.text == parameters.structures
    assert ui.advanced.smoothCheckBox.checked == parameters.isSmooth
    ct = ui.inputs.inputSelector.currentNode()
    assert ui.progress.applyButton.enabled == (ct is not None)
    assert ct is None or ct.GetName() in ui.progress.applyButton.toolTip


def name_of(node) -> str:
    return node.GetName() if node is not None else "nothing"


def segmentation_of(name: str):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.GetSegmentation().AddEmptySegment("liver", "liver")
    return node


@pytest.fixture
def saved(user, app, tmp_path):
    """A scene with two CTs and all choices made, saved and closed; returns its file."""
    user.add_ct(name="CT first")
    second = user.add_ct(name="CT second")
    user.plan()
    parameters = user.parameters
    parameters.inputVolume = second
    parameters.outputSegmentation = segmentation_of("chosen output")
    parameters.exportSegmentation = segmentation_of("for export")
    parameters.exportCt = second
    parameters.structures = "spleen"
    parameters.device = "cpu"
    parameters.isSmooth = True
    assert_agreement(user)
    path = app.save_scene(tmp_path / "saved")
    app.close_scene()
    assert_agreement(user)
    return path


def assert_as_saved(user: PanelUser) -> None:
    assert_agreement(user)
    inputs = user.ui.inputs
    assert name_of(inputs.inputSelector.currentNode()) == "CT second"
    assert name_of(inputs.outputSelector.currentNode()) == "chosen output"
    assert name_of(user.ui.export.segmentationSelector.currentNode()) == "for export"
    assert inputs.structuresLineEdit.text == "spleen"


@pytest.mark.parametrize("clear", [False, True])
def test_scene_opened_while_the_module_is_shown(user, app, saved, clear):
    app.load_scene(saved, clear=clear)

    assert_as_saved(user)


def test_scene_opened_while_the_module_is_hidden(user, app, saved):
    app.leave_module()
    app.load_scene(saved)
    app.enter_module()

    assert_as_saved(user)


def test_scene_opened_before_the_module(app, user, saved, monkeypatch):
    app.load_scene(saved)
    user.widget = app.reload_module()

    assert_as_saved(user)


def test_scene_added_to_one_with_choices_of_its_own(user, app, saved):
    present = user.add_ct(name="CT present")
    user.parameters.inputVolume = present

    app.load_scene(saved)

    assert_agreement(user)  # whichever it is: Slicer lets the scene that comes replace the parameters


def test_apply_runs_on_the_ct_of_the_opened_scene(user, app, saved, answers):
    app.load_scene(saved)
    shown = user.ui.inputs.inputSelector.currentNode()
    output = user.ui.inputs.outputSelector.currentNode()

    answers[:] = [True]  # the output that was saved is asked about
    user.run_job()

    assert user.error_code == ""
    assert output.GetNodeReference(output.GetReferenceImageGeometryReferenceRole()) is shown


def test_apply_never_runs_on_a_ct_that_is_not_shown(user, app):
    ct = user.add_ct()
    user.plan()
    ct.SetHideFromEditors(True)  # as a script or another module does
    slicer.mrmlScene.RemoveNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "passing by"))
    user.widget = app.reload_module()  # the selectors list anew
    user.parameters.inputVolume = ct
    app.process_events()

    assert user.ui.inputs.inputSelector.currentNode() is None
    assert not user.ui.progress.applyButton.enabled


def test_restored_scene_view_is_followed(user, app):
    first, second = user.add_ct(name="CT first"), user.add_ct(name="CT second")
    user.plan()
    user.parameters.inputVolume = second
    slicer.mrmlScene.StartState(slicer.mrmlScene.RestoreState)
    user.parameters.inputVolume = first
    slicer.mrmlScene.EndState(slicer.mrmlScene.RestoreState)
    app.process_events()

    assert_agreement(user)


# -- any order ---------------------------------------------------------------------------------------------------------


class Visitor:
    """Somebody who opens, closes and switches at random; ``shown`` says whether the module is in front."""

    def __init__(self, user: PanelUser, app, saved, seed: int) -> None:
        self.user, self.app, self.saved = user, app, saved
        self.chance = random.Random(seed)
        self.shown = True
        self.steps: list[str] = []

    def step(self) -> None:
        action = self.chance.choice(
            (self.open, self.open_cleared, self.close, self.switch, self.switch, self.add_ct, self.choose, self.delete)
        )
        self.steps.append(action.__name__)
        action()
        self.app.process_events()

    def open(self) -> None:
        self.app.load_scene(self.saved)

    def open_cleared(self) -> None:
        self.app.load_scene(self.saved, clear=True)

    def close(self) -> None:
        self.app.close_scene()

    def switch(self) -> None:
        (self.app.leave_module if self.shown else self.app.enter_module)()
        self.shown = not self.shown

    def add_ct(self) -> None:
        self.app.add_volume(soft_tissue_with_air(), GRID, "CT {}".format(len(self.steps)))

    def choose(self) -> None:
        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if volumes and self.shown:
            self.user.ui.inputs.inputSelector.setCurrentNode(self.chance.choice(volumes))

    def delete(self) -> None:
        nodes = slicer.util.getNodesByClass("vtkMRMLDisplayableNode")
        nodes = [node for node in nodes if node.IsA("vtkMRMLVolumeNode") or node.IsA("vtkMRMLSegmentationNode")]
        if nodes:
            slicer.mrmlScene.RemoveNode(self.chance.choice(nodes))


@pytest.mark.parametrize("seed", range(20))
def test_panel_and_parameters_agree_in_any_order(user, app, saved, seed):
    visitor = Visitor(user, app, saved, seed)
    for _ in range(12):
        visitor.step()
        if visitor.shown:
            try:
                assert_agreement(user)
            except AssertionError as error:
                raise AssertionError(", ".join(visitor.steps)) from error
