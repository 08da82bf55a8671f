"""What a new scene begins with, which devices are offered, and the question before segments are replaced."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from fake_setup import put_models
from TotalSegmentatorSetup.packages import nvidia_driver
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.user_folders import default_models_folder

MODELS = list(read_catalogue())


def choose(combo, data: str) -> None:
    index = combo.findData(data)
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def devices_of(user) -> list[str]:
    combo = user.ui.inputs.deviceComboBox
    return [combo.itemData(index) for index in range(combo.count)]


@pytest.fixture
def card(monkeypatch):
    """A computer with an NVIDIA card."""
    from TotalSegmentatorModuleLib.model_choice import device_choices

    monkeypatch.setattr(device_choices, "has_card", lambda: True)


@pytest.fixture
def memory(monkeypatch):
    """Enough of it for any quality."""
    from TotalSegmentatorModuleLib.model_choice import recommendation

    monkeypatch.setattr(recommendation, "memory_bytes", lambda: 64 << 30)


# -- a new scene -------------------------------------------------------------------------------------------------------


def test_a_new_scene_begins_with_the_recommended_quality_until_one_is_chosen(user, app):
    assert user.chosen_model == "104-3mm"
    assert user.ui.inputs.qualityHintLabel.text.startswith("3 mm is recommended: it runs on the processor")

    app.click(user.ui.inputs.fineRadioButton)
    app.close_scene()
    assert user.chosen_model == "104-1.5mm"


def test_with_a_graphics_card_the_fine_quality_is_recommended(card, memory, user, app):
    assert user.chosen_model == "104-1.5mm"
    assert "1.5 mm is recommended: this computer has a graphics card" in user.ui.inputs.qualityHintLabel.text

    choose(user.ui.inputs.deviceComboBox, "cpu")
    assert user.chosen_model == "104-3mm"


def test_a_model_of_one_region_is_never_suggested(user, app):
    put_models(["teeth", "body-6mm", "117-6mm"], default_models_folder())
    app.close_scene()
    assert user.chosen_model == "104-3mm"

    put_models(["117-1.5mm"], default_models_folder())
    app.close_scene()
    assert user.chosen_model == "117-1.5mm"  # it is there, and 3 mm would be a download


def test_choices_survive_closing_the_scene(user, app):
    model = MODELS[2]
    user.choose_model(model)
    choose(user.ui.inputs.deviceComboBox, "cpu")

    app.close_scene()

    assert user.parameters.model == model and user.parameters.device == "cpu"
    assert user.chosen_model == model
    assert user.ui.inputs.deviceComboBox.itemData(user.ui.inputs.deviceComboBox.currentIndex) == "cpu"


def test_own_folder_survives_closing_the_scene(user, app):
    user.choose_model_folder("/models/own")

    app.close_scene()

    assert user.parameters.model == "" and user.parameters.modelFolder == "/models/own"
    assert user.ui.advanced.modelFolderPathLineEdit.currentPath == "/models/own"
    assert not user.ui.advanced.modelFolderPathLineEdit.isHidden()


def test_choices_survive_the_session(user, app):
    user.choose_model(MODELS[3])
    app.close_scene()

    user.widget = app.reload_module()

    assert user.parameters.model == MODELS[3]


def test_choices_of_a_saved_scene_come_first(user, app, tmp_path):
    user.choose_model(MODELS[1])
    choose(user.ui.inputs.deviceComboBox, "cpu")
    path = app.save_scene(tmp_path)
    app.close_scene()
    user.choose_model(MODELS[4])
    choose(user.ui.inputs.deviceComboBox, "auto")
    app.close_scene()

    app.load_scene(path)

    assert user.parameters.model == MODELS[1] and user.parameters.device == "cpu"


# -- devices -----------------------------------------------------------------------------------------------------------


def test_a_card_is_offered_where_there_is_one(card, user):
    assert devices_of(user) == ["auto", "cpu", "cuda"]


def test_no_card_is_offered_where_there_is_none(monkeypatch, app):
    from TotalSegmentatorModuleLib.model_choice import device_choices

    monkeypatch.setattr(device_choices, "has_card", lambda: False)

    assert dict(device_choices.device_choices()) == {"auto": "Automatic", "cpu": "Processor (CPU)"}


@pytest.mark.parametrize(
    ("machine", "version", "is_offered"),
    [
        ("arm64", "Darwin Kernel Version 23.5.0: root:xnu-10063/RELEASE_ARM64_T6000", True),
        ("x86_64", "Darwin Kernel Version 23.5.0: root:xnu-10063/RELEASE_ARM64_T6000", True),
        ("x86_64", "Darwin Kernel Version 22.6.0: root:xnu-8796/RELEASE_X86_64", False),
    ],
)
def test_apples_gpu_is_offered_on_apple_silicon_only(app, monkeypatch, machine, version, is_offered):
    from TotalSegmentatorModuleLib.model_choice import device_choices

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(device_choices.platform, "machine", lambda: machine)
    monkeypatch.setattr(device_choices.platform, "version", lambda: version)

    assert ("mps" in dict(device_choices.device_choices())) == is_offered


def test_device_of_a_scene_from_another_computer_becomes_automatic(user, app, tmp_path):
    user.parameters.isModelChosen = True
    user.parameters.device = "mps"
    path = app.save_scene(tmp_path)
    app.close_scene()

    app.load_scene(path)

    assert user.parameters.device == "auto"
    assert user.ui.inputs.deviceComboBox.currentText == "Automatic"


@pytest.mark.skipif(sys.platform != "linux", reason="the places of Linux")
@pytest.mark.parametrize(
    ("files", "has_card"),
    [
        ([], False),
        (["proc/driver/nvidia/version", "dev/nvidiactl"], False),
        (["proc/driver/nvidia/gpus/0000:01:00.0/information"], True),
        (["dev/nvidia0", "dev/nvidiactl"], True),
        (["dev/dxg"], False),
        (["dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"], True),
    ],
)
def test_card_is_found_without_asking_a_program(tmp_path: Path, files, has_card):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert nvidia_driver.has_card(tmp_path) is has_card


# -- the question ------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled_output(user):
    user.add_ct()
    user.plan()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Liver of Monday")
    for name in ("liver", "spleen", "tumour"):
        node.GetSegmentation().AddEmptySegment(name, name)
    user.parameters.outputSegmentation = node
    user.app.process_events()
    return node


@pytest.mark.parametrize(("structures", "remains"), [("spleen", "only: spleen."), ("", "all structures of the model")])
def test_question_says_what_goes_and_what_remains_and_enter_cancels(user, app, filled_output, structures, remains):
    import qt

    asked = []

    def press_enter(box):
        buttons = [box.button(kind) for kind in (qt.QMessageBox.Ok, qt.QMessageBox.Cancel)]
        asked.append((box.text, [button.text for button in buttons]))
        return qt.QMessageBox.Ok if box.defaultButton() is buttons[0] else qt.QMessageBox.Cancel

    user.parameters.structures = structures

    with app.everyday_mode(press_enter):
        user.click_apply()

    ((text, (accept, cancel)),) = asked
    assert "All segments of 'Liver of Monday' (3), including" in text and remains in text
    assert accept == "Replace" and cancel.replace("&", "") == "Cancel"
    assert user.ui.progress.applyButton.text == "Apply"
    assert filled_output.GetSegmentation().GetNumberOfSegments() == 3


def test_replacing_has_to_be_clicked(user, app, filled_output):
    import qt

    with app.everyday_mode(qt.QMessageBox.Ok):
        user.click_apply()
    user.wait_until_ready()

    assert filled_output.GetSegmentation().GetSegment("tumour") is None
