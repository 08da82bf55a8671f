"""The set-up in the panel: its page, its section, and a set-up program that does what a test asks (fake_setup.py)."""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import marked_processes, needs_signals
from panel_support import folders_of, wait_for
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.errors.problem import ERRORS, Problem

MODEL = "104-1.5mm"
"""The first of the catalogue: the panel's choice where none is installed."""
ENGINE_ITEM = {
    "kind": "engine",
    "id": "cpu",
    "title": "Engine packages for the processor",
    "bytes": 502_000_000,
    "disk_bytes": 1_900_000_000,
    "host": "download.pytorch.example, pypi.example",
    "licence": "BSD-3-Clause",
    "purpose": "computes the segmentation",
    "installed": False,
}
MODEL_ITEM = {
    "kind": "model",
    "id": MODEL,
    "title": "104 structures <1.5 mm>",
    "bytes": None,
    "disk_bytes": 250_000_000,
    "host": "zenodo.example",
    "licence": "CC BY 4.0",
    "purpose": "networks; research use, not a medical device",
    "installed": False,
}


class SetupUser:
    """Somebody who installs. ``folder`` is where the fake set-up looks what to do."""

    def __init__(self, user) -> None:
        self.user, self.ui, self.app = user, user.ui, user.app
        self.folder = Path(slicer.app.temporaryPath) / "installation"
        self.acts("install")
        self.plans(MODEL_ITEM)

    def acts(self, act: str) -> None:
        (self.folder / "act").write_text(act, encoding="utf-8")

    def plans(self, *items, free_bytes=50_000_000_000, outdated=False, warnings=()) -> None:
        plan = {
            "engine": {"installed": True, "outdated": outdated},
            "items": list(items),
            "folders": {"engine": str(self.folder / "engine"), "models": str(self.folder / "models")},
            "free_bytes": free_bytes,
            "python": sys.executable,
            "device": {"kind": "cpu", "name": "processor with 8 cores"},
            "warnings": [problem.to_json() for problem in warnings],
        }
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def wait(self, condition, seconds: float = READY_SECONDS) -> None:
        assert self.app.wait_until(condition, seconds), self.describe()

    def describe(self) -> str:
        shown = [self.ui.setupTitleLabel.text, self.ui.setupStepLabel.text, self.ui.setupErrorWhatLabel.text]
        return "page {!r}, calls {}, {}".format(shown, self.calls, self.user.describe())

    def ask(self) -> None:
        """Apply with a model that is missing, up to the page."""
        self.user.add_ct()
        self.user.click_apply()
        self.wait(lambda: self.ui.setupInstallButton.visible)

    def install(self, act: str = "install") -> None:
        self.acts(act)
        self.app.click(self.ui.setupInstallButton)

    def wait_for_half(self) -> None:
        self.wait(lambda: self.ui.setupProgressBar.value == 500)

    def open_section(self) -> None:
        self.ui.setupCollapsibleButton.collapsed = False
        self.app.process_events()


@pytest.fixture
def installer(user):
    return SetupUser(user)


@pytest.fixture
def orders(user, monkeypatch):
    """Orders that reached the session, which does not start them."""
    reached = []
    monkeypatch.setattr(user.widget.logic.session, "apply", reached.append)
    return reached


@pytest.fixture
def without_engine(monkeypatch):
    """Neither Slicer's Python nor the set-up has packages."""
    from TotalSegmentatorModuleLib.background import installed_engine

    monkeypatch.setattr(installed_engine, "has_own_packages", lambda: False)


# -- the page ----------------------------------------------------------------------------------------------------------


def test_apply_tells_what_will_be_installed(installer):
    installer.plans(ENGINE_ITEM, MODEL_ITEM, warnings=[Problem("DRIVER_OLD", {"driver": "470", "needed": "525"})])
    installer.app.reset_block_clock()

    installer.ask()

    text = installer.ui.setupPlanLabel.text
    for told in (
        "Engine packages for the processor",
        "0.5 GB from download.pytorch.example, pypi.example",
        "1.9 GB on the disk",
        str(installer.folder / "engine"),
        "104 structures &lt;1.5 mm&gt;",
        "Download from zenodo.example; its size is not published; 0.2 GB on the disk",
        str(installer.folder / "models"),
        "CC BY 4.0",
        "computes the segmentation",
        "not a medical device",
        "50.0 GB free",
        "processor with 8 cores",
    ):
        assert told in text
    assert "470" in installer.ui.setupWarningLabel.text
    assert installer.calls[0][:3] == ["setup", "--models", MODEL]
    assert installer.app.longest_block_ms() < 50.0, installer.app.longest_block_name()
    assert not installer.ui.errorFrame.visible


def test_what_is_installed_already_is_not_listed(installer):
    installer.plans({**ENGINE_ITEM, "installed": True}, MODEL_ITEM)
    installer.ask()

    assert "Engine packages" not in installer.ui.setupPlanLabel.text


def test_full_disk_is_reported_before_the_download(installer):
    installer.plans(MODEL_ITEM, free_bytes=1000)
    installer.ask()

    assert "less free space" in installer.ui.setupWarningLabel.text


def test_not_now_closes_the_page_and_forgets_the_order(installer, orders):
    installer.ask()
    installer.app.click(installer.ui.setupNotNowButton)

    assert not installer.ui.setupPageFrame.visible
    assert installer.ui.applyButton.text == "Apply"
    assert orders == []


def test_bad_ct_is_reported_before_anything_is_installed(installer):
    ct = installer.user.add_ct()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(ct), "DICOM.Modality", "MR")
    installer.user.click_apply()

    assert installer.user.error_code == "INPUT_NOT_CT"
    assert not installer.ui.setupPageFrame.visible


def test_plan_that_cannot_be_made_says_why_and_can_be_asked_again(installer):
    (installer.folder / "plan.json").unlink()
    installer.ask()
    assert "Python 3.7" in installer.ui.setupErrorWhatLabel.text
    assert installer.ui.setupErrorCodeLabel.text == "Code: PYTHON_UNSUPPORTED"
    assert installer.ui.setupInstallButton.text == "Try again"

    installer.plans(MODEL_ITEM)
    installer.app.click(installer.ui.setupInstallButton)
    installer.wait(lambda: installer.ui.setupInstallButton.text == "Install")
    assert not installer.ui.setupErrorFrame.visible


def test_offline_folder_is_chosen_on_the_page(installer, tmp_path):
    installer.ask()
    installer.plans({**MODEL_ITEM, "host": ""})
    with installer.app.dialog_answers(str(tmp_path)):
        installer.app.click(installer.ui.setupOfflineButton)
    installer.wait(lambda: "From the offline folder" in installer.ui.setupPlanLabel.text)

    call = installer.calls[-1]
    assert call[call.index("--from-folder") + 1] == str(tmp_path)
    assert installer.ui.setupOfflineFolderPathLineEdit.currentPath == str(tmp_path)


# -- installing --------------------------------------------------------------------------------------------------------


def test_progress_is_shown_and_the_order_starts_by_itself(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    assert installer.ui.setupStepLabel.text == "Downloading the model: Dataset1"
    assert installer.ui.setupAmountLabel.text == "120 of 240 MB, 8.0 MB/s, about 15 s left"
    assert "files.example" in installer.ui.setupWarningLabel.text
    assert installer.ui.setupCancelButton.visible
    assert "starts by itself" in installer.ui.setupPlanLabel.text
    assert not installer.ui.setupRepairButton.enabled
    assert orders == []

    installer.app.click(installer.ui.setupCancelButton)
    installer.wait(lambda: installer.ui.setupInstallButton.text == "Resume")
    installer.install()
    installer.wait(lambda: orders)

    assert (orders[0].model, orders[0].ct) == (MODEL, installer.user.parameters.inputVolume)
    assert not installer.ui.setupPageFrame.visible
    assert "not installed" not in installer.ui.modelComboBox.currentText
    assert installer.user.error_code == ""
    assert len(folders_of("jobs")) == 0


def test_engine_is_installed_and_the_segmentation_comes_without_another_click(installer, without_engine):
    installer.plans(ENGINE_ITEM)
    installer.user.add_ct()
    installer.user.plan()
    installer.user.click_apply()
    installer.wait(lambda: installer.ui.setupInstallButton.visible)
    assert "--models" not in installer.calls[0]
    assert installer.user.segmentations == []

    installer.install()
    installer.wait(lambda: installer.user.segmentations)

    assert installer.user.segmentations[0].GetSegmentation().GetNumberOfSegments() == 2


@pytest.mark.parametrize(
    ("act", "code", "values"),
    [("fail", "NETWORK_NO_ROUTE", {"host": "files.example"}), ("die", "SETUP_DIED", {"status": 3})],
)
def test_failure_is_reported_and_can_be_resumed(installer, orders, act, code, values):
    installer.ask()
    installer.install(act)
    installer.wait(lambda: installer.ui.setupErrorFrame.visible)

    assert installer.ui.setupErrorWhatLabel.text == ERRORS[code].what.format(**values)
    assert installer.ui.setupErrorTodoLabel.text == ERRORS[code].todo
    assert code in installer.ui.logTextEdit.toPlainText()
    assert orders == []
    assert installer.ui.setupInstallButton.text == "Resume"
    installer.install()
    installer.wait(lambda: orders)


def test_order_whose_ct_was_removed_is_dropped(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    slicer.mrmlScene.RemoveNode(installer.user.parameters.inputVolume)
    installer.app.click(installer.ui.setupCancelButton)
    installer.wait(lambda: installer.ui.setupInstallButton.text == "Resume")
    installer.install()
    installer.wait(lambda: "finished" in installer.ui.resultLabel.text)

    assert orders == []


def test_segmentation_edited_meanwhile_is_kept(installer, orders, answers):
    ct = installer.user.add_ct()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.GetSegmentation().AddEmptySegment("tumour", "tumour")
    installer.ui.outputSelector.setCurrentNode(node)
    answers[:] = [True]
    installer.user.click_apply()
    installer.wait(lambda: installer.ui.setupInstallButton.visible)
    node.GetSegmentation().AddEmptySegment("margin", "margin")
    installer.install()
    installer.wait(lambda: orders)

    assert orders[0].output is None
    assert "new segmentation" in installer.ui.warningLabel.text


def test_closing_the_scene_drops_the_order_but_not_the_installation(installer, orders):
    installer.ask()
    installer.install("slow")
    installer.wait_for_half()
    installer.app.close_scene()
    assert installer.ui.setupCancelButton.visible
    assert marked_processes(installer.user.mark)

    installer.app.click(installer.ui.setupCancelButton)
    installer.wait(lambda: installer.ui.setupInstallButton.text == "Resume")
    installer.install()
    installer.wait(lambda: not installer.ui.setupPageFrame.visible)
    assert orders == []


def test_engine_that_lacks_a_package_is_offered_anew(installer):
    installer.plans(ENGINE_ITEM)
    order = installer.user.widget.logic.Order(installer.user.add_ct(), "{}", installer.folder / "models")
    panel = installer.user.widget.panel
    panel.start_order(order)
    panel.on_failed(Problem("ENGINE_MISSING", {"package": "torch"}))  # as the session tells it
    installer.user.click_apply()  # cancels the job that the fake engine runs all the same
    installer.wait(lambda: installer.ui.setupInstallButton.visible)

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
    assert installed_engine.engine_environment().packages_folder == tmp_path / "py311-fake" / "packages"
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
    assert not installer.ui.setupPageFrame.visible

    installer.user.click_apply()
    installer.wait(lambda: installer.ui.setupInstallButton.visible)
    installer.install()
    installer.wait(lambda: not installer.ui.setupPageFrame.visible)
    assert (installer.folder / "models").is_dir()


# -- the section -------------------------------------------------------------------------------------------------------


def test_section_tells_the_state(installer, without_engine):
    installer.open_section()
    assert "not installed" in installer.ui.setupStateLabel.text
    assert not installer.ui.setupRemoveButton.enabled
    installer.ask()
    installer.plans(outdated=True)
    installer.install()
    installer.wait(lambda: installer.ui.setupUpdateButton.enabled)

    assert "choose Update" in installer.ui.setupStateLabel.text
    details = installer.ui.setupDetailsLabel.text
    assert "torch 2.13.0" in details
    assert "processor" in details
    assert "engine 1.9 GB" in details
    assert "104" in details
    assert installer.ui.setupRemoveButton.enabled


def test_repair_installs_the_packages_anew_and_holds_jobs_back(installer):
    installer.user.add_ct()
    installer.open_section()
    installer.acts("slow")
    installer.app.click(installer.ui.setupRepairButton)
    installer.wait_for_half()
    assert not installer.ui.applyButton.enabled
    (call,) = (call for call in installer.calls if "--repair" in call)
    assert "--models" not in call

    installer.app.click(installer.ui.setupCancelButton)
    installer.wait(lambda: installer.ui.applyButton.enabled)


def test_remove_asks_first_and_forgets_the_log(installer, answers):
    from TotalSegmentatorModuleLib.setup.commands import log_path

    installer.open_section()
    installer.app.click(installer.ui.setupRepairButton)
    installer.wait(lambda: installer.ui.setupRemoveButton.enabled)
    assert log_path().exists()

    answers[:] = [False]
    installer.app.click(installer.ui.setupRemoveButton)
    assert not any(call[0] == "remove" for call in installer.calls)
    answers[:] = [True]
    installer.app.click(installer.ui.setupRemoveButton)
    installer.wait(lambda: "removed" in installer.ui.setupNoteLabel.text)

    (call,) = (call for call in installer.calls if call[0] == "remove")
    assert call[1] == "--with-models"
    assert not log_path().exists()


def test_added_model_is_chosen(installer, tmp_path):
    installer.user.add_ct()
    installer.open_section()
    with installer.app.dialog_answers(str(tmp_path / "model.zip")):
        installer.app.click(installer.ui.setupAddFileButton)
    installer.wait(lambda: "added" in installer.ui.setupNoteLabel.text)

    assert installer.user.parameters.model == "117-3mm"
    (call,) = (call for call in installer.calls if call[:2] == ["models", "add"])
    assert call[2] == str(tmp_path / "model.zip")


def test_diagnostics_name_no_folder(installer):
    from TotalSegmentatorModuleLib.setup.commands import log_path

    log_path().parent.mkdir(parents=True, exist_ok=True)
    log_path().write_text("pip failed\nin /Users/smith/data/1.2.840.113619.2.55.3\n", encoding="utf-8")
    installer.open_section()
    installer.app.click(installer.ui.setupDiagnosticsButton)
    installer.wait(lambda: "clipboard" in installer.ui.setupNoteLabel.text)

    text = slicer.app.clipboard().text()
    assert "ENGINE: it is not there." in text
    assert "pip failed" in text
    assert "smith" not in text
    assert "113619" not in text


def test_fields_reach_the_set_up_and_survive(installer, app):
    ui = installer.ui
    ui.setupProxyLineEdit.setText("http://proxy.example:8080")
    ui.setupCertificatePathLineEdit.currentPath = "/etc/hospital.pem"
    ui.setupIndexUrlLineEdit.setText("https://index.example/simple")
    ui.setupExtraIndexUrlLineEdit.setText("https://extra.example/simple")
    ui.enginesFolderPathLineEdit.currentPath = "/data/engine"
    index = ui.setupTorchVariantComboBox.findData("cpu")
    if index >= 0:
        ui.setupTorchVariantComboBox.setCurrentIndex(index)
        ui.setupTorchVariantComboBox.activated.emit(index)
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
    assert again.setupProxyLineEdit.text == "http://proxy.example:8080"
    assert again.setupTorchVariantComboBox.currentIndex == max(index, 0)


def test_folder_is_opened(installer, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", opened.append)
    installer.open_section()
    installer.app.click(installer.ui.setupOpenFolderButton)

    assert opened[0].toLocalFile() == str(installer.folder)
