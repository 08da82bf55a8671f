"""Time and memory of what Apply would start, in the stand-in desktop: asked of the engine that runs, shown before."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from job_support import marked_processes
from panel_support import folders_of
from time_bounds import READY_SECONDS


def test_what_apply_would_do_is_shown_once_the_engine_runs(user, app):
    user.add_ct()
    user.plan()
    label = user.ui.progress.planLabel
    app.process_events()
    assert not label.visible and marked_processes(user.mark) == []  # no engine is started for it

    user.run_job()
    assert app.wait_until(lambda: label.visible, READY_SECONDS)
    assert label.text == "Expected: 2 steps in 1 network, about 40 s, needs 0.2 GB of memory (8.0 GB free)"
    assert "on auto" in label.toolTip
    assert app.wait_until(lambda: len(folders_of("jobs")) == 1, READY_SECONDS)  # the engine's own

    user.parameters.device = "cpu"
    assert app.wait_until(lambda: label.visible and "on cpu" in label.toolTip, READY_SECONDS)

    user.plan(act="no model")
    app.process_events()
    assert not label.visible
    user.add_ct(name="another CT")
    user.plan()
    assert app.wait_until(lambda: label.visible, READY_SECONDS)


def test_a_job_is_not_held_up_by_questions(user, app):
    user.add_ct()
    user.plan()
    user.run_job()
    user.plan("predicting", "slow")
    user.click_apply()
    user.wait_for_stage("Segmenting")
    assert not user.ui.progress.planLabel.text.startswith("Expected")
    user.parameters.device = "cpu"
    user.click_apply()
    user.wait_until_ready()
    assert user.error_code == ""


def test_progress_says_which_network_runs_and_what_memory_it_takes(user):
    user.add_ct()
    user.plan("predicting", "slow")
    labels = user.ui.progress
    assert not labels.networkLabel.visible
    user.click_apply()
    user.wait_for_stage("Segmenting")
    assert user.app.wait_until(lambda: labels.networkLabel.text == "Dataset900_Fake", READY_SECONDS)
    megabytes, unit = labels.memoryLabel.text.split(maxsplit=1)
    assert labels.memoryLabel.visible and unit == "MB of memory" and int(megabytes) > 1
    user.click_apply()
    user.wait_until_ready()
