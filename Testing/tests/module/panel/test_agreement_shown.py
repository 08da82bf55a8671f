"""How well approximate labels agree with the exact ones: beside the result, in its tags, and the way to exact ones."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from agreements import GOOD, LOW
from TotalSegmentatorWire.agreement.kept import agreement_from_tag
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.result_tags import PREFIX


def plain(label) -> str:
    """The text of a label, with blanks that may break."""
    return label.text.replace("\N{NO-BREAK SPACE}", " ")


def tags_of(node) -> set[tuple[str, str]]:
    """Of the first segment, those that go out with an export; without the prefix of this program's own."""
    from TotalSegmentatorModuleLib.scene.review_tags import segment_tags

    tags = segment_tags(node.GetSegmentation().GetNthSegment(0))
    return {(name.removeprefix(PREFIX), value) for name, value in tags.items()}


def agreement_of(node):
    return agreement_from_tag(dict(tags_of(node)).get("Agreement", ""))


def test_a_result_says_it_in_one_line_and_more_on_a_click(user, app, tmp_path):
    user.add_ct()
    user.plan(act="agrees")
    user.run_job()
    messages = user.ui.messages
    assert messages.agreementLabel.visible and "99.4 % (99.0 to 99.7 %)" in plain(messages.agreementLabel)
    assert "reduced precision" in messages.agreementLabel.text and "4 of 120" in messages.agreementLabel.toolTip
    assert not messages.exactButton.visible and not messages.agreementDetailsLabel.visible
    app.click(messages.agreementButton)
    assert messages.agreementDetailsLabel.visible and "spleen, 97.0 %" in plain(messages.agreementDetailsLabel)
    assert "in 99.4 % (" in user.ui.log.textEdit.toPlainText()

    assert agreement_of(user.segmentations[0]).foreground == GOOD.foreground
    path = app.save_scene(tmp_path / "saved")
    slicer.mrmlScene.Clear(0)
    app.load_scene(path)
    assert agreement_of(user.segmentations[0]).lowest_structure == "spleen"


def test_low_agreement_is_a_warning_with_a_button_that_runs_the_job_exactly(user, app):
    ct = user.add_ct()
    user.plan(act="differs")
    user.parameters.isFaster = user.parameters.isSmooth = True
    user.run_job()
    messages = user.ui.messages
    assert "95.1 %" in messages.warningLabel.text and messages.exactButton.visible
    assert agreement_of(user.segmentations[0]).approximations == LOW.approximations
    user.parameters.isSmooth = False  # what is chosen later does not count

    app.click(messages.exactButton)
    user.wait_until_ready()
    made = user.segmentations[1]
    assert tags_of(made) >= {("Precision", "exact"), ("Crop", "whole"), ("Smooth", "true")}
    assert made.GetNodeReference(made.GetReferenceImageGeometryReferenceRole()) is ct
    assert not messages.agreementLabel.visible and not messages.exactButton.visible
    assert not messages.warningFrame.visible and messages.resultLabel.visible
    assert [agreement_of(each) is None for each in user.segmentations] == [False, True]


def test_a_check_that_failed_is_a_warning_with_the_same_button(user, app):
    user.add_ct()
    user.plan(act="unchecked")
    user.run_job()
    messages = user.ui.messages
    assert "could not be checked" in messages.warningLabel.text
    assert not messages.agreementLabel.visible and messages.exactButton.visible
    app.click(messages.exactButton)
    user.wait_until_ready()
    assert tags_of(user.segmentations[1]) >= {("Precision", "exact"), ("Crop", "whole")}
    assert not messages.exactButton.visible


def test_the_button_asks_before_it_replaces_the_structures_of_its_own_job(user, app, monkeypatch):
    questions: list[str] = []

    def accept(question, **_kinds):
        questions.append(question)
        return True

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", accept)
    user.add_ct()
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    output.GetSegmentation().AddEmptySegment("drawn")
    user.plan(act="differs")
    user.parameters.outputSegmentation, user.parameters.structures = output, "spleen"
    user.run_job()
    user.parameters.structures = "liver"  # what is chosen later does not count
    user.ui.messages.exactButton.click()
    assert len(questions) == 2 and all("only: spleen." in each for each in questions)


def test_the_button_says_that_another_job_runs(user, app):
    ct = user.add_ct()
    user.plan(act="differs")
    user.run_job()
    slow = json.dumps({"stage": Stage.PREDICTING, "act": "slow"})
    user.widget.logic.process(ct, model=slow, wait=False)
    user.ui.messages.exactButton.click()
    assert "A segmentation is running" in user.ui.messages.warningLabel.text


def test_the_button_says_what_is_wrong_when_the_ct_is_gone(user, app):
    ct = user.add_ct()
    user.plan(act="differs")
    user.run_job()
    slicer.mrmlScene.RemoveNode(ct)
    app.process_events()
    app.click(user.ui.messages.exactButton)
    assert user.error_code == "INPUT_REMOVED" and len(user.segmentations) == 1


def test_check_and_threshold_are_options_of_the_job(user, app, monkeypatch):
    from TotalSegmentatorModuleLib.segment.session import SegmentationSession

    ordered: list = []
    monkeypatch.setattr(SegmentationSession, "apply", lambda _session, order: ordered.append(order))
    user.add_ct()
    user.plan()
    advanced = user.ui.advanced
    advanced.collapsibleButton.collapsed = False
    app.process_events()
    advanced.leastAgreementSpinBox.value = 99.5
    user.click_apply()
    assert ordered[-1].options == JobOptions(least_agreement=0.995)
    app.click(advanced.selfCheckCheckBox)
    assert not advanced.leastAgreementSpinBox.enabled
    user.click_apply()
    assert ordered[-1].options == JobOptions(self_check=False, least_agreement=0.995)
    assert advanced.collapsibleButton.text == "Advanced (2 changed)"
