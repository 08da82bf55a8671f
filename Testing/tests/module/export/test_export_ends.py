"""How an export of the panel ends: cancelled, failed, killed, or with Slicer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import marked_processes, needs_signals
from panel_support import folders_of, wait_for
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError

# -- ends --------------------------------------------------------------------------------------------------------------


def assert_nothing_is_left(exporter) -> None:
    assert exporter.written == []
    assert wait_for(lambda: not marked_processes(exporter.user.mark))
    assert exporter.app.wait_until(lambda: len(folders_of("jobs")) == 0, READY_SECONDS)


@pytest.mark.parametrize("act", ["slow", pytest.param("deaf", marks=needs_signals)])
def test_cancelled_export_leaves_nothing(ready, act, monkeypatch):
    from TotalSegmentatorModuleLib.tasks import program_run

    monkeypatch.setattr(program_run, "CANCEL_SECONDS", 0.5)  # how long a deaf one is waited for
    ready.acts(act)
    ready.click()
    ready.wait_for_half()
    ready.click()
    ready.wait_until_ready()

    assert ready.ui.export_task.resultLabel.text == "Cancelled. Nothing was written."
    assert not ready.ui.export_task.resultButton.visible
    assert_nothing_is_left(ready)


@pytest.mark.parametrize("act", ["export", "fail"])
def test_what_became_of_it_comes_into_sight(ready, act):
    ready.app.resize_window(1024, 420)
    ready.acts(act)
    ready.export()
    task = ready.ui.export_task
    shown = task.errorWhatLabel if act == "fail" else task.resultLabel
    assert ready.app.wait_until(lambda: not shown.visibleRegion().isEmpty(), READY_SECONDS)


def test_an_engine_that_cannot_be_found_leaves_nothing(ready, monkeypatch):
    from TotalSegmentatorModuleLib.background import installed_engine

    def raise_error():
        raise SegmentationError("EXPORT_DIED", status=1)

    monkeypatch.setattr(installed_engine, "engine_environment", raise_error)
    ready.export()

    assert ready.error_code == "EXPORT_DIED"
    assert_nothing_is_left(ready)


@pytest.mark.parametrize(
    ("act", "code", "values"),
    [
        ("fail", "EXPORT_SEGMENT_EMPTY", {"names": "Liver, Spleen"}),
        ("die", "EXPORT_DIED", {"status": 3}),
        ("mute", "EXPORT_DIED", {"status": 0}),
    ],
)
def test_failure_is_reported_and_leaves_nothing(ready, act, code, values):
    ready.acts(act)
    ready.export()

    assert ready.error_code == code
    assert ready.ui.export_task.errorWhatLabel.text == ERRORS[code].what.format(**values)
    assert ready.ui.export_task.errorTodoLabel.text == ERRORS[code].todo
    log = ready.ui.log.textEdit.toPlainText()
    assert code in log
    assert "export begins" in log  # what the program wrote to its own
    assert_nothing_is_left(ready)
    ready.app.click(ready.ui.export_task.errorDismissButton)
    assert not ready.ui.export_task.errorFrame.visible


@needs_signals
def test_killed_program_is_reported(ready):
    import os
    import signal

    ready.acts("slow")
    ready.click()
    ready.wait_for_half()
    for pid in marked_processes(ready.user.mark):
        os.kill(pid, signal.SIGKILL)
    ready.wait_until_ready()

    assert ready.error_code == "EXPORT_DIED"
    assert_nothing_is_left(ready)


def test_draft_of_a_crashed_application_is_removed(ready):
    import os

    old, fresh, other = (ready.target / (".totalsegmentator-export-" + name) for name in ("0" * 32, "1" * 32, "mine"))
    for folder in (old, fresh, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    ready.choose(ready.ui.export.formatComboBox, "volumes")
    ready.export()

    assert ready.written == [fresh.name, other.name, "CT abdomen segmentation.csv"]


def test_folder_that_cannot_be_written_is_reported(ready):
    file = ready.target / "a file"
    file.write_text("", encoding="utf-8")
    ready.ui.export.folderPathLineEdit.currentPath = str(file / "folder")
    ready.app.process_events()
    ready.export()

    assert ready.error_code == "OUTPUT_NOT_WRITABLE"


def test_no_warning_is_shown_about_a_file_that_did_not_get_to_its_place(ready, monkeypatch):
    from TotalSegmentatorModuleLib.export.destination import ExportDestination

    def fail(_destination) -> list[Path]:
        raise SegmentationError("OUTPUT_NOT_WRITABLE")

    ready.export()
    assert ready.ui.export_task.warningFrame.visible
    monkeypatch.setattr(ExportDestination, "publish", fail)
    ready.export()

    assert ready.error_code == "OUTPUT_NOT_WRITABLE"
    assert not ready.ui.export_task.warningFrame.visible
    assert not ready.ui.export_task.resultFrame.visible


@pytest.mark.parametrize("act", ["slow", pytest.param("deaf", marks=needs_signals)])
def test_quitting_stops_the_export_and_leaves_nothing(ready, act):
    ready.acts(act)
    ready.click()
    ready.wait_for_half()
    cache = Path(slicer.app.cachePath)
    begun = time.monotonic()
    ready.app.quit()

    assert time.monotonic() - begun < READY_SECONDS
    assert wait_for(lambda: not marked_processes(ready.user.mark))
    assert ready.written == []
    assert not list(cache.rglob("layer-*.raw"))


def test_closing_the_scene_lets_an_export_go_on(ready):
    ready.acts("slow")
    ready.choose(ready.ui.export.formatComboBox, "nrrd")
    ready.click()
    ready.wait_for_half()
    ready.app.close_scene()
    assert ready.ui.export_task.startButton.text == "Cancel"
    ready.finish()
    ready.wait(lambda: ready.ui.export_task.resultFrame.visible)

    assert ready.written == ["CT abdomen segmentation.seg.nrrd"]
    assert ready.error_code == ""


def test_segmentation_removed_before_it_was_handed_over_ends_the_export(ready):
    ready.click()
    slicer.mrmlScene.RemoveNode(ready.node)
    ready.wait_until_ready()

    assert ready.error_code == "EXPORT_INPUT_REMOVED"
    assert_nothing_is_left(ready)
