"""The session alone, in the stand-in desktop: what becomes of a job whose scene is closed in a bad moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from TotalSegmentatorWire.messages.model_request import ModelRequest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from job_support import marked_processes
from panel_support import folders_of
from time_bounds import READY_SECONDS


class Scene:
    """Closes the scene, as far as the session hears of it, in the middle of a job's ``stage``."""

    def __init__(self, user) -> None:
        from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
        from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession

        self.app = user.app
        self.ct = user.add_ct()
        self.stage = ""
        self.results: list = []
        self.unimported: list = []
        self.cancelled = 0
        callbacks = JobCallbacks(
            on_progress=self.on_progress,
            on_result=lambda *result: self.results.append(result),
            on_cancelled=self.on_cancelled,
            on_unimported_results=lambda headers: setattr(self, "unimported", headers),
        )
        self.session = SegmentationSession(callbacks)
        self.order = JobOrder(self.ct, (ModelRequest(json.dumps({})),), Path())

    def on_progress(self, _fraction, stage, *_rest) -> None:
        if stage == self.stage:
            self.session.scene_closed()

    def on_cancelled(self) -> None:
        self.cancelled += 1

    def wait_until_idle(self) -> None:
        assert self.app.wait_until(lambda: not self.session.is_busy, READY_SECONDS)


@pytest.fixture
def scene(user):
    scene = Scene(user)
    yield scene
    scene.session.dispose()


def test_result_that_arrives_while_the_scene_is_closed_waits_for_its_import(scene, user):
    from TotalSegmentatorModuleLib.segment.job_types import STAGE_RECEIVING

    scene.stage = STAGE_RECEIVING
    scene.session.apply(scene.order)
    scene.wait_until_idle()
    assert (scene.results, scene.cancelled) == ([], 0)
    scene.session.look_for_unimported_results()
    (header,) = scene.unimported
    engine = marked_processes(user.mark)

    scene.stage = ""
    scene.session.import_saved_result(header.job_id, scene.ct)
    scene.wait_until_idle()
    assert scene.results[0][0].GetSegmentation().GetNumberOfSegments() == 2
    assert scene.app.wait_until(lambda: not folders_of("results"), READY_SECONDS)

    scene.session.apply(scene.order)
    scene.wait_until_idle()
    assert len(scene.results) == 2
    assert marked_processes(user.mark) == engine != []  # the same one


@pytest.mark.parametrize("stage", ["", "starting", "predicting"])
def test_job_whose_scene_is_closed_is_cancelled(scene, stage):
    scene.stage = stage
    scene.session.apply(scene.order)
    if not stage:  # before the first tick
        scene.session.scene_closed()
    scene.wait_until_idle()

    assert (scene.results, scene.cancelled) == ([], 1)
    scene.session.look_for_unimported_results()
    assert scene.unimported == []
    assert scene.app.wait_until(lambda: len(folders_of("jobs")) <= 1, READY_SECONDS)  # the idle engine's own


def test_nothing_is_left_when_the_session_is_disposed(scene, user):
    scene.session.apply(scene.order)
    assert scene.app.wait_until(lambda: marked_processes(user.mark), READY_SECONDS)
    scene.session.dispose()

    assert folders_of("jobs") == folders_of("results") == []
    assert not scene.session.is_busy
