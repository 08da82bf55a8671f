"""A job whose preview is in the scene, and waits for what the user does before the fine result follows."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from fake_setup import put_models
from job_support import engine_environment
from panel_support import PanelUser, panel_user
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.user_folders import default_models_folder

FINE, FAST = "104-1.5mm", "104-3mm"


class PreviewUser:
    """Somebody who has ticked the box; the engine waits after the preview until ``finish``."""

    def __init__(self, user: PanelUser, hold) -> None:
        self.user, self.app, self.ui = user, user.app, user.ui
        self._hold = hold
        put_models((FINE, FAST), default_models_folder())
        self.app.leave_module()
        self.app.enter_module()
        self.ct = user.add_ct()
        user.choose_model(FINE)

    @property
    def box(self):
        return self.ui.inputs.previewCheckBox

    @property
    def nodes(self) -> list:
        return self.user.segmentations

    @property
    def log(self) -> str:
        return self.ui.log.textEdit.toPlainText()

    def start(self, structures: str = ""):
        """Apply; returns the preview's vtkMRMLSegmentationNode. With "three structures" it has spleen, gallbladder and
        liver apart from each other, else the spleen alone."""
        before = self.nodes
        self._hold.write_text(structures, encoding="utf-8")
        self.user.click_apply()
        texts = self.ui.messages.resultLabel
        assert self.app.wait_until(lambda: texts.text.startswith("Preview"), READY_SECONDS), self.user.describe()
        (node,) = (each for each in self.nodes if each not in before)
        return node

    def review_alone(self, node, name: str) -> None:
        """Open the review of ``node`` (vtkMRMLSegmentationNode) and click a structure, which is shown alone."""
        from review_support import ReviewUser

        self.user.parameters.reviewSegmentation = node
        self.ui.review.collapsibleButton.collapsed = False
        self.app.process_events()
        ReviewUser(self.user).click_row(name)
        self.app.process_events()

    def add_output(self):
        """An empty vtkMRMLSegmentationNode, chosen for the result."""
        import slicer

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Chosen output")
        node.CreateDefaultDisplayNodes()
        self.user.parameters.outputSegmentation = node
        self.app.process_events()
        return node

    def finish(self) -> None:
        """The fine result comes, and all of it is shown."""
        self._hold.unlink()
        self.user.wait_until_ready()
        self.app.process_events()

    def refuse(self) -> None:
        self._hold.write_text("refuse", encoding="utf-8")
        self.user.wait_until_ready()

    def voxels(self, node, segment_id: str = "spleen"):
        """Bool (k, j, i) of the CT."""
        import slicer

        return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, self.ct) != 0

    @staticmethod
    def draw(node) -> None:
        """A stroke in a corner of the structure that the preview has."""
        import slicer

        image = node.GetSegmentation().GetSegment("spleen").GetRepresentation("Binary labelmap")
        scalars = image.GetPointData().GetScalars()
        scalars.SetTuple1(scalars.GetNumberOfTuples() - 1, 0)
        scalars.Modified()
        image.Modified()
        node.GetSegmentation().GetSegment("spleen").Modified()
        slicer.app.processEvents()


@pytest.fixture
def somebody(app, monkeypatch, tmp_path):
    hold = tmp_path / "hold"
    with panel_user(app, monkeypatch, lambda mark: engine_environment(sys.executable, mark, hold=str(hold))) as user:
        yield PreviewUser(user, hold)
