"""A CT of the thorax for a radiotherapy plan, by clicks: preset, plan, one job of several models, review, export.

The models are those of the catalogue that the preset needs: two families and three tasks, with small networks of
seeded weights, which the engine plans. Each then finds the phantom's structures (planted_models_engine.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
from desktop import Desktop
from job_support import MARK
from panel_support import PanelUser, panel_user
from phantom import Phantom, PhantomParameters, make_phantom
from places import FAKES
from scipy import ndimage
from seeded_models import make_catalogue_model
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorWire.tables.structures import structure_table
from TotalSegmentatorWire.user_folders import default_models_folder

PRESET = "RT thorax"
SEARCH = "thorax heart"
"""Shows structures of several models."""
FIRST, SECOND, TASK, EFFUSION = "104-3mm", "117-3mm", "trunk_cavities", "pleural_pericard_effusion"
MODELS = (FIRST, SECOND, TASK, EFFUSION, "117-6mm", "body-6mm")
"""All that the preset needs at 3 mm."""
CT = PhantomParameters(
    seed=20_002,
    spacing_mm=(3.0, 3.0, 3.0),
    orientation="LPS",
    field_of_view_mm=((-230.0, 230.0), (-150.0, 150.0), (130.0, 470.0)),
)
"""From the kidneys to the neck."""
SMALL_CT = replace(CT, spacing_mm=(6.0, 6.0, 6.0), field_of_view_mm=((-140.0, 140.0), (-110.0, 110.0), (180.0, 420.0)))
HEART = (-20.0, 15.0, 290.0)
"""RAS, mm: what the views show."""
_CORD_HU = 35.0
_JOB_SECONDS = 300.0


class PlanningSession:
    """Somebody with a CT of the thorax in front of the panel."""

    def __init__(self, user: PanelUser, ct) -> None:
        self.user = user
        self.app = user.app
        self.ct = ct
        self._show: Callable[[str], None] = lambda name: None

    def run(self, show: Callable[[str], None] | None = None) -> None:
        """All steps; ``show`` is called with a name when the panel shows what a step is about."""
        self._show = show or self._show
        self.choose()
        self.apply()
        self.review()
        self.export()

    def choose(self) -> None:
        """The preset in the list; what it stands for in the tree."""
        inputs = self.user.ui.inputs
        self.user.choose_preset(PRESET)
        self._show("preset")
        self.app.click(inputs.treeButton)
        assert self.app.wait_until(lambda: inputs.structuresTreeView.model().rowCount() > 5, 10)
        inputs.searchLineEdit.setText(SEARCH)
        self.app.process_events()
        self._show("structures")
        inputs.searchLineEdit.clear()
        self.app.click(inputs.treeButton)

    def apply(self) -> None:
        """The plan comes first, then the models one after the other."""
        progress = self.user.ui.progress
        self.user.click_apply()
        self.app.wait_until(lambda: progress.planLabel.visible or not self.user.is_running, _JOB_SECONDS)
        assert progress.planLabel.visible, self.user.describe()
        self._show("plan")
        self.app.wait_until(lambda: progress.progressBar.value > 0 or not self.user.is_running, _JOB_SECONDS)
        self._show("running")
        self.user.wait_until_ready(_JOB_SECONDS)
        self.app.process_events()
        assert not self.user.error_code, self.user.describe()
        assert self.app.wait_until(lambda: self.user.parameters.exportSegmentation is not None, 30)
        self._show("result")

    def review(self) -> None:
        self.app.click(self.user.ui.messages.reviewResultButton)
        tree = self.user.ui.review.structuresTree
        assert self.app.wait_until(lambda: tree.model() is not None and tree.model().rowCount() > 0, 30)
        self.app.process_events()
        self._show("review")

    def export(self) -> None:
        self.app.click(self.user.ui.messages.exportResultButton)
        self.app.process_events()
        self._show("export")


@contextmanager
def planning_session(
    app: Desktop, monkeypatch: pytest.MonkeyPatch, parameters: PhantomParameters, folder: Path
) -> Iterator[PlanningSession]:
    """``folder`` is for files."""
    phantom = make_phantom(parameters)
    for model, labels in true_labels(parameters, phantom).items():
        np.save(folder / (model + ".npy"), labels)

    def engine(mark: str) -> EngineEnvironment:
        environment = {**os.environ, MARK: mark, "PLANTED_FOLDER": str(folder)}
        return EngineEnvironment(sys.executable, environment, program=FAKES / "planted_models_engine.py")

    with panel_user(app, monkeypatch, engine) as user:
        for model in MODELS:
            make_catalogue_model(default_models_folder(), model, patch_size=(64, 64, 64))
        app.leave_module()
        app.enter_module()
        ct = user.add_ct(phantom.ct, "CT thorax", phantom.ijk_to_ras)
        for name in slicer.app.layoutManager().sliceViewNames():
            slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().JumpSliceByCentering(*HEART)
        yield PlanningSession(user, ct)


def true_labels(parameters: PhantomParameters, phantom: Phantom) -> dict[str, np.ndarray]:
    """What each model should find: uint8 (k, j, i) in the numbers of its own table. The phantom knows the 104
    structures; heart, cord, pericardium and mediastinum are made of them."""
    numbers = {row.name: row.label for row in structure_table("structures_104")}
    chambers = [label for name, label in numbers.items() if name.startswith("heart_")]
    heart = ndimage.binary_closing(np.isin(phantom.labels, chambers), iterations=2)
    plain = make_phantom(replace(parameters, noise_hu=0.0, hu_jitter=0.0)).ct
    spine = [label for name, label in numbers.items() if name.startswith("vertebrae_")]
    by_the_spine = ndimage.binary_closing(np.isin(phantom.labels, spine), iterations=5)
    cord = by_the_spine & (phantom.labels == 0) & (np.abs(plain - _CORD_HU) < 15)
    lungs = np.isin(phantom.labels, [label for name, label in numbers.items() if name.startswith("lung_")])
    between = _between(lungs)
    pericardium = ndimage.binary_dilation(heart, iterations=2) & ~lungs
    return {
        FIRST: phantom.labels,
        SECOND: _numbered("structures_117", {"heart": heart, "spinal_cord": cord}),
        TASK: _numbered(
            "structures_trunk_cavities",
            {"mediastinum": between & ~by_the_spine & ~pericardium, "pericardium": pericardium},
        ),
        "body-6mm": _numbered("structures_body", {"body_trunc": ndimage.binary_opening(plain > -500, iterations=3)}),
    }


def _between(lungs: np.ndarray) -> np.ndarray:
    """Voxels (k, j, i) with lung to both sides, in rows along i."""
    before = np.maximum.accumulate(lungs, axis=2)
    behind = np.maximum.accumulate(lungs[:, :, ::-1], axis=2)[:, :, ::-1]
    return before & behind & ~lungs


def _numbered(table: str, masks: dict[str, np.ndarray]) -> np.ndarray:
    numbers = {row.name: row.label for row in structure_table(table)}
    labels = np.zeros(next(iter(masks.values())).shape, np.uint8)
    for name, mask in masks.items():
        labels[mask] = numbers[name]
    return labels
