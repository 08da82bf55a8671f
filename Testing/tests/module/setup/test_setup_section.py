"""The panel's Installation section, with a set-up program that does what a test asks (fake_setup.py)."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer

# -- the section -------------------------------------------------------------------------------------------------------


def test_section_tells_the_state(installer, without_engine):
    installer.open_section()
    assert "not installed" in installer.ui.setup.stateLabel.text
    assert not installer.ui.setup.removeButton.enabled
    installer.ask()
    installer.plans(outdated=True)
    installer.install()
    installer.wait(lambda: installer.ui.setup.updateButton.enabled)

    assert "Click Update" in installer.ui.setup.stateLabel.text
    details = installer.ui.setup.detailsLabel.text
    assert "torch 2.13.0" not in details
    assert not installer.ui.setup.versionsLabel.visible
    installer.app.click(installer.ui.setup.versionsButton)
    assert installer.ui.setup.versionsLabel.visible
    assert "torch 2.13.0" in installer.ui.setup.versionsLabel.text
    assert "processor" in details
    assert "engine 1.9 GB, models less than 1 MB" in details
    assert "104" in details
    assert installer.ui.setup.removeButton.enabled


def test_repair_installs_the_packages_anew_and_holds_jobs_back(installer):
    installer.user.add_ct()
    installer.open_section()
    installer.acts("slow")
    installer.app.click(installer.ui.setup.repairButton)
    installer.wait_for_half()
    assert not installer.ui.progress.applyButton.enabled
    (call,) = (call for call in installer.calls if "--repair" in call)
    assert "--models" not in call

    installer.app.click(installer.ui.install_page.cancelButton)
    installer.wait(lambda: installer.ui.progress.applyButton.enabled)


def test_remove_asks_first_and_forgets_the_log(installer, answers):
    from TotalSegmentatorModuleLib.setup.commands import log_path

    installer.open_section()
    installer.app.click(installer.ui.setup.repairButton)
    installer.wait(lambda: installer.ui.setup.removeButton.enabled)
    assert log_path().exists()

    answers[:] = [False]
    installer.app.click(installer.ui.setup.removeButton)
    assert not any(call[0] == "remove" for call in installer.calls)
    answers[:] = [True]
    installer.app.click(installer.ui.setup.removeButton)
    installer.wait(lambda: "removed" in installer.ui.setup.noteLabel.text)

    (call,) = (call for call in installer.calls if call[0] == "remove")
    assert call[1] == "--with-models"
    assert not log_path().exists()


def test_added_model_is_chosen(installer, tmp_path):
    installer.user.add_ct()
    installer.open_section()
    with installer.app.dialog_answers(str(tmp_path / "model.zip")):
        installer.app.click(installer.ui.setup.addFileButton)
    installer.wait(lambda: "added" in installer.ui.setup.noteLabel.text)

    assert installer.user.parameters.model == "117-3mm"
    (call,) = (call for call in installer.calls if call[:2] == ["models", "add"])
    assert call[2] == str(tmp_path / "model.zip")


def test_the_voxel_order_goes_with_the_next_model_that_is_added_only(installer, tmp_path):
    installer.user.add_ct()
    installer.open_section()
    orders = installer.ui.setup.voxelOrderComboBox
    assert orders.count == 50
    orders.setCurrentIndex(orders.findData("LPS"))
    with installer.app.dialog_answers(str(tmp_path / "model")):
        installer.app.click(installer.ui.setup.addFolderButton)
    installer.wait(lambda: "added" in installer.ui.setup.noteLabel.text)
    with installer.app.dialog_answers(str(tmp_path / "other")):
        installer.app.click(installer.ui.setup.addFolderButton)
    installer.wait(lambda: len([call for call in installer.calls if call[:2] == ["models", "add"]]) == 2)

    first, second = (call for call in installer.calls if call[:2] == ["models", "add"])
    assert first[2:5] == [str(tmp_path / "model"), "--orientation", "LPS"]
    assert second[2] == str(tmp_path / "other")
    assert "--orientation" not in second
    assert orders.currentIndex == 0


def test_diagnostics_name_no_folder(installer):
    from TotalSegmentatorModuleLib.setup.commands import log_path

    log_path().parent.mkdir(parents=True, exist_ok=True)
    log_path().write_text("pip failed\nin /Users/smith/data/1.2.840.113619.2.55.3\n", encoding="utf-8")
    installer.open_section()
    installer.app.click(installer.ui.setup.diagnosticsButton)
    installer.wait(lambda: "clipboard" in installer.ui.setup.noteLabel.text)

    text = slicer.app.clipboard().text()
    assert "ENGINE: it is not there." in text
    assert "pip failed" in text
    assert "smith" not in text
    assert "113619" not in text


def test_fields_reach_the_set_up_and_survive(installer, app):
    ui = installer.ui
    ui.setup.proxyLineEdit.setText("http://proxy.example:8080")
    ui.setup.certificatePathLineEdit.currentPath = "/etc/hospital.pem"
    ui.setup.indexUrlLineEdit.setText("https://index.example/simple")
    ui.setup.extraIndexUrlLineEdit.setText("https://extra.example/simple")
    ui.setup.enginesFolderPathLineEdit.currentPath = "/data/engine"
    index = ui.setup.torchVariantComboBox.findData("cpu")
    if index >= 0:
        ui.setup.torchVariantComboBox.setCurrentIndex(index)
        ui.setup.torchVariantComboBox.activated.emit(index)
    installer.ask()

    call = installer.calls[0]
    given = dict(itertools.pairwise(call))
    assert given["proxy"] == "http://proxy.example:8080"
    assert given["--certificate-file"] == "/etc/hospital.pem"
    assert given["--index-url"] == "https://index.example/simple"
    assert given["--extra-index-url"] == "https://extra.example/simple"
    assert given["--engines-folder"] == "/data/engine"
    assert index < 0 or given["--torch-variant"] == "cpu"
    again = app.reload_module().ui
    assert again.setup.proxyLineEdit.text == "http://proxy.example:8080"
    assert again.setup.torchVariantComboBox.currentIndex == max(index, 0)


def test_folder_is_opened(installer, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: not opened.append(url))
    installer.open_section()
    installer.app.click(installer.ui.setup.openFolderButton)

    assert opened[0].toLocalFile() == str(installer.folder)
    assert installer.ui.setup.noteLabel.text == ""


def test_folder_that_cannot_be_opened_is_reported(installer, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda _url: False)
    installer.open_section()
    installer.app.click(installer.ui.setup.openFolderButton)

    shown = installer.ui.setup.noteLabel.text.replace("\u200b", "")
    assert shown == f"The system could not open the folder {installer.folder}."
    assert installer.ui.setup.noteLabel.visible


def test_folder_without_packages_is_not_installed(installer, tmp_path):
    ui = installer.ui.setup
    installer.open_section()
    ui.enginePackagesPathLineEdit.currentPath = str(tmp_path)
    installer.app.process_events()
    assert "the folder chosen as own packages does not contain its packages" in ui.stateLabel.text.replace("\u200b", "")
    assert "Packages:" not in ui.detailsLabel.text

    for name in ("torch", "nnunetv2", "SimpleITK"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    ui.collapsibleButton.collapsed = True
    installer.open_section()
    assert "The engine is installed." in ui.stateLabel.text
    assert "Packages: your own" in ui.detailsLabel.text
