"""The command export's events and log, and its clean end on Cancel and Ctrl+C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from export_case import Case
from places import MODULE_FOLDER
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.export import EXPORT_EVENTS, ExportFinishedEvent, ExportProgressEvent
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, WarningEvent, decode

# -- events, log, end --------------------------------------------------------------------------------------------------


def events_of(path: Path) -> list:
    return [decode(line, EXPORT_EVENTS) for line in path.read_text().splitlines()]


def test_events_tell_it_all_and_the_log_names_nobody(case: Case, tmp_path: Path):
    files = ("--events", tmp_path / "events.jsonl", "--log", tmp_path / "log.txt")
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm", *files) == 0
    *others, last = events_of(tmp_path / "events.jsonl")
    assert isinstance(last, ExportFinishedEvent)
    assert (last.files, last.structures) == ([str(tmp_path / "rs.dcm")], 3)
    fractions = [event.fraction for event in others if isinstance(event, ExportProgressEvent)]
    assert fractions == sorted(fractions)
    assert {event.problem["code"] for event in others if isinstance(event, WarningEvent)} == {
        "EXPORT_UNREVIEWED",
        "EXPORT_CUT",
    }
    log = (tmp_path / "log.txt").read_text()
    assert "Smith" not in log
    assert "tumour" not in log


def _template(entry: str) -> str:
    return json.dumps({"version": 1, "structures": [{"source": "liver", "colour": entry}]})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("EXPORT_NAME_INVALID", ["--to", "rtstruct", "--set-label", "Müller Jürgen 19600101"]),
        ("EXPORT_STRUCTURE_UNKNOWN", ["--to", "rtstruct", "--structures", "Müller"]),
        ("TEMPLATE_UNKNOWN", ["--to", "rtstruct", "--template", "Müller"]),
        ("TEMPLATE_INVALID", ["--to", "rtstruct", "--template", "FILE"]),
    ],
)
def test_the_log_of_a_failure_holds_nothing_that_was_typed(case: Case, tmp_path: Path, code: str, words: list, capsys):
    (tmp_path / "template.json").write_text(_template("Müller"), encoding="utf-8")
    words = [tmp_path / "template.json" if word == "FILE" else word for word in words]
    assert case.run(*words, tmp_path / "rs.dcm", "--log", tmp_path / "log.txt") == ERRORS[code].exit_code
    assert "ller" in capsys.readouterr().err
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert code in log and "<text>" in log
    assert "ller" not in log and "1960" not in log


def test_a_failure_is_an_event(case: Case, tmp_path: Path):
    case.segmentation = case.folder / "missing.seg.nrrd"
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm", "--events", tmp_path / "events.jsonl") == 10
    last = events_of(tmp_path / "events.jsonl")[-1]
    assert isinstance(last, FailedEvent)
    assert last.problem["code"] == "INPUT_NOT_FOUND"


def test_a_cancel_file_stops_it_and_nothing_is_left(case: Case, tmp_path: Path):
    (tmp_path / "cancel").touch()
    files = ("--events", tmp_path / "events.jsonl", "--cancel-file", tmp_path / "cancel")
    before = sorted(tmp_path.iterdir())
    assert case.run("--to", "stl", tmp_path / "surfaces", *files) == 130
    assert isinstance(events_of(tmp_path / "events.jsonl")[-1], CancelledEvent)
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "events.jsonl"])


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_leaves_no_part_of_a_file(case: Case, tmp_path: Path):
    output = tmp_path / "out"
    events = tmp_path / "events.jsonl"
    words = ["export", case.segmentation, "--reference", case.ct, "--to", "rtstruct", output, "--events", events]
    process = subprocess.Popen(
        [sys.executable, str(MODULE_FOLDER / "TotalSegmentatorEngine" / "__main__.py"), *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not events.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    kinds = [json.loads(line)["kind"] for line in events.read_text().splitlines()]
    assert kinds[-1] in ("cancelled", "export_finished")  # it may have been quicker than the signal
    assert output.exists() == (kinds[-1] == "export_finished")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
