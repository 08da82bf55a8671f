"""The choices of the Advanced section: what they send, when they are locked, what the user sees of plan and result."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import vtk
from fake_setup import put_models
from job_support import needs_signals
from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.user_folders import default_models_folder

SWITCHES = {
    "fasterCheckBox": JobOptions(precision="reduced"),
    "cropCheckBox": JobOptions(crop="body"),
    "smoothCheckBox": JobOptions(smooth=True),
    "largestPieceCheckBox": JobOptions(largest_piece=True),
}


@pytest.fixture
def orders(user, monkeypatch) -> list:
    """What the panel orders of its session; no job is started. All models count as installed."""
    from TotalSegmentatorModuleLib.segment.session import SegmentationSession

    put_models(read_catalogue(), default_models_folder())
    ordered: list = []
    monkeypatch.setattr(SegmentationSession, "apply", lambda _session, order: ordered.append(order))
    return ordered


def open_advanced(user) -> None:
    user.ui.advanced.collapsibleButton.collapsed = False
    user.app.process_events()


def tag(segment, name: str) -> str:
    value = vtk.reference("")
    assert segment.GetTag("TotalSegmentatorModule." + name, value), "no tag " + name
    return str(value)


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_nothing_is_chosen_by_itself(user, orders):
    user.add_ct()
    user.click_apply()

    assert orders[0].options == JobOptions()
    assert user.ui.advanced.collapsibleButton.text == "Advanced"


@pytest.mark.parametrize("name", SWITCHES)
def test_each_switch_changes_one_option(user, orders, name):
    user.add_ct()
    open_advanced(user)

    user.app.click(getattr(user.ui.advanced, name))
    user.click_apply()

    assert orders[0].options == SWITCHES[name]
    assert user.ui.advanced.collapsibleButton.text == "Advanced (1 changed)"


def test_volume_of_islands_is_sent_in_cubic_millimetres(user, orders):
    user.add_ct()
    user.ui.advanced.smallestIslandSpinBox.value = 250
    user.click_apply()

    assert orders[0].options == JobOptions(smallest_island_mm3=250.0)


def test_published_pipeline_goes_alone(user, orders):
    user.add_ct()
    user.choose_model("104-1.5mm")
    open_advanced(user)
    user.app.click(user.ui.advanced.fasterCheckBox)

    user.app.click(user.ui.advanced.publishedCheckBox)

    assert not user.ui.advanced.fasterCheckBox.enabled
    assert not user.ui.advanced.smallestIslandSpinBox.enabled
    user.click_apply()
    assert orders[-1].options == JobOptions(profile="totalsegmentator-1.5")
    user.app.click(user.ui.advanced.publishedCheckBox)
    assert user.ui.advanced.fasterCheckBox.enabled
    assert user.ui.advanced.fasterCheckBox.checked  # as it was


def test_published_pipeline_is_offered_only_where_the_default_is_another(user, orders):
    user.add_ct()
    user.choose_model("104-3mm")
    open_advanced(user)
    user.app.click(user.ui.advanced.publishedCheckBox)

    user.choose_model("117-3mm")

    assert not user.ui.advanced.publishedCheckBox.visible
    assert not user.ui.advanced.publishedHelpLabel.visible
    assert user.ui.advanced.fasterCheckBox.enabled
    user.click_apply()
    assert orders[0].options == JobOptions()


def test_model_change_opens_nothing_in_a_closed_section(user):
    user.add_ct()
    for model in ("117-3mm", "104-3mm"):
        user.choose_model(model)
        user.app.process_events()

        assert not user.ui.advanced.publishedCheckBox.visible


def test_choices_survive_the_scene_and_show_on_the_closed_section(user, app):
    user.add_ct()
    user.parameters.isSmooth = True
    user.parameters.smallestIslandMm3 = 300
    app.leave_module()
    node = user.parameters.parameterNode
    stored = {name: node.GetParameter(name) for name in ("isSmooth", "smallestIslandMm3")}

    app.enter_module()

    assert all(stored.values())
    assert user.ui.advanced.smoothCheckBox.checked
    assert user.ui.advanced.smallestIslandSpinBox.value == 300
    assert user.ui.advanced.collapsibleButton.text == "Advanced (2 changed)"


# -- a job -------------------------------------------------------------------------------------------------------------


def test_choices_reach_the_engine_and_the_result_names_them(user):
    user.add_ct()
    user.plan()
    user.parameters.isFaster = True
    user.parameters.isSmooth = True

    user.run_job()

    assert "Options: reduced precision, smooth boundaries." in user.ui.messages.resultLabel.text
    segment = user.segmentations[0].GetSegmentation().GetSegment("spleen")
    assert tag(segment, "Profile") == "demo"
    assert tag(segment, "Precision") == "reduced"
    assert tag(segment, "Smooth") == "true"
    assert tag(segment, "Crop") == "none"
    assert tag(segment, "Runtime")


def test_plan_is_shown_while_the_job_runs(user):
    user.add_ct()
    user.plan("predicting", "slow")
    assert not user.ui.progress.planLabel.visible
    user.click_apply()
    user.wait_for_stage("Segmenting")

    assert user.ui.progress.planLabel.visible
    assert user.ui.progress.planLabel.text == "2 steps in 1 network, about 5 s, needs 0.2 GB of memory (8.0 GB free)"
    assert "Dataset900_Fake" in user.ui.progress.planLabel.toolTip
    assert not user.ui.advanced.fasterCheckBox.enabled

    user.click_apply()
    user.wait_until_ready()
    assert not user.ui.progress.planLabel.visible
    assert user.ui.advanced.fasterCheckBox.enabled
    assert "First estimate: 2 steps" in user.ui.log.textEdit.toPlainText()


def test_next_job_does_not_begin_with_the_last_plan(user):
    user.add_ct()
    user.plan()
    user.run_job()

    user.plan("loading_model", "slow")
    user.click_apply()
    assert not user.ui.progress.planLabel.visible


def test_falling_back_is_said_beside_the_result(user):
    user.add_ct()
    user.plan("loading_model", "fall back")

    user.run_job()

    assert WARNINGS["PRECISION_UNAVAILABLE"].what in user.ui.messages.warningLabel.text
    assert user.ui.messages.warningFrame.visible
    assert len(user.segmentations) == 1


def test_damaged_plan_does_not_stop_the_job(user):
    user.add_ct()
    user.plan("resampling", "bad plan")

    user.run_job()

    assert user.error_code == ""
    assert len(user.segmentations) == 1


@needs_signals
def test_engine_killed_for_memory_is_reported_as_that(user):
    user.add_ct()
    user.plan("predicting", "kill")

    user.run_job()

    assert user.error_code == "ENGINE_KILLED"
    assert "memory" in user.ui.messages.errorWhatLabel.text
    assert user.ui.messages.errorTodoLabel.text == ERRORS["ENGINE_KILLED"].todo
