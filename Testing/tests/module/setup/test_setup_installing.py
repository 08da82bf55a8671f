"""An installation from the panel, with a set-up program that does what a test asks, and quitting meanwhile."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from fake_setup import put_models
from job_support import engine_environment, marked_processes, needs_signals
from panel_support import folders_of, wait_for
from setup_user import ENGINE_ITEM, MODEL
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.errors.problem import ERRORS

# -- installing --------------------------------------------------------------------------------------------------------


def test_progress_is_shown_and_the_order_starts_by_itself(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    assert installer.ui.install_page.stepLabel.text == "Downloading the model: Dataset1"
    assert installer.ui.install_page.amountLabel.text == "120 of 240 MB, 8.0 MB/s, about 15 s left"
    assert "files.example" in installer.ui.install_page.warningLabel.text
    assert installer.ui.install_page.cancelButton.visible
    assert "starts automatically" in installer.ui.install_page.planLabel.text
    assert not installer.ui.setup.repairButton.enabled
    assert orders == []

    installer.app.click(installer.ui.install_page.cancelButton)
    installer.wait(lambda: installer.ui.install_page.installButton.text == "Resume")
    installer.install()
    installer.wait(lambda: orders)

    assert (orders[0].requests[0].model, orders[0].ct) == (MODEL, installer.user.parameters.inputVolume)
    assert not installer.ui.install_page.pageFrame.visible
    assert "not installed" not in installer.ui.advanced.familyComboBox.currentText
    assert installer.user.error_code == ""
    assert len(folders_of("jobs")) == 0


def test_engine_is_installed_and_the_segmentation_comes_without_another_click(installer, without_engine):
    installer.plans(ENGINE_ITEM)
    installer.user.add_ct()
    installer.user.plan()
    installer.user.click_apply()
    installer.wait(lambda: installer.ui.install_page.installButton.visible)
    assert "--models" not in installer.calls[0]
    assert installer.user.segmentations == []

    installer.install()
    installer.wait(lambda: installer.user.segmentations)

    assert installer.user.segmentations[0].GetSegmentation().GetNumberOfSegments() == 2


def test_an_order_for_the_server_runs_here_if_that_is_chosen_before_the_engine_is_there(
    installer, orders, without_engine, answers
):
    installer.plans(ENGINE_ITEM)
    installer.user.add_ct()
    installer.open_section()
    installer.ui.setup.serverLineEdit.setText("tls://ct-server.hospital.example:8786")
    run_on = installer.ui.inputs.runOnComboBox
    run_on.setCurrentIndex(run_on.findText("Department server"))
    run_on.activated.emit(run_on.currentIndex)
    answers.append(True)
    installer.user.click_apply()
    installer.wait(lambda: installer.ui.install_page.installButton.visible)

    run_on.setCurrentIndex(run_on.findText("This computer"))
    run_on.activated.emit(run_on.currentIndex)
    put_models([MODEL], installer.folder / "models")
    installer.install()
    installer.wait(lambda: orders)

    assert (orders[0].requests[0].model, orders[0].server) == (MODEL, None)


@pytest.mark.parametrize(
    ("act", "code", "values"),
    [("fail", "NETWORK_NO_ROUTE", {"host": "files.example"}), ("die", "SETUP_DIED", {"status": 3})],
)
def test_failure_is_reported_and_can_be_resumed(installer, orders, act, code, values):
    installer.ask()
    installer.install(act)
    installer.wait(lambda: installer.ui.install_page.errorFrame.visible)

    assert installer.ui.install_page.errorWhatLabel.text == ERRORS[code].what.format(**values)
    assert installer.ui.install_page.errorTodoLabel.text == ERRORS[code].todo
    assert code in installer.ui.log.textEdit.toPlainText()
    assert orders == []
    assert installer.ui.install_page.installButton.text == "Resume"
    installer.install()
    installer.wait(lambda: orders)


def test_order_whose_ct_was_removed_is_dropped(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    slicer.mrmlScene.RemoveNode(installer.user.parameters.inputVolume)
    installer.app.click(installer.ui.install_page.cancelButton)
    installer.wait(lambda: installer.ui.install_page.installButton.text == "Resume")
    installer.install()
    installer.wait(lambda: "complete" in installer.ui.messages.resultLabel.text)

    assert orders == []


def test_segmentation_edited_meanwhile_is_kept(installer, orders, answers):
    ct = installer.user.add_ct()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.GetSegmentation().AddEmptySegment("tumour", "tumour")
    installer.ui.inputs.outputSelector.setCurrentNode(node)
    answers[:] = [True]
    installer.user.click_apply()
    installer.wait(lambda: installer.ui.install_page.installButton.visible)
    node.GetSegmentation().AddEmptySegment("margin", "margin")
    installer.install()
    installer.wait(lambda: orders)

    assert orders[0].output is None
    assert "a new one was created" in installer.ui.messages.warningLabel.text


def test_closing_the_scene_drops_the_order_but_not_the_installation(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    installer.app.close_scene()
    assert installer.ui.install_page.cancelButton.visible
    assert marked_processes(installer.user.mark)

    installer.app.click(installer.ui.install_page.cancelButton)
    installer.wait(lambda: installer.ui.install_page.installButton.text == "Resume")
    installer.install()
    installer.wait(lambda: not installer.ui.install_page.pageFrame.visible)
    assert orders == []


def test_engine_that_lacks_a_package_is_offered_anew(installer, monkeypatch):
    from TotalSegmentatorModuleLib.background import installed_engine

    engine = engine_environment(sys.executable, installer.user.mark, missing="torch")
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: engine)
    installer.user.widget.logic.close()
    installer.plans(ENGINE_ITEM)
    installer.user.add_ct()
    installer.user.plan()
    installer.user.click_apply()
    installer.wait(lambda: installer.ui.install_page.installButton.visible)

    assert "--repair" in installer.calls[0]
    assert installer.user.error_code == "ENGINE_MISSING"


def test_the_users_own_packages_come_first_then_the_newest_that_were_installed(app, monkeypatch, tmp_path):
    import fake_setup
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorModuleLib.background import installed_engine

    monkeypatch.setenv("TOTALSEGMENTATOR_ENGINES", str(tmp_path))
    monkeypatch.setattr(installed_engine, "has_own_packages", lambda: False)
    assert installed_engine.engine_environment().packages_folder is None
    assert not installed_engine.has_engine()

    fake_setup.put_engine(tmp_path)
    assert installed_engine.engine_environment().packages_folder == tmp_path / "py3.11-fake-0123456789ab" / "packages"
    assert installed_engine.has_engine()

    settings.set_text(settings.ENGINE_PACKAGES, "/my/packages")
    assert installed_engine.engine_environment().packages_folder == Path("/my/packages")


# -- quitting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["slow", pytest.param("deaf", marks=needs_signals)])
def test_quitting_stops_the_installation_with_all_it_started(installer, act):
    installer.ask()
    installer.install(act)
    installer.wait_for_half()
    if act == "deaf":
        installer.wait(lambda: len(marked_processes(installer.user.mark)) == 2)
    begun = time.monotonic()
    installer.app.quit()

    assert time.monotonic() - begun < READY_SECONDS
    assert wait_for(lambda: not marked_processes(installer.user.mark))


def test_an_interrupted_installation_continues_in_the_next_session(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    installer.user.widget = installer.app.reload_module()
    assert wait_for(lambda: not marked_processes(installer.user.mark))
    installer.ui = installer.user.ui
    assert not installer.ui.install_page.pageFrame.visible

    installer.user.click_apply()
    installer.wait(lambda: installer.ui.install_page.installButton.visible)
    installer.install()
    installer.wait(lambda: not installer.ui.install_page.pageFrame.visible)
    assert (installer.folder / "models").is_dir()
