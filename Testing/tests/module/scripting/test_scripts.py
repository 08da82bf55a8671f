"""The module's logic as scripts get it, with the panel made before or not, and without a main window."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import expected_labels, marked_processes, soft_tissue_with_air
from panel_support import GRID, MODULE, wait_for
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.user_folders import default_models_folder

PLAIN = json.dumps({})
"""The path of a model that the fake engine runs to its end."""


@pytest.fixture
def engine(app, monkeypatch, tmp_path):
    """The fake engine; returns the mark of its processes. Nobody has opened the module."""
    import sys
    import uuid

    from job_support import engine_environment
    from TotalSegmentatorModuleLib.background import installed_engine

    mark = uuid.uuid4().hex
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: engine_environment(sys.executable, mark))
    monkeypatch.setenv("TOTALSEGMENTATOR_MODELS", str(tmp_path / "models"))
    yield mark
    app.quit()
    assert wait_for(lambda: not marked_processes(mark)), "a process was left behind"


@pytest.fixture(params=["module only", "panel made", "panel open", "logic alone"])
def logic(request, app, engine):
    """The logic in each state in which a script can find the module."""
    if request.param == "panel open":
        app.open_module(MODULE)
    else:
        app.load_module(MODULE)
    if request.param == "logic alone":
        from TotalSegmentatorModule import TotalSegmentatorModuleLogic

        return TotalSegmentatorModuleLogic()
    if request.param == "panel made":
        slicer.util.getModuleWidget("TotalSegmentatorModule")
    return slicer.util.getModuleLogic("TotalSegmentatorModule")


@pytest.fixture
def ct(app):
    return app.add_volume(soft_tissue_with_air(), GRID, "CT")


def test_process_gives_the_node(logic, ct):
    node = logic.process(ct, model=PLAIN)

    assert node.GetScene() is slicer.mrmlScene
    expected = expected_labels(slicer.util.arrayFromVolume(ct))
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ct) != 0, expected == 1)
    assert not logic.is_busy


def test_output_is_replaced_without_asking(logic, ct, never_asked):
    node = logic.process(ct, model=PLAIN)
    node.GetSegmentation().AddEmptySegment("drawn by hand")

    assert logic.process(ct, output=node, model=Path(PLAIN)) is node
    assert node.GetSegmentation().GetSegment("drawn by hand") is None


@pytest.fixture
def never_asked(monkeypatch):
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: pytest.fail("a question was asked"))


def test_failure_is_raised(logic, ct):
    with pytest.raises(SegmentationError) as caught:
        logic.process(ct, model=json.dumps({"stage": "reading", "act": "refuse"}))
    assert caught.value.code == "MEMORY_SHORT"

    assert logic.process(ct, model=PLAIN).GetSegmentation().GetNumberOfSegments() == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"model": "104-3mm"}, "MODEL_MISSING"),
        ({"model": "104-3mm", "structures": ["liver", "livre"]}, "STRUCTURE_UNKNOWN"),
        ({"model": "104-3mm", "structures": "liver, livre"}, "STRUCTURE_UNKNOWN"),
        ({"model": PLAIN, "precision": "some"}, "BAD_REQUEST"),
        ({"preset": "rt-thorax"}, "CHOICE_MODELS_MISSING"),
        ({"preset": "rt-throax"}, "PRESET_UNKNOWN"),
        ({"structures": "parotid gland left", "quality": "fast"}, "CHOICE_MODELS_MISSING"),
    ],
)
def test_what_cannot_run_is_refused_at_once(app, engine, ct, arguments, code):
    app.load_module(MODULE)
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")

    with pytest.raises(SegmentationError) as caught:
        logic.process(ct, **arguments)

    assert caught.value.code == code
    assert not logic.is_busy and marked_processes(engine) == []


def test_without_a_model_it_is_the_one_that_the_panel_suggests(app, engine, ct):
    from TotalSegmentatorModuleLib.scripting.segmentation_order import segmentation_order

    suggested = app.open_module(MODULE).logic.getParameterNode().model
    assert suggested == "104-3mm", "this computer has no graphics card"
    assert segmentation_order(ct).requests[0].model == suggested


def test_a_preset_chooses_the_models(app, engine, ct, monkeypatch, tmp_path):
    from TotalSegmentatorModuleLib.segment.session import SegmentationSession
    from TotalSegmentatorWire.tables.catalogue import read_catalogue

    (part,) = read_catalogue()["104-3mm"].part_folders(tmp_path)
    part.mkdir(parents=True)
    (part / "plans.json").write_text("{}")
    orders, apply = [], SegmentationSession.apply
    monkeypatch.setattr(
        SegmentationSession, "apply", lambda self, order, *rest: (orders.append(order), apply(self, order, *rest))
    )
    app.load_module(MODULE)
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")

    node = logic.process(ct, preset="ribs", structures="Liver", quality="fast", models_folder=tmp_path)

    assert node.GetSegmentation().GetNumberOfSegments() == 2, "what the fake engine finds"
    (request,) = orders[0].requests
    assert request.model == "104-3mm" and len(request.structures) == 25 and "liver" in request.structures
    with pytest.raises(ValueError, match="either a model"):
        logic.process(ct, preset="ribs", model="104-3mm")


def test_unknown_option_is_a_type_error(app, engine, ct):
    app.load_module(MODULE)
    with pytest.raises(TypeError):
        slicer.util.getModuleLogic("TotalSegmentatorModule").process(ct, model=PLAIN, fast=True)


@pytest.mark.parametrize("kind", [str, Path])
def test_folders_may_be_texts_or_paths(app, engine, ct, kind):
    app.load_module(MODULE)
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")

    assert logic.process(ct, model=kind(PLAIN), models_folder=kind(default_models_folder())) is not None


def test_options_reach_the_job(app, engine, ct):
    import vtk

    app.load_module(MODULE)
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")

    node = logic.process(ct, model=PLAIN, smallest_island_mm3=50.0)

    island = vtk.reference("")
    node.GetSegmentation().GetNthSegment(0).GetTag("TotalSegmentatorModule.SmallestIslandMm3", island)
    assert float(str(island)) == 50.0


def test_wait_can_come_later(logic, ct):
    assert logic.process(ct, model=PLAIN, wait=False) is None
    assert logic.is_busy
    with pytest.raises(SegmentationError) as caught:
        logic.process(ct, model=PLAIN)
    assert caught.value.code == "JOB_RUNNING"

    node = logic.wait()

    assert node.GetSegmentation().GetNumberOfSegments() == 2
    assert logic.wait() is node


def test_wait_without_a_job_is_an_error(logic):
    with pytest.raises(RuntimeError, match="process"):
        logic.wait()


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_job_that_is_stopped_raises(logic, ct, end, app, engine):
    logic.process(ct, model=json.dumps({"stage": "predicting", "act": "slow"}), wait=False)
    assert app.wait_until(lambda: marked_processes(engine) != [])

    getattr(logic, end)()

    with pytest.raises(SegmentationError) as caught:
        logic.wait()
    assert caught.value.code == "CANCELLED"


@pytest.mark.parametrize(("leave", "code"), [("close", "CANCELLED"), ("remove", "INPUT_REMOVED")])
def test_job_ends_with_its_scene_and_its_ct(logic, ct, leave, code, app, engine):
    logic.process(ct, model=json.dumps({"stage": "predicting", "act": "slow"}), wait=False)
    assert app.wait_until(lambda: marked_processes(engine) != [])

    app.close_scene() if leave == "close" else slicer.mrmlScene.RemoveNode(ct)

    with pytest.raises(SegmentationError) as caught:
        logic.wait()
    assert caught.value.code == code


def test_close_ends_the_background_process(logic, ct, engine):
    logic.process(ct, model=PLAIN)
    assert len(marked_processes(engine)) == 1

    logic.close()

    assert wait_for(lambda: not marked_processes(engine))
    assert logic.process(ct, model=PLAIN) is not None


def test_waiting_sleeps_and_lets_the_events_through(app, engine, ct):
    """A job of two seconds takes a small part of a core, and timers go on meanwhile."""
    import qt

    app.load_module(MODULE)
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")
    logic.process(ct, model=PLAIN)  # the process has been started
    ticks = []
    timer, stop = qt.QTimer(), qt.QTimer()
    timer.connect("timeout()", lambda: ticks.append(time.monotonic()))
    timer.start(50)
    stop.setSingleShot(True)
    stop.connect("timeout()", logic.cancel)
    stop.start(1500)
    used, begun = time.thread_time(), time.monotonic()

    with pytest.raises(SegmentationError):
        logic.process(ct, model=json.dumps({"stage": "predicting", "act": "slow"}))

    timer.stop()
    assert time.monotonic() - begun > 1.4
    assert len(ticks) > 5, "of thirty; not all come on a busy machine"
    assert time.thread_time() - used < 0.5 * (time.monotonic() - begun)


def test_open_panel_shows_what_a_script_runs(app, engine, ct):
    widget = app.open_module(MODULE)

    slicer.util.getModuleLogic("TotalSegmentatorModule").process(ct, model=PLAIN)

    assert widget.ui.messages.resultLabel.text.startswith("2 structures found")
    assert widget.ui.progress.applyButton.text == "Apply"


def test_model_is_the_panels_where_none_is_named(app, engine, ct):
    from TotalSegmentatorModuleLib import settings

    app.load_module(MODULE)
    settings.set_text(settings.MODEL, "folder")
    settings.set_text(settings.MODEL_FOLDER, PLAIN)

    assert slicer.util.getModuleLogic("TotalSegmentatorModule").process(ct) is not None
