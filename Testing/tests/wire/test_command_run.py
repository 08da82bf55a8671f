"""What every command that takes a while shares: a reporter of few events, a terminal, a cancel file."""

from __future__ import annotations

from pathlib import Path

import pytest
from TotalSegmentatorWire.command.command_run import CommandRun, RunFiles
from TotalSegmentatorWire.command.reporter import EventReporter
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.export import ExportProgressEvent, ExportStep
from TotalSegmentatorWire.messages.segment import EVENTS, CancelledEvent, ProgressEvent, Stage, decode
from TotalSegmentatorWire.messages.setup import SetupProgressEvent, SetupStep


def test_a_cancel_file_ends_a_run_as_a_signal_does(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    files = RunFiles(events=tmp_path / "events.jsonl", cancel_file=tmp_path / "cancel")
    run = CommandRun("job", files, Terminal(), lambda error: Problem("INTERNAL_ERROR", {"kind": str(error)}))
    reporter = EventReporter("job", run.emit, run.is_cancelled)

    def work() -> None:
        reporter.check_cancelled()
        files.cancel_file.touch()
        reporter.check_cancelled()

    assert run.run(work) == 130
    assert [decode(line, EVENTS) for line in files.events.read_text().splitlines()] == [CancelledEvent("job")]
    assert capsys.readouterr().err.startswith("error CANCELLED: ")


def test_each_kind_of_progress_has_its_words(capsys: pytest.CaptureFixture) -> None:
    terminal = Terminal()
    for event in (
        ProgressEvent("job", Stage.PREDICTING, 0.5, 12.2, 3, 6),
        ExportProgressEvent(ExportStep.CONTOURING, "Liver", 0.25),
        SetupProgressEvent(SetupStep.DOWNLOADING_MODEL, "Dataset297", 0.1, 5_000_000, 135_000_000, 2.5e6, 52.0),
    ):
        terminal.show(event)
    assert capsys.readouterr().err.splitlines() == [
        " 50% segmenting, tile 3 of 6, about 12 s left",
        " 25% contouring Liver",
        " 10% downloading Dataset297, 5 of 135 MB, 2.5 MB/s, about 52 s left",
    ]


def test_a_pipe_gets_a_line_for_each_step_and_tenth(capsys: pytest.CaptureFixture) -> None:
    terminal = Terminal()
    for hundredth in range(41):
        terminal.show(ExportProgressEvent(ExportStep.WRITING, "", hundredth / 100))
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["0%", "10%", "20%", "30%", "40%"]
