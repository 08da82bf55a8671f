"""The page that offers what is missing before a job."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from setup_user import ENGINE_ITEM, MODEL, MODEL_ITEM
from time_bounds import BLOCK_SECONDS
from TotalSegmentatorWire.errors.problem import Problem

# -- the page ----------------------------------------------------------------------------------------------------------


def test_apply_tells_what_will_be_installed(installer):
    installer.plans(ENGINE_ITEM, MODEL_ITEM, warnings=[Problem("DRIVER_OLD", {"driver": "470", "needed": "525"})])
    installer.app.reset_block_clock()

    installer.ask()

    text = installer.ui.install_page.planLabel.text
    for told in (
        "Engine packages for the CPU",
        "0.5 GB download from download.pytorch.example, pypi.example",
        "1.9 GB on disk",
        str(installer.folder / "engine"),
        "104 structures &lt;3 mm&gt;",
        "Download from zenodo.example, size not published; 0.2 GB on disk",
        str(installer.folder / "models"),
        "CC BY 4.0",
        "computes the segmentation",
        "not a medical device",
        "50.0 GB free",
        "processor with 8 cores",
    ):
        assert told in text
    assert "470" in installer.ui.install_page.warningLabel.text
    assert installer.calls[0][:3] == ["setup", "--models", MODEL]
    assert installer.app.longest_block_ms() < BLOCK_SECONDS * 1000, installer.app.longest_block_name()
    assert not installer.ui.messages.errorFrame.visible


def test_task_tells_its_licence_its_missing_checksum_and_what_to_cite(installer):
    task = {
        **{"is_task": True, "weights_licence": "Apache-2.0", "unchecked": ["Dataset1"], "small_training_set": True},
        **{"citations": ["Isensee <2021>", "Wasserthal 2023"], "note": "Cropped to the skull."},
    }
    installer.plans({**MODEL_ITEM, **task})
    installer.ask()

    text = installer.ui.install_page.planLabel.text
    for told in (
        "Weights: Apache-2.0 according to the publisher; the licence of the training data was not checked",
        "No checksum is published: the download uses HTTPS to zenodo.example only",
        "Trained with few images, according to the publisher",
        "Cropped to the skull.",
        "Please cite: Isensee &lt;2021&gt;; Wasserthal 2023",
    ):
        assert told in text


def test_what_is_installed_already_is_not_listed(installer):
    installer.plans({**ENGINE_ITEM, "installed": True}, MODEL_ITEM)
    installer.ask()

    assert "Engine packages" not in installer.ui.install_page.planLabel.text


def test_full_disk_is_reported_before_the_download(installer):
    installer.plans(MODEL_ITEM, free_bytes=1000)
    installer.ask()

    assert "not enough free disk space" in installer.ui.install_page.warningLabel.text


def test_not_now_closes_the_page_and_forgets_the_order(installer, orders):
    installer.ask()
    installer.app.click(installer.ui.install_page.notNowButton)

    assert not installer.ui.install_page.pageFrame.visible
    assert installer.ui.progress.applyButton.text == "Apply"
    assert orders == []


def test_bad_ct_is_reported_before_anything_is_installed(installer):
    ct = installer.user.add_ct()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(ct), "DICOM.Modality", "MR")
    installer.user.click_apply()

    assert installer.user.error_code == "INPUT_NOT_CT"
    assert not installer.ui.install_page.pageFrame.visible


def test_plan_that_cannot_be_made_says_why_and_can_be_asked_again(installer):
    (installer.folder / "plan.json").unlink()
    installer.ask()
    assert "Python 3.7" in installer.ui.install_page.errorWhatLabel.text
    assert installer.ui.install_page.errorCodeLabel.text == "Code: PYTHON_UNSUPPORTED"
    assert installer.ui.install_page.installButton.text == "Try again"

    installer.plans(MODEL_ITEM)
    installer.app.click(installer.ui.install_page.installButton)
    installer.wait(lambda: installer.ui.install_page.installButton.text == "Install")
    assert not installer.ui.install_page.errorFrame.visible


def test_offline_folder_is_chosen_on_the_page(installer, tmp_path):
    installer.ask()
    installer.plans({**MODEL_ITEM, "host": ""})
    with installer.app.dialog_answers(str(tmp_path)):
        installer.app.click(installer.ui.install_page.offlineButton)
    installer.wait(lambda: "From the offline folder" in installer.ui.install_page.planLabel.text)

    call = installer.calls[-1]
    assert call[call.index("--from-folder") + 1] == str(tmp_path)
    assert installer.ui.setup.offlineFolderPathLineEdit.currentPath == str(tmp_path)


def test_set_up_is_told_of_the_users_own_packages(installer, tmp_path):
    """It then plans no others."""
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorModuleLib.setup.commands import setup_program

    assert "TOTALSEGMENTATOR_ENGINE_PACKAGES" not in setup_program().process_environment()

    settings.set_text(settings.ENGINE_PACKAGES, str(tmp_path))

    assert setup_program().process_environment()["TOTALSEGMENTATOR_ENGINE_PACKAGES"] == str(tmp_path)
