"""The command line's job options, and the plan of a job: as a page, as JSON, and as a line while a job runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import ct_variants
import numpy as np
import pytest
from engine_support import blobs_volume
from one_model import model_task
from seeded_models import make_catalogue_model, make_model_folder
from TotalSegmentatorEngine.cli.arguments import parse_arguments
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.cli.printed_pages import about_text, lasting_line, plan_line, plan_page
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationTask
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import WARNINGS, Problem, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import (
    CROPPING,
    LOCALIZATION,
    SEGMENTATION,
    SELF_CHECK,
    Plan,
    PlannedPass,
    plan_from_json,
)
from TotalSegmentatorWire.messages.segment import EVENTS, PlanEvent, ProgressEvent, Stage, decode

pytestmark = pytest.mark.usefixtures("one_thread")

LOCALIZATION_PASS = PlannedPass("Dataset298", LOCALIZATION, [50, 80, 80], is_cropped=False, tiles=2, seconds=3.5)
ORGANS_PASS = PlannedPass("Dataset291", SEGMENTATION, [90, 190, 200], is_cropped=True, tiles=12, seconds=50.0)


def kidneys_plan(**changes) -> Plan:
    """An coarse localization, then one part model where it found the kidneys; on a CPU."""
    plan = Plan(
        models=["117-1.5mm"],
        profiles={"117-1.5mm": "totalsegmentator-2.18"},
        device="cpu",
        runtime="openvino",
        precision="exact",
        passes=[LOCALIZATION_PASS, ORGANS_PASS],
        seconds=61.0,
        peak_bytes=3_140_000_000,
        available_bytes=20_200_000_000,
    )
    return dataclasses.replace(plan, **changes)


# -- options -----------------------------------------------------------------------------------------------------------


def options_of(*arguments: str) -> JobOptions:
    return parse_arguments(["segment", "ct.nrrd", "out.nrrd", "--model", "m", *arguments]).task.options


def test_without_arguments_the_options_are_the_wires_defaults() -> None:
    assert options_of() == JobOptions()


def test_each_option_reaches_the_task() -> None:
    ways = ["--runtime", "eager", "--precision", "reduced", "--crop", "body", "--profile", "nnunet"]
    chosen = options_of(*ways, "--smooth", "--largest-piece", "--smallest-island", "250.5")
    assert chosen == JobOptions("eager", "reduced", "body", "nnunet", True, True, 250.5)


def test_plan_takes_the_arguments_of_segment() -> None:
    arguments = ["ct.nrrd", "--model", "m", "--models-folder", "models", "--structures", "liver", "--device", "cuda:1"]
    task = parse_arguments(["plan", *arguments, "--crop", "body"]).task
    assert task == model_task("m", Path("models"), ["liver"], "cuda:1", JobOptions(crop="body"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--runtime", "fast"],
        ["--precision", "half"],
        ["--crop", "head"],
        ["--smallest-island", "-1"],
        ["--smallest-island", "nan"],
        ["--smallest-island", "inf"],
        ["--smallest-island", "small"],
    ],
)
def test_wrong_options(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        options_of(*arguments)
    assert stopped.value.code == 2


@pytest.mark.parametrize("command", ["segment", "plan"])
def test_each_option_is_explained_in_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    group = capsys.readouterr().out.split("how the job runs")[1]
    group = group.split("how structures are written")[0]
    lines = [line for line in group.splitlines()[1:] if line.strip()]
    starts = [line for line in lines if line.startswith("  --")]
    of_panel_alone = {"preview"}
    assert len(starts) == len({field.name for field in dataclasses.fields(JobOptions)} - of_panel_alone)
    assert len(lines) <= 2 * len(starts)  # a long name has its explanation on the next line


# -- the page ----------------------------------------------------------------------------------------------------------


def test_a_plan_is_a_summary_and_a_table() -> None:
    assert plan_page(kidneys_plan()).splitlines() == [
        "Model      117-1.5mm, pipeline totalsegmentator-2.18",
        "Computed   by openvino on cpu, precision exact",
        "Work       14 tiles in 2 networks",
        "Time       about 60 s",
        "Memory     3.1 GB (20.2 GB free)",
        "",
        "Part        Purpose       Region in voxels  Of the scan  Tiles  Time",
        "Dataset298  localization      50 x 80 x 80  all              2  about 5 s",
        "Dataset291  segmentation    90 x 190 x 200  a part          12  about 50 s",
    ]


def test_a_page_says_what_is_not_known() -> None:
    first = dataclasses.replace(ORGANS_PASS, tiles=1, seconds=None)
    page = plan_page(kidneys_plan(passes=[first], seconds=None, available_bytes=None))
    assert "Work       1 tile in 1 network\n" in page
    assert "Time       not known yet: the first job on this computer measures it\n" in page
    assert "Memory     3.1 GB\n" in page
    assert page.endswith("1  not known yet")


def test_an_estimate_is_marked() -> None:
    plan = kidneys_plan(passes=[dataclasses.replace(ORGANS_PASS, is_estimated=True)])
    page = plan_page(plan)
    assert "Time       about 60 s; an estimate by a short trial, since not all of these networks have run" in page
    assert page.endswith("about 50 s (estimate)")
    assert "about 60 s (estimate), needs" in plan_line(plan)


def test_a_page_names_each_model_and_its_pipeline() -> None:
    profiles = {"104-3mm": "totalsegmentator-1.5-wide-steps", "lung_nodules": "totalsegmentator-2.18-task"}
    coarse = dataclasses.replace(LOCALIZATION_PASS, purpose=CROPPING, model="117-6mm")
    page = plan_page(kidneys_plan(models=list(profiles), profiles=profiles, passes=[coarse, ORGANS_PASS]))
    assert page.startswith(
        "Model      104-3mm, pipeline totalsegmentator-1.5-wide-steps\n"
        "           lung_nodules, pipeline totalsegmentator-2.18-task\n"
    )
    assert "cropping" in page


def test_a_preliminary_plan_is_explained() -> None:
    page = plan_page(kidneys_plan(is_preliminary=True))
    assert "Time       at most about 60 s\n" in page
    assert "Work       at most 14 tiles in 2 networks\n" in page
    assert "coarse passes" in page.split("\n\n")[-1] and "upper bounds" in page.split("\n\n")[-1]


def test_a_page_says_what_was_planned_around() -> None:
    page = plan_page(kidneys_plan(tile_batch=4, notes=list(WARNINGS)))
    assert "precision exact, 4 tiles at once" in page
    lines = page.splitlines()
    for code, warning in WARNINGS.items():
        line = next(line for line in lines if line.startswith(f"Note {code}: "))
        assert line.endswith(warning.todo)
        assert "{" not in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "about 5 s"), (43, "about 45 s"), (100, "about 2 min"), (7900, "about 2 h 10 min"), (10700, "about 3 h")],
)
def test_planned_time_is_coarse(seconds: float, text: str) -> None:
    assert about_text(seconds) == text


# -- the line ----------------------------------------------------------------------------------------------------------


def test_a_plan_is_one_line() -> None:
    line = "14 tiles in 2 networks, about 60 s, needs 3.1 GB of memory (20.2 GB free); openvino, exact"
    assert plan_line(kidneys_plan()) == line
    assert plan_line(kidneys_plan(is_preliminary=True)) == "first estimate: " + line


def test_a_line_says_only_what_is_known() -> None:
    plan = kidneys_plan(passes=[ORGANS_PASS], seconds=None, available_bytes=None)
    assert plan_line(plan) == "12 tiles in 1 network, needs 3.1 GB of memory; openvino, exact"


@pytest.mark.parametrize("rewrites", [False, True])
def test_the_terminal_shows_each_plan_once(
    rewrites: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: rewrites)
    terminal = Terminal(lasting_line)
    smaller = kidneys_plan(peak_bytes=2_000_000_000)
    for plan in (kidneys_plan(), kidneys_plan(), smaller):
        terminal.show(ProgressEvent("job", Stage.RESAMPLING, 0.1))
        terminal.show(PlanEvent("job", plan.to_json()))
    lines = capsys.readouterr().err.splitlines()
    plans = [line for line in lines if line.startswith("plan: ")]
    assert plans == [f"plan: {plan_line(kidneys_plan())}", f"plan: {plan_line(smaller)}"]


# -- the command -------------------------------------------------------------------------------------------------------


class FakeModel:
    def __init__(self, task: SegmentationTask) -> None:
        self.task = task
        self.warnings = [Problem("DEMO_MODEL")]


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    array = np.linspace(-1000, 900, 5 * 6 * 7).reshape(5, 6, 7).astype(np.int16)
    return ct_variants.write_image(tmp_path / "ct.nii.gz", array, np.diag([4.0, 4.0, 2.0, 1.0]))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list:
    """Replaces the planning; lists what was planned: a volume and a task."""
    seen = []

    def plan(volume, prepared: PreparedTask) -> Plan:
        seen.append((volume, prepared.task))
        return kidneys_plan()

    monkeypatch.setattr(pipeline, "prepare", FakeModel)
    monkeypatch.setattr(pipeline, "plan", plan, raising=False)
    return seen


def test_plan_prints_what_a_job_would_do(ct: Path, planned: list, capsys: pytest.CaptureFixture) -> None:
    assert main(["plan", str(ct), "--model", "m", "--precision", "reduced"]) == 0
    printed = capsys.readouterr()
    assert printed.out == plan_page(kidneys_plan()) + "\n"
    assert "warning DEMO_MODEL" in printed.err
    [(volume, task)] = planned
    assert volume.geometry.shape == (5, 6, 7)
    assert task.options == JobOptions(precision="reduced")


def test_plan_prints_json_and_nothing_else_for_programs(ct: Path, planned: list, capsys: pytest.CaptureFixture) -> None:
    assert main(["plan", str(ct), "--model", "m", "--json"]) == 0
    assert plan_from_json(json.loads(capsys.readouterr().out)) == kidneys_plan()


@pytest.mark.parametrize(
    ("raised", "status", "sentence"),
    [
        (SegmentationError("MEMORY_SHORT", needed_gb=9.0, free_gb=2.0), 31, "about 9.0 GB needed, 2.0 GB free"),
        (ModuleNotFoundError("", name="torch"), 50, "the package torch was not found"),
        (KeyboardInterrupt(), 130, "The segmentation was cancelled."),
        (ZeroDivisionError(), 1, "An unexpected error (ZeroDivisionError)"),
    ],
)
def test_plan_ends_in_a_code_and_sentences(
    ct: Path,
    planned: list,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    raised: BaseException,
    status: int,
    sentence: str,
) -> None:
    def plan(volume, prepared: PreparedTask) -> Plan:
        raise raised

    monkeypatch.setattr(pipeline, "plan", plan)
    assert main(["plan", str(ct), "--model", "m"]) == status
    printed = capsys.readouterr()
    assert sentence in printed.err and printed.out == ""


def test_a_missing_input_is_reported_before_the_model_is_judged(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.nrrd")
    assert main(["plan", missing, "--model", "no such model"]) == 10
    assert main(["segment", missing, str(tmp_path / "a.nrrd"), "--model", "no such model"]) == 10


@pytest.mark.parametrize("command", ["plan", "segment"])
def test_names_are_judged_before_the_input_is_read(tmp_path: Path, capsys: pytest.CaptureFixture, command: str) -> None:
    (tmp_path / "ct.nrrd").write_bytes(b"nothing")
    output = [str(tmp_path / "a.nrrd")] if command == "segment" else []
    arguments = [str(tmp_path / "ct.nrrd"), *output, "--model", "117-3mm", "--structures", "livr"]
    assert main([command, *arguments]) == 47
    assert "no structure named livr; the closest names are liver" in capsys.readouterr().err


# -- with a network ----------------------------------------------------------------------------------------------------


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small CT, on a computer that has not measured anything yet."""
    monkeypatch.setenv("TOTALSEGMENTATOR_CACHE", str(tmp_path / "cache"))
    volume = blobs_volume((24, 30, 40), (2.0, 1.5, 1.5))
    return ct_variants.write_image(tmp_path / "ct.nii.gz", volume.array, volume.geometry.ijk_to_ras)


def planned_json(capsys: pytest.CaptureFixture, *arguments: str) -> Plan:
    capsys.readouterr()
    assert main(["plan", *arguments, "--json"]) == 0
    return plan_from_json(json.loads(capsys.readouterr().out))


def test_the_plan_is_what_the_job_then_does(tmp_path: Path, blobs: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["--model", str(make_model_folder(tmp_path / "Dataset900_Seeded")), "--device", "cpu"]
    arguments += ["--runtime", "eager"]
    before = planned_json(capsys, str(blobs), *arguments)
    assert before.is_estimated and not before.is_preliminary
    events = tmp_path / "events.jsonl"
    assert main(["segment", str(blobs), str(tmp_path / "a.nrrd"), *arguments, "--events", str(events)]) == 0
    printed = capsys.readouterr()

    told = [decode(line, EVENTS) for line in events.read_text().splitlines()]
    plan = plan_from_json(next(event.plan for event in told if isinstance(event, PlanEvent)))
    tiles = max(event.tiles for event in told if isinstance(event, ProgressEvent))
    assert (before.runtime, before.precision, before.passes) == (plan.runtime, plan.precision, plan.passes)
    assert before.tiles == tiles == max(event.tile for event in told if isinstance(event, ProgressEvent))
    assert f"plan: {plan_line(plan)}\n" in printed.err
    assert "(Dataset900_Seeded, cpu, eager, exact)" in printed.out
    assert planned_json(capsys, str(blobs), *arguments).seconds > 0  # the job has measured its network


def test_the_plan_for_a_few_structures_begins_with_a_coarse_localization(
    tmp_path: Path, blobs: Path, capsys: pytest.CaptureFixture
) -> None:
    for model in ("117-1.5mm", "117-6mm"):
        make_catalogue_model(tmp_path / "models", model)
    arguments = ["--model", "117-1.5mm", "--models-folder", str(tmp_path / "models"), "--device", "cpu"]
    whole = planned_json(capsys, str(blobs), *arguments)
    kidneys = planned_json(capsys, str(blobs), *arguments, "--structures", "kidney_left,kidney_right")
    body = planned_json(capsys, str(blobs), *arguments, "--crop", "body")
    assert [planned.purpose for planned in whole.passes] == 5 * [SEGMENTATION]
    assert [planned.purpose for planned in kidneys.passes] == [LOCALIZATION, SEGMENTATION, SELF_CHECK]
    assert [planned.purpose for planned in body.passes] == [LOCALIZATION, *5 * [SEGMENTATION], SELF_CHECK]
    assert [plan.is_preliminary for plan in (whole, kidneys, body)] == [False, True, True]


def test_what_was_chosen_stands_in_the_result(tmp_path: Path, blobs: Path) -> None:
    model, output = make_model_folder(tmp_path / "Dataset900_Seeded"), tmp_path / "a.seg.nrrd"
    chosen = ["--profile", "totalsegmentator-2.18", "--smooth", "--largest-piece", "--smallest-island", "30"]
    assert main(["segment", str(blobs), str(output), "--model", str(model), "--device", "cpu", *chosen]) == 0
    header = output.read_bytes().split(b"\n\n")[0].decode()
    tags = ["Profile:totalsegmentator-2.18", "Precision:exact", "Smooth:true", "LargestPiece:true"]
    for tag in (*tags, "SmallestIslandMm3:30"):
        assert f"TotalSegmentatorModule.{tag}|" in header


def test_a_name_that_is_no_profile_is_refused_before_the_input_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "ct.nrrd").write_bytes(b"nothing")
    model = str(make_model_folder(tmp_path / "Dataset900_Seeded"))
    assert main(["plan", str(tmp_path / "ct.nrrd"), "--model", model, "--profile", "fastest"]) == 56
    assert (
        "no pipeline profile named fastest; the available profiles are totalsegmentator-1.5" in capsys.readouterr().err
    )
