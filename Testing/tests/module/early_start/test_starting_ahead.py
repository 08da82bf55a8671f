"""The engine is started when the module is open with a CT, before Apply, in the stand-in desktop."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from fake_setup import put_models
from job_support import marked_processes, needs_signals
from panel_support import panel_user
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.user_folders import default_models_folder

LOADED = "nothing is loaded ahead: MODEL_UNKNOWN"
"""What the fake engine makes of the request, since its models are none."""


@pytest.fixture
def user(app, monkeypatch):
    from TotalSegmentatorModuleLib.early_start import free_memory

    monkeypatch.setattr(free_memory, "MEMINFO", Path(os.devnull))
    monkeypatch.setattr(free_memory, "memory_bytes", lambda: 16 * 1024**3)
    with panel_user(app, monkeypatch, starts_early=True) as somebody:
        yield somebody


def is_started(user) -> bool:
    return bool(marked_processes(user.mark))


def wait_for_engine(user) -> None:
    assert user.app.wait_until(lambda: LOADED in user.ui.log.textEdit.toPlainText(), READY_SECONDS)


def rest(user) -> None:
    """Longer than the engine's start waits for."""
    user.app.wait_until(lambda: False, 1.0)


def test_opening_the_module_with_a_ct_starts_the_engine(user):
    user.plan()
    rest(user)
    assert not is_started(user), "there is no CT"

    user.add_ct()
    wait_for_engine(user)
    (engine,) = marked_processes(user.mark)
    assert user.ui.progress.applyButton.text == "Apply" and user.error_code == ""
    plan = user.ui.progress.planLabel
    assert user.app.wait_until(lambda: plan.visible and plan.text.startswith("Expected"), READY_SECONDS)

    user.run_job()
    assert user.error_code == "" and len(user.segmentations) == 1
    assert marked_processes(user.mark) == [engine], "the job runs in the same one"


def test_the_engine_starts_at_once_and_is_told_what_to_load_when_the_choice_has_rested(user, monkeypatch):
    from TotalSegmentatorModuleLib.early_start import starting_ahead

    user.plan()
    monkeypatch.setattr(starting_ahead, "REST_SECONDS", 1000.0)
    user.add_ct()
    assert user.app.wait_until(lambda: is_started(user), READY_SECONDS)
    rest(user)
    assert LOADED not in user.ui.log.textEdit.toPlainText()


def test_who_passes_through_the_module_starts_no_engine(user, monkeypatch):
    from TotalSegmentatorModuleLib.early_start import starting_ahead

    user.plan()
    user.app.leave_module()
    user.add_ct()
    monkeypatch.setattr(starting_ahead, "PASSING_SECONDS", 1000.0)
    user.app.enter_module()
    rest(user)
    assert not is_started(user)


def test_apply_at_once_runs_like_any_job(user):
    user.plan()
    user.add_ct()
    assert user.app.wait_until(lambda: is_started(user), READY_SECONDS)
    user.run_job()
    assert user.error_code == "" and len(user.segmentations) == 1
    assert len(marked_processes(user.mark)) == 1


def test_reasons_not_to_start_it(user, monkeypatch):
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorModuleLib.early_start import free_memory

    user.plan()
    with monkeypatch.context() as patched:
        patched.setattr(free_memory, "memory_bytes", lambda: 4 * 1024**3)
        user.add_ct()
        rest(user)
        assert not is_started(user), "memory is short"

    user.app.leave_module()
    user.add_ct(name="another CT")
    rest(user)
    assert not is_started(user), "another module is shown"

    user.ui.advanced.collapsibleButton.collapsed = False
    user.app.process_events()
    box = user.ui.early_start.earlyStartCheckBox
    assert box.checked and box.toolTip
    box.checked = False
    user.app.enter_module()
    rest(user)
    assert not is_started(user) and settings.is_on(settings.EARLY_START_OFF), "it is turned off"

    box.checked = True
    slicer.mrmlScene.Clear(0)
    rest(user)
    assert not is_started(user) and user.error_code == "", "the scene is closed"

    user.plan()
    user.add_ct()
    wait_for_engine(user)


@needs_signals
def test_an_engine_that_is_killed_is_left_alone_until_apply(user):
    user.plan()
    user.add_ct()
    assert user.app.wait_until(lambda: is_started(user), READY_SECONDS)
    for process in marked_processes(user.mark):
        os.kill(process, signal.SIGKILL)
    assert user.app.wait_until(lambda: not is_started(user), READY_SECONDS)
    user.parameters.device = "cpu"
    rest(user)
    assert not is_started(user) and user.error_code == ""
    user.run_job()
    assert user.error_code == "" and len(user.segmentations) == 1


def test_an_engine_that_has_ended_is_started_again_and_loads_again(user):
    user.plan()
    user.add_ct()
    wait_for_engine(user)

    user.ui.setup.enginesFolderPathLineEdit.currentPath = "/data/engine"
    log = user.ui.log.textEdit
    assert user.app.wait_until(lambda: log.toPlainText().count(LOADED) == 2, READY_SECONDS), user.describe()
    assert user.app.wait_until(lambda: len(marked_processes(user.mark)) == 1, READY_SECONDS)


def test_the_engine_is_started_when_what_it_needs_is_installed_in_the_open_module(user):
    user.add_ct()
    user.choose_model("104-3mm")
    rest(user)
    assert not is_started(user), "the model is missing"
    put_models(["104-3mm"], default_models_folder())
    user.ui.setup.enginesFolderPathLineEdit.currentPath = "/data/engine"
    assert user.app.wait_until(lambda: is_started(user), READY_SECONDS)


def test_the_plan_that_finds_the_job_short_leaves_out_the_preview(user):
    put_models(["104-1.5mm", "104-3mm"], default_models_folder())
    user.app.leave_module()
    user.app.enter_module()
    user.add_ct()
    user.choose_model("104-1.5mm")
    box, plan = user.ui.inputs.previewCheckBox, user.ui.progress.planLabel
    assert box.checked, "nothing is known of the job"
    assert user.app.wait_until(lambda: not box.checked, READY_SECONDS), user.describe()
    assert user.app.wait_until(lambda: plan.visible and "in 1 network" in plan.text, READY_SECONDS), plan.text
