"""The command line: results, refusals with their exit codes, events and log."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ct_variants
import numpy as np
import pytest
from command_line_support import GRID, PATIENT, events_of
from one_model import model_task
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorEngine.worker import serve as worker
from TotalSegmentatorWire.errors.problem import ERRORS, Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import (
    CancelledEvent,
    FailedEvent,
    FinishedEvent,
    ProgressEvent,
    Stage,
    StartedEvent,
    WarningEvent,
)
from TotalSegmentatorWire.user_folders import default_models_folder

# -- success -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nii.gz"])
def test_a_result_is_written_on_the_grid_of_the_ct(tmp_path: Path, ct: Path, tasks: list, suffix: str) -> None:
    output = tmp_path / ("out" + suffix)
    assert main(["segment", str(ct), str(output), "--model", "104-3mm"]) == 0
    written, source = read_input(output).volume, read_input(ct).volume
    assert written.geometry.matches(source.geometry)
    np.testing.assert_array_equal(written.array, source.array > 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([PATIENT, output.name])


def test_a_review_sheet_of_a_result_holds_its_remarks(tmp_path: Path, ct: Path, tasks: list) -> None:
    output = tmp_path / "out.pdf"
    assert main(["segment", str(ct), str(output), "--model", "m", "--export", "review"]) == 0
    data = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))
    (structure,), (remark,), (computation,) = data["structures"], data["remarks"], data["computations"]
    assert structure["name"] == "spleen" and (remark["rule"], remark["decision"]) == ("cut_by_scan", "open")
    assert (computation["model"], computation["seconds"], computation["device"]) == ("fake", 1.0, "cpu")
    assert computation["options"]["Runtime"] == "openvino" and not structure["edited"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["out.json", "out.pdf"]


def test_the_review_of_a_result_is_written_beside_it(tmp_path: Path, ct: Path, tasks: list, capsys) -> None:
    assert main(["segment", str(ct), str(tmp_path / "out.seg.nrrd"), "--model", "m", "--review"]) == 0
    (flag,) = json.loads((tmp_path / "out.review.json").read_text(encoding="utf-8"))["flags"]
    assert (flag["structure"], flag["sentence"]) == ("spleen", "The scan ends within spleen (feet).")
    assert "0 wrong?, 0 to check, 1 cut by the scan" in capsys.readouterr().out


def test_the_arguments_reach_the_pipeline(tmp_path: Path, ct: Path, tasks: list) -> None:
    arguments = [
        "--model",
        "m",
        "--models-folder",
        str(tmp_path),
        "--structures",
        "liver, spleen",
        "--device",
        "cuda:1",
    ]
    assert main(["segment", str(ct), str(tmp_path / "a.nrrd"), *arguments]) == 0
    assert tasks == [model_task("m", tmp_path, ["liver", "spleen"], "cuda:1")]


def test_found_and_absent_structures_and_progress_are_printed(
    tmp_path: Path, ct: Path, tasks: list, capsys: pytest.CaptureFixture
) -> None:
    main(["segment", str(ct), str(tmp_path / "a.nrrd"), "--model", "m"])
    printed = capsys.readouterr()
    assert "1 of 2 structures found in 1 s (fake, cpu, openvino, exact)." in printed.out
    assert "Not found in this CT: liver" in printed.out
    assert "segmenting, tile 0 of 4" in printed.err
    assert "warning DEMO_MODEL: This demo model was trained only" in printed.err


def test_events_are_the_wires(tmp_path: Path, ct: Path, tasks: list) -> None:
    (tmp_path / "events.jsonl").write_text("")
    main(["segment", str(ct), str(tmp_path / "a.nrrd"), "--model", "m", "--events", str(tmp_path / "events.jsonl")])
    events = events_of(tmp_path / "events.jsonl")
    assert isinstance(events[0], StartedEvent) and isinstance(events[-1], FinishedEvent)
    assert [event.problem["code"] for event in events if isinstance(event, WarningEvent)] == ["DEMO_MODEL"]
    progress = [event for event in events if isinstance(event, ProgressEvent)]
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert next(event.tile for event in progress if event.stage == Stage.PREDICTING) == 0


def test_events_and_log_name_no_patient(tmp_path: Path, ct: Path, tasks: list, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--model", "m", "--events", str(tmp_path / "events.jsonl"), "--log", str(tmp_path / "log.txt")]

    def crash(*_arguments: object) -> None:
        raise ValueError(f"cannot use '{ct}'")

    assert main(["segment", str(ct), str(ct.parent / "a.nrrd"), *arguments]) == 0
    monkeypatch.setattr(pipeline, "segment", crash)
    assert main(["segment", str(ct), str(ct.parent / "a.nrrd"), *arguments]) == 1
    ct.write_bytes(b"damaged")
    assert main(["segment", str(ct), str(ct.parent / "a.nrrd"), *arguments]) == 11
    log, events = (tmp_path / "log.txt").read_text(), (tmp_path / "events.jsonl").read_text()
    assert PATIENT not in log + events
    assert "Traceback" in log and "ValueError" in log
    assert len(events.splitlines()) > 10  # both runs appended


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_code_ends_with_its_exit_code_and_sentences(
    tmp_path: Path, ct: Path, tasks: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, code: str
) -> None:
    class Anything(dict):
        """Some value for every name that a sentence holds."""

        def __missing__(self, key: str) -> object:
            return "x" if key in ("modality", "device", "suffix", "model", "detail", "name", "nearest") else 3.0

    error = SegmentationError("CANCELLED")
    error.problem = Problem(code, {name: Anything()[name] for name in names_in(ERRORS[code].what + ERRORS[code].todo)})

    def refuse(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "segment", refuse)
    events = tmp_path / "events.jsonl"
    status = main(["segment", str(ct), str(tmp_path / "a.seg.nrrd"), "--model", "m", "--events", str(events)])
    assert status == ERRORS[code].exit_code
    last = events_of(events)[-1]
    if code == "CANCELLED":
        assert isinstance(last, CancelledEvent)
    else:
        assert isinstance(last, FailedEvent) and last.problem["code"] == code
    printed = capsys.readouterr().err
    assert f"error {code}: {error.problem.what} {error.problem.todo}" in printed
    assert not (tmp_path / "a.seg.nrrd").exists()


def names_in(sentence: str) -> list[str]:
    import string

    return [name for _, name, _, _ in string.Formatter().parse(sentence) if name]


@pytest.mark.parametrize("command", [[], ["segment"], ["models", "list"]])
def test_the_exit_codes_of_the_table_are_distinct_and_listed(command: list, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help-exit-codes"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert len({definition.exit_code for definition in ERRORS.values()}) == len(ERRORS)
    for definition in ERRORS.values():
        assert f"{definition.exit_code:3}  {definition.code}: " in text
    assert "{" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["segment"],
        ["segment", "a", "b.nrrd"],
        ["segment", "a", "b.nrrd", "--model", "m", "--device", "tpu"],
        ["fly"],
    ],
)
def test_wrong_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_the_output_is_judged_before_the_input(tmp_path: Path, tasks: list) -> None:
    missing = str(tmp_path / "missing.nii.gz")
    assert main(["segment", missing, str(tmp_path / "a.png"), "--model", "m"]) == 34
    assert main(["segment", missing, str(tmp_path / "nowhere" / "a.nrrd"), "--model", "m"]) == 33
    assert main(["segment", missing, str(tmp_path / "a.nrrd"), "--model", "m"]) == 10
    assert tasks == []


def test_the_input_is_not_overwritten(ct: Path, tasks: list) -> None:
    before = ct.read_bytes()
    assert main(["segment", str(ct), str(ct), "--model", "m"]) == ERRORS["OUTPUT_IS_INPUT"].exit_code
    assert ct.read_bytes() == before


@pytest.mark.parametrize("option", ["--events", "--log"])
def test_files_that_cannot_be_written_are_reported(tmp_path: Path, ct: Path, tasks: list, option: str) -> None:
    arguments = ["segment", str(ct), str(tmp_path / "a.nrrd"), "--model", "m", option, str(tmp_path / "no" / "file")]
    assert main(arguments) == 33
    assert not (tmp_path / "a.nrrd").exists()


def test_an_implausible_ct_is_segmented_with_a_warning(
    tmp_path: Path, tasks: list, capsys: pytest.CaptureFixture
) -> None:
    path = ct_variants.write_image(tmp_path / "mr.nrrd", np.arange(210, dtype=np.int16).reshape(5, 6, 7), GRID)
    assert main(["segment", str(path), str(tmp_path / "a.nrrd"), "--model", "m"]) == 0
    assert "warning IMPLAUSIBLE_HU: The voxel values range from 0 to 209" in capsys.readouterr().err


# -- the other commands ------------------------------------------------------------------------------------------------


def test_structures_are_listed(capsys: pytest.CaptureFixture) -> None:
    assert main(["structures", "--model", "104-3mm"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "Label  Name                          TG-263 name       Group",
        "    1  spleen                        Spleen            organ",
        "    2  kidney_right                  Kidney_R          organ",
    ]
    assert len(lines) == 105
    assert main(["structures", "--model", "104-3mm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "label": 2,
        "name": "kidney_right",
        "display_name": "kidney right",
        "tg263_name": "Kidney_R",
        "group": "organ",
    }


@pytest.mark.parametrize(
    "command",
    [["structures"], ["plan", "ct.nrrd"], ["segment", "ct.nrrd", "a.nrrd"], ["segment", "--install", "a", "b"]],
)
def test_a_model_that_does_not_exist_is_named_with_the_nearest(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ct.nrrd").touch()
    assert main([*command, "--model", "117-3m"]) == ERRORS["MODEL_UNKNOWN"].exit_code
    assert "no model named 117-3m; the closest names are 117-3mm, " in capsys.readouterr().err
    if "--install" not in command:
        assert main([*command, "--model", str(tmp_path / "117-3m")]) == ERRORS["MODEL_FOLDER_MISSING"].exit_code


def test_serve_is_handed_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def served(arguments: list[str]) -> None:
        raise SystemExit(arguments)

    monkeypatch.setattr(worker, "main", served)
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--protocol", "1", "--worker-folder", "w"])
    assert stopped.value.code == ["--protocol", "1", "--worker-folder", "w"]


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"TOTALSEGMENTATOR_MODELS": "/big/models"}, "/big/models"),
        ("linux", {"HOME": "/Users/me"}, "/Users/me/.local/share/TotalSegmentatorModule/models"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Application Support/TotalSegmentatorModule/models"),
        (
            "win32",
            {"LOCALAPPDATA": "C:/Users/me/AppData/Local"},
            "C:/Users/me/AppData/Local/TSM/models",
        ),
    ],
)
def test_the_models_folder_of_each_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("TOTALSEGMENTATOR_MODELS", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert default_models_folder().as_posix() == expected
