"""A plan's structures by clicks: a preset that several models serve, one job, one segmentation, what comes next."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from planning_session import FIRST, SECOND, SMALL_CT, TASK, planning_session
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag
from TotalSegmentatorWire.tables.result_tags import PREFIX


@pytest.mark.slow  # the engine loads torch, for the plan
def test_a_preset_becomes_one_segmentation_of_several_models(app, monkeypatch, tmp_path):
    with planning_session(app, monkeypatch, SMALL_CT, tmp_path) as session:
        seen: dict[str, str] = {}
        session.run(lambda step: seen.update({step: described(session.user)}))

        assert "networks" in seen["plan"] and "memory" in seen["plan"]
        assert "brachial plexus" in seen["preset"]
        (node,) = session.user.segmentations
        models = models_of(node)
        assert {FIRST, SECOND, TASK} <= set(models.values())
        assert models["heart_atrium_left"] == FIRST and models["spinal_cord"] == SECOND
        assert models["mediastinum"] == TASK
        assert overlap(node, session.ct)
        display = node.GetDisplayNode()
        assert display.GetSegmentOpacity2DFill("body_trunc") == 0  # it would cover all others
        assert display.GetSegmentOpacity2DFill("heart") == 1
        assert session.user.parameters.reviewSegmentation is node
        assert session.user.parameters.exportSegmentation is node
        export = session.user.ui.export
        export.folderPathLineEdit.currentPath = str(tmp_path)
        app.process_events()
        assert not export.collapsibleButton.collapsed and session.user.ui.export_task.startButton.enabled
        assert "RT Structure Set" in export.formatComboBox.currentText


def described(user) -> str:
    return " ".join((user.ui.inputs.choiceLabel.text, user.ui.progress.planLabel.text))


def models_of(node) -> dict[str, str]:
    """Id of the model that has found each segment, as its tag says."""
    content = node.GetSegmentation()
    return {each: read_tag(content.GetSegment(each), PREFIX + "Model") for each in content.GetSegmentIDs()}


def overlap(node, ct) -> bool:
    """Whether segments of the 104 and of the 117 share voxels."""
    models = models_of(node)
    union = {
        model: np.logical_or.reduce(
            [
                slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, ct) > 0
                for segment in models
                if models[segment] == model
            ]
        )
        for model in (FIRST, SECOND)
    }
    return bool((union[FIRST] & union[SECOND]).any())
