"""Jobs that end in the middle: the scene, the CT, the module or the application goes; results that wait for import."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from desktop.application.module_objects import import_module_file, qSlicerScriptedLoadableModule
from desktop.pythonqt.proxies import wrap
from job_support import marked_processes
from panel_support import MODULE, folders_of, wait_for
from time_bounds import READY_SECONDS

# -- ends in the middle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["reading", "predicting"])
def test_closing_the_scene_ends_the_job(user, app, stage):
    user.add_ct()
    user.plan(stage, "slow")
    user.click_apply()
    app.wait_until(lambda: user.ui.progress.progressBar.value > 30, READY_SECONDS)

    app.close_scene()
    user.wait_until_ready(READY_SECONDS)

    assert user.segmentations == []
    assert not user.ui.progress.applyButton.enabled
    assert user.error_code == ""
    assert app.wait_until(lambda: len(folders_of("jobs")) <= 1, READY_SECONDS)  # the idle engine's own


def test_deleting_the_ct_ends_the_job_and_says_why(user):
    ct = user.add_ct()
    user.plan("predicting", "slow")
    user.click_apply()
    user.wait_for_stage("Segmenting")

    slicer.mrmlScene.RemoveNode(ct)
    user.wait_until_ready(READY_SECONDS)

    assert user.error_code == "INPUT_REMOVED"
    assert user.segmentations == []


def test_reload_during_a_job_leaves_nothing(user, app):
    user.add_ct()
    user.plan("predicting", "slow")
    user.click_apply()
    user.wait_for_stage("Segmenting")

    user.widget = app.reload_module()

    assert user.ui.progress.applyButton.text == "Apply"
    assert wait_for(lambda: not marked_processes(user.mark))
    assert folders_of("jobs") == []


@pytest.fixture
def own_packages():
    """Puts our packages back as they were, since other tests hold classes of theirs."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("TotalSegmentator")}
    yield before
    for name in [name for name in sys.modules if name.startswith("TotalSegmentator")]:
        del sys.modules[name]
    sys.modules.update(before)


def test_developers_reload_takes_our_packages_along(user, app, own_packages):
    user.widget.onReload()
    app.process_events()
    user.widget = slicer.modules.TotalSegmentatorModuleWidget

    assert (
        sys.modules["TotalSegmentatorModuleLib.panel.module_panel"]
        is not own_packages["TotalSegmentatorModuleLib.panel.module_panel"]
    )
    assert sys.modules["TotalSegmentatorWire.errors.problem"] is not own_packages["TotalSegmentatorWire.errors.problem"]
    ct = user.add_ct()
    assert user.ui.inputs.inputSelector.currentNode() is ct


def test_quitting_during_a_job_leaves_nothing(user, app):
    user.add_ct()
    user.plan("predicting", "slow")
    user.click_apply()
    user.wait_for_stage("Segmenting")
    cache = Path(slicer.app.cachePath)

    app.quit()

    assert wait_for(lambda: not marked_processes(user.mark))
    assert not list(cache.rglob("ct.raw"))


def test_leaving_the_module_does_not_stop_the_job(user, app):
    user.add_ct()
    user.plan()
    user.click_apply()
    app.leave_module()

    assert app.wait_until(lambda: len(user.segmentations) == 1, 30.0)


# -- results without the panel -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["widgets.load_panel", "module_panel.Panel"])
def test_module_whose_setup_has_failed_can_be_entered_and_closed(app, monkeypatch, part):
    def fail(*_arguments):
        raise OSError("a file of the module is missing")

    monkeypatch.setattr(f"TotalSegmentatorModuleLib.panel.{part}", fail)
    with pytest.raises(OSError, match="a file of the module"):
        app.open_module(MODULE)
    widget = slicer.modules.TotalSegmentatorModuleWidget
    widget.enter()
    slicer.app.clipboard().setText("of another program")
    app.quit()  # calls cleanup
    slicer.app.clipboard().setText("of another program again")

    assert app.errors == []


def test_labels_of_a_panel_that_went_without_a_word_leave_the_clipboard_alone(app, monkeypatch):
    def fail(*_arguments):
        raise OSError("a file of the module is missing")

    monkeypatch.setattr("TotalSegmentatorModuleLib.panel.module_panel.CompareSection", fail)  # after the edit bar
    with pytest.raises(OSError, match="a file of the module"):
        app.open_module(MODULE)
    bar = slicer.modules.TotalSegmentatorModuleWidget.ui.edit_bar.editBarFrame
    app.quit()
    bar.deleteLater()
    app.process_events()
    assert not bar
    slicer.app.clipboard().setText("of another program")

    assert app.errors == []


def test_a_panel_that_could_not_be_made_saves_no_reviews(app, monkeypatch):
    from TotalSegmentatorModuleLib.recovery.review_recovery import ReviewRecovery

    closed = []
    close = ReviewRecovery.close
    monkeypatch.setattr(ReviewRecovery, "close", lambda recovery: closed.append(recovery) or close(recovery))
    monkeypatch.setattr("TotalSegmentatorModuleLib.panel.module_panel.CompareSection", lambda *_arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app.open_module(MODULE)

    assert len(closed) == 1


def start_application(module_class):
    module_class(wrap(qSlicerScriptedLoadableModule(str(MODULE))))
    slicer.app.startupCompleted.emit()


@pytest.mark.parametrize("begin", ["application", "script"])
def test_results_go_quickly_though_the_panel_was_never_opened(app, begin):
    module = import_module_file(MODULE)
    if begin == "application":
        start_application(module.TotalSegmentatorModule)
    else:
        module.TotalSegmentatorModuleLogic()
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.SetAttribute("TotalSegmentatorModule.Result", "1")  # as it comes with a scene that was saved
    slicer.mrmlScene.AddNode(node)
    segment = node.GetSegmentation().GetSegment(node.GetSegmentation().AddEmptySegment("liver"))
    segment.AddRepresentation("Binary labelmap", slicer.vtkOrientedImageData())
    images = []
    slicer.mrmlScene.AddObserver(
        slicer.mrmlScene.NodeAboutToBeRemovedEvent,
        lambda *_: images.append(segment.GetRepresentation("Binary labelmap")),
    )

    slicer.mrmlScene.RemoveNode(node)

    assert images == [None]  # let go before Slicer takes segment after segment out of it


# -- results that wait -------------------------------------------------------------------------------------------------


def finish_without_import(user, monkeypatch):
    """A job whose import fails, as when Slicer crashes in that moment; its result stays."""
    from TotalSegmentatorModuleLib.segment import result_import

    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(result_import, "add_to_scene", fail)
        user.plan()
        user.run_job()
    assert user.error_code == "INTERNAL_ERROR"


def test_result_that_was_not_imported_is_offered_again(user, app, monkeypatch):
    ct = user.add_ct()
    finish_without_import(user, monkeypatch)
    assert user.ui.unimported.resultFrame.visible

    app.click(user.ui.unimported.importButton)
    user.wait_until_ready()

    assert not user.ui.unimported.resultFrame.visible
    (node,) = user.segmentations
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    assert app.wait_until(lambda: not folders_of("results"), READY_SECONDS)


def test_waiting_result_can_be_discarded(user, app, answers, monkeypatch):
    user.add_ct()
    finish_without_import(user, monkeypatch)

    answers[:] = [True]
    app.click(user.ui.unimported.discardButton)

    assert not user.ui.unimported.resultFrame.visible
    assert app.wait_until(lambda: not folders_of("results"), READY_SECONDS)
    assert user.segmentations == []
