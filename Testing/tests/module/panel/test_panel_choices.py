"""What the panel offers, suggests and remembers."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import soft_tissue_with_air
from panel_support import GRID, MODULE


def test_only_ct_is_chosen_by_itself(user):
    assert not user.ui.progress.applyButton.enabled
    ct = user.add_ct()

    assert user.ui.inputs.inputSelector.currentNode() is ct
    assert user.ui.progress.applyButton.enabled


def test_why_apply_is_grey_stands_beside_it(user):
    why = user.ui.progress.obstacleLabel
    assert why.visible and why.text.startswith("Load a CT first")

    user.add_ct()
    assert not why.visible
    user.ui.inputs.inputSelector.setCurrentNode(None)
    user.app.process_events()
    assert why.visible and why.text == "Choose the CT to segment."
    user.ui.inputs.inputSelector.setCurrentNodeIndex(0)

    user.ui.inputs.structuresLineEdit.setText("kidny")
    assert why.visible and why.text == "Correct the structure names."


def test_ct_that_was_there_before_is_chosen_too(app):
    ct = app.add_volume(soft_tissue_with_air(), GRID, "CT")

    assert app.open_module(MODULE).ui.inputs.inputSelector.currentNode() is ct


def test_nothing_is_chosen_among_several_cts(app):
    for name in ("arterial", "venous"):
        app.add_volume(soft_tissue_with_air(), GRID, name)
    widget = app.open_module(MODULE)

    assert widget.ui.inputs.inputSelector.currentNode() is None
    assert not widget.ui.progress.applyButton.enabled


def test_the_only_ct_is_chosen_among_volumes_of_other_modalities(app):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volumes = {}
    for modality in ("MR", "CT", "PT"):
        volumes[modality] = app.add_volume(soft_tissue_with_air(), GRID, modality)
        hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(volumes[modality]), "DICOM.Modality", modality)

    assert app.open_module(MODULE).ui.inputs.inputSelector.currentNode() is volumes["CT"]


def test_a_single_volume_that_is_no_ct_is_not_chosen(app):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    mr = app.add_volume(soft_tissue_with_air(), GRID, "T2 sagittal")
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(mr), "DICOM.Modality", "MR")

    assert app.open_module(MODULE).ui.inputs.inputSelector.currentNode() is None


def test_emptied_folders_are_forgotten(user):
    from TotalSegmentatorModuleLib import settings

    user.add_ct()
    user.choose_model_folder("/my/model")
    folders = (user.ui.setup.enginePackagesPathLineEdit, user.ui.setup.modelsFolderPathLineEdit)
    for line in folders:
        line.currentPath = "/somewhere/else"
    assert (settings.engine_packages_folder(), user.parameters.modelFolder) == (Path("/somewhere/else"), "/my/model")

    for line in (user.ui.advanced.modelFolderPathLineEdit, *folders):
        line.currentPath = ""

    assert settings.engine_packages_folder() is None
    assert settings.models_folder() != Path("/somewhere/else")
    assert user.parameters.modelFolder == ""
    assert not user.ui.progress.applyButton.enabled


def test_models_that_are_missing_say_so(user):
    user.add_ct()

    assert all(
        user.ui.advanced.familyComboBox.itemText(index).endswith(", not installed")
        for index in range(user.ui.advanced.familyComboBox.count - 1)
    )
    user.click_apply()
    assert user.ui.install_page.pageFrame.visible  # which test_setup_section.py is about
    assert user.error_code == ""


def test_own_model_folder_is_asked_for_only_when_needed(user):
    user.add_ct()
    assert user.ui.advanced.modelFolderPathLineEdit.isHidden()

    user.choose_model_folder("")

    assert not user.ui.advanced.modelFolderPathLineEdit.isHidden()
    assert not user.ui.progress.applyButton.enabled


def test_unknown_structure_is_reported_at_once_with_the_nearest_names(user):
    user.add_ct()
    user.ui.inputs.structuresLineEdit.setText("spleen, kidny left")

    assert "kidny left" in user.ui.inputs.structuresHintLabel.text
    assert "kidney_left" in user.ui.inputs.structuresHintLabel.text
    assert not user.ui.progress.applyButton.enabled
    user.ui.inputs.structuresLineEdit.setText("Spleen, kidney left")
    assert not user.ui.inputs.structuresHintLabel.visible
    assert user.ui.progress.applyButton.enabled


def test_names_are_completed_after_the_last_comma(user):
    user.add_ct()
    import qt

    line = user.ui.inputs.structuresLineEdit
    line.setText("liver, kidney_l")
    line.textEdited.emit("liver, kidney_l")
    completer = line.findChild(qt.QCompleter)

    assert completer.currentCompletion() == "kidney_left"
    completer.activated.emit("kidney_left")
    assert line.text == "liver, kidney_left, "
    assert user.ui.progress.applyButton.enabled


def test_choices_survive_the_scene(user):
    ct = user.add_ct()
    user.choose_model_folder("/models/mine")
    user.ui.inputs.structuresLineEdit.setText("liver")
    user.ui.inputs.deviceComboBox.setCurrentIndex(1)
    user.ui.inputs.deviceComboBox.activated.emit(1)
    xml = slicer.mrmlScene
    xml.SetSaveToXMLString(1)
    xml.Commit()
    text = xml.GetSceneXMLString()

    fresh = slicer.vtkMRMLScene()
    fresh.SetLoadFromXMLString(1)
    fresh.SetSceneXMLString(text)
    fresh.Import()
    stored = fresh.GetFirstNode(None, "vtkMRMLScriptedModuleNode")
    assert stored.GetParameter("modelFolder") == "/models/mine"
    assert stored.GetParameter("structures") == "liver"
    assert stored.GetParameter("device") == "cpu"
    assert stored.GetNodeReferenceID("inputVolume") == ct.GetID()


def test_choices_are_shown_again_after_leaving_the_module(user, app):
    user.add_ct()
    user.ui.inputs.structuresLineEdit.setText("liver")
    app.leave_module()
    user.parameters.structures = "spleen"
    app.enter_module()

    assert user.ui.inputs.structuresLineEdit.text == "spleen"


def test_coming_back_often_leaves_one_view_of_the_choices(user, app):
    for _ in range(3):
        app.leave_module()
        app.enter_module()
    gc.collect()

    # each one reads all parameters whenever one of them changes
    assert [type(thing).__name__ for thing in gc.get_objects()].count("SegmentationParameters") == 1
