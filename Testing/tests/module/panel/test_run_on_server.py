"""The choice "Run on: Department server": when it is there, what it says, what it asks, where the orders go."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import slicer
from fake_setup import put_models
from job_support import needs_signals
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.user_folders import default_models_folder

ADDRESS = "tls://ct-server.hospital.example:8786"
FILES = {"serverAuthority": "/tls/ca.pem", "serverCertificate": "/tls/me.pem", "serverKey": "/tls/me.key"}
HERE, SERVER = 0, 1


@pytest.fixture
def orders(user, monkeypatch) -> list:
    """What the panel orders of its session; no job is started."""
    from TotalSegmentatorModuleLib.segment.session import SegmentationSession

    ordered: list = []
    monkeypatch.setattr(SegmentationSession, "apply", lambda _session, order, *_: ordered.append(order))
    return ordered


def enter_address(user, address: str = ADDRESS) -> None:
    user.ui.setup.collapsibleButton.collapsed = False
    user.ui.setup.serverLineEdit.setText(address)
    user.app.process_events()


def choose(user, place: int) -> None:
    user.ui.inputs.runOnComboBox.setCurrentIndex(place)
    user.ui.inputs.runOnComboBox.activated.emit(place)
    user.app.process_events()


def choose_server(user) -> None:
    enter_address(user)
    choose(user, SERVER)


def test_what_the_server_has_installed_is_said_to_be_unknown(user):
    user.add_ct()
    inputs = user.ui.inputs
    assert inputs.installLabel.text.startswith("Apply first installs the model 104 structures")
    choose_server(user)
    assert "is not known here" in inputs.installLabel.text
    assert inputs.installLabel.visible and "104 structures" in inputs.installLabel.toolTip
    choose(user, HERE)
    assert inputs.installLabel.text.startswith("Apply first installs the model 104 structures")


def test_nothing_of_it_is_seen_without_an_address_and_an_address_alone_sends_nothing(user, orders):
    put_models(read_catalogue(), default_models_folder())
    user.add_ct()
    user.app.process_events()
    files = [getattr(user.ui.setup, name + "PathLineEdit") for name in FILES]
    assert not user.ui.inputs.runOnComboBox.visible and not user.ui.inputs.statementFrame.visible
    user.ui.setup.collapsibleButton.collapsed = False
    user.app.process_events()
    assert user.ui.setup.serverLineEdit.visible
    assert not any(line.visible for line in files)
    user.click_apply()

    enter_address(user)
    assert user.ui.inputs.runOnComboBox.visible
    assert user.ui.inputs.runOnComboBox.currentText == "This computer"
    assert not user.ui.inputs.statementFrame.visible
    assert all(line.visible for line in files)
    user.click_apply()

    assert [order.server for order in orders] == [None, None]


def test_the_statement_stays_in_sight_and_the_order_names_the_server(user, orders, answers):
    """No model is installed on this computer."""
    user.add_ct()
    enter_address(user)
    for name, path in FILES.items():
        getattr(user.ui.setup, name + "PathLineEdit").currentPath = path
    choose(user, SERVER)
    assert user.ui.inputs.leavesLabel.visible
    assert "Nothing leaves" not in user.ui.notice.noticeLabel.text
    assert user.ui.inputs.leavesLabel.text.replace("\u200b", "") == (
        "The image leaves this computer. It is sent to tls://ct-server.hospital.example:8786."
    )
    assert "Not sent: names, dates, identifiers" in user.ui.inputs.sentLabel.text
    assert not user.ui.inputs.deviceComboBox.enabled
    assert "not installed" not in user.ui.advanced.familyComboBox.currentText

    answers.append(True)
    user.click_apply()

    assert orders[0].server == DepartmentServer(ADDRESS, *FILES.values())
    assert user.ui.inputs.leavesLabel.visible
    choose(user, HERE)
    assert not user.ui.inputs.leavesLabel.visible
    assert user.ui.notice.noticeLabel.text.endswith("Nothing leaves this computer.")
    assert user.ui.inputs.deviceComboBox.enabled
    assert "not installed" in user.ui.advanced.familyComboBox.currentText


def test_consent_is_asked_once_for_each_address(user, orders, monkeypatch):
    asked: list[str] = []
    answers = [False, True, True]

    def ask(text: str, **_) -> bool:
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    user.add_ct()
    choose_server(user)
    user.click_apply()
    assert orders == []
    assert "Nothing was sent" in user.ui.messages.resultLabel.text
    for words in (ADDRESS, "leaves this computer", "voxels, spacing, position and orientation", "asked once"):
        assert words in asked[0]

    user.click_apply()
    user.click_apply()  # without a question
    other = ADDRESS.replace("ct-server", "other")
    enter_address(user, other)
    user.click_apply()
    enter_address(user)
    user.click_apply()
    assert [order.server.address for order in orders] == [ADDRESS, ADDRESS, other, ADDRESS]
    assert len(asked) == 3 and other in asked[2]


def test_the_choice_is_kept_in_the_settings_not_in_the_scene(user, orders, app):
    choose_server(user)
    slicer.mrmlScene.Clear()
    app.process_events()
    app.leave_module()
    app.enter_module()
    assert user.ui.inputs.runOnComboBox.currentIndex == SERVER
    assert user.ui.inputs.leavesLabel.visible

    enter_address(user, "")

    assert not user.ui.inputs.runOnComboBox.visible
    enter_address(user)
    assert user.ui.inputs.runOnComboBox.currentIndex == HERE


def test_a_model_folder_runs_only_here(user, orders):
    user.add_ct()
    choose_server(user)
    user.choose_model_folder("/models/mine")
    assert not user.ui.progress.applyButton.enabled
    assert "cannot use a model folder" in user.ui.progress.applyButton.toolTip
    choose(user, HERE)
    assert user.ui.progress.applyButton.enabled


@needs_signals
def test_after_a_failure_the_job_can_run_here(user, answers):
    """The engine itself refuses the address: an address of another computer needs the three files."""
    put_models(read_catalogue(), default_models_folder())
    user.add_ct()
    choose_server(user)
    answers.append(True)
    whole, user.parameters.inputVolume = user.parameters.inputVolume, user.add_ct(np.full((8, 8, 8), np.inf))
    user.run_job()
    assert user.error_code == "INPUT_NON_FINITE"
    assert not user.ui.messages.errorHereButton.visible  # it would be refused here as well
    user.parameters.inputVolume = whole
    user.run_job()
    assert user.error_code == "SCHEDULER_NEEDS_TLS"
    assert user.segmentations == []
    assert user.ui.messages.errorHereButton.visible

    user.app.click(user.ui.messages.errorHereButton)
    user.wait_until_ready()

    assert user.ui.inputs.runOnComboBox.currentIndex == HERE
    assert user.error_code == ""
    assert len(user.segmentations) == 1  # of the fake engine, which has run here
    assert not user.ui.messages.errorHereButton.visible


@needs_signals
def test_a_refused_job_is_repeated_where_the_panel_says_by_then(user, answers, request):
    """The size is refused on this computer, before anything is sent."""
    put_models(read_catalogue(), default_models_folder())
    user.add_ct(matrix=np.diag([0.0008, 0.0008, 0.002, 1.0]))
    choose_server(user)
    answers.append(True)
    user.run_job()
    assert user.error_code == "INPUT_SIZE_UNLIKELY"

    choose(user, HERE)
    orders = request.getfixturevalue("orders")
    user.app.click(user.ui.messages.errorAnywayButton)

    assert [(order.server, order.options.accept_size) for order in orders] == [(None, True)]


def test_scripts_name_the_server_themselves(user, orders):
    ct = user.add_ct()
    logic = user.widget.logic
    with pytest.raises(ValueError, match="no department server is set"):
        logic.process(ct, model="104-3mm", run_on="server", wait=False)
    choose_server(user)
    with pytest.raises(ValueError, match="computer or server"):
        logic.process(ct, model="104-3mm", run_on="cloud", wait=False)
    logic.process(ct, model="104-3mm", run_on="server", wait=False)
    logic.process(ct, model="104-3mm", wait=False)
    assert [order.server for order in orders] == [DepartmentServer(ADDRESS), None]


def test_the_statement_is_there_while_a_scripts_job_runs_on_the_server(user):
    enter_address(user)
    user.widget.logic.process(user.add_ct(), model="104-3mm", run_on="server", wait=False)
    said = user.ui.inputs.leavesLabel.text.replace("\u200b", "")
    assert user.ui.inputs.leavesLabel.visible
    assert "leaves this computer" in said and ADDRESS in said
    assert "Nothing leaves" not in user.ui.notice.noticeLabel.text

    user.click_apply()  # cancels it
    user.wait_until_ready()

    assert not user.ui.inputs.leavesLabel.visible
    assert user.ui.notice.noticeLabel.text.endswith("Nothing leaves this computer.")
