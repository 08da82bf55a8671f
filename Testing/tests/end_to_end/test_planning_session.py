"""A plan's structures by clicks: a preset that several models serve, one job, one segmentation, what comes next."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from hu_models import block_volume, make_hu_model
from job_support import MARK
from panel_support import panel_user
from planning_session import EFFUSION, FIRST, SECOND, SMALL_CT, TASK, PlanningSession, planning_session
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.user_folders import default_models_folder

LUNG_HU, FLUID_HU, HEART_HU, CORD_HU = -700, -300, 300, 640
LUNG = (slice(10, 34), slice(12, 36), slice(8, 24))
FLUID = (slice(12, 18), slice(16, 24), slice(12, 18))
HEART = (slice(14, 28), slice(18, 34), slice(26, 38))
CORD = (slice(6, 40), slice(6, 10), slice(22, 26))
NETWORKS = {
    FIRST: {"heart_atrium_left": HEART_HU, "lung_upper_lobe_left": LUNG_HU},
    SECOND: {"heart": HEART_HU, "spinal_cord": CORD_HU},
    TASK: {"mediastinum": HEART_HU},
    EFFUSION: {"pleural_effusion": FLUID_HU},
    "117-6mm": {"lung_upper_lobe_left": LUNG_HU},
    "body-6mm": {"body_trunc": HEART_HU},
}
"""Each finds what has the CT number; the lung of the model of 6 mm is where fluid is looked for."""


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
        assert export.structuresComboBox.currentText == "Template: RT thorax"  # with the unions that the panel promised


@pytest.mark.slow  # the networks of six models run, at one voxel a feature
def test_networks_of_all_models_of_a_preset_run_in_one_job(app, monkeypatch):
    volume = block_volume(
        (44, 46, 46),
        [(LUNG, LUNG_HU), (FLUID, FLUID_HU), (HEART, HEART_HU), (CORD, CORD_HU)],
        (3.0, 3.0, 3.0),
    )

    def engine(mark):
        return EngineEnvironment(sys.executable, {**os.environ, MARK: mark})

    with panel_user(app, monkeypatch, engine) as user:
        for model, numbers in NETWORKS.items():
            make_hu_model(default_models_folder(), model, numbers)
        app.leave_module()
        app.enter_module()
        session = PlanningSession(user, user.add_ct(volume.array, "CT thorax", volume.geometry.ijk_to_ras))

        session.choose()
        session.apply()

        (node,) = user.segmentations
        models = models_of(node)
        found = {"heart_atrium_left": FIRST, "heart": SECOND, "spinal_cord": SECOND, "mediastinum": TASK}
        found |= {"pleural_effusion": EFFUSION, "body_trunc": "body-6mm"}
        assert {name: models.get(name) for name in found} == found
        # of the 104, the atrium is what is nearest to the cord, too
        for name, blocks in (("heart_atrium_left", (HEART, CORD)), ("heart", (HEART,)), ("spinal_cord", (CORD,))):
            expected = np.zeros(volume.array.shape, bool)
            for block in blocks:
                expected[block] = True
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, session.ct) > 0
            assert np.array_equal(mask, expected), name
        assert overlap(node, session.ct)


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
