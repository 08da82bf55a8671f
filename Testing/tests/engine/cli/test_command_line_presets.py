"""Structures chosen over all models: by a preset, by names, in a quality, from a preferred family."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorSetup.cli import install_first
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.tables.catalogue import read_catalogue, with_needed_models

THORAX = ["104-1.5mm", "117-1.5mm", "pleural_pericard_effusion", "trunk_cavities", "body"]


@pytest.fixture
def models(tmp_path: Path) -> Callable[[Iterable[str]], Path]:
    """Makes models look installed; returns their folder."""
    folder = tmp_path / "models"

    def install(ids: Iterable[str]) -> Path:
        for id_ in with_needed_models(ids):
            for part in read_catalogue()[id_].part_folders(folder):
                part.mkdir(parents=True, exist_ok=True)
                (part / "plans.json").write_text("{}")
        return folder

    return install


@pytest.fixture
def segment(ct: Path, tasks: list, tmp_path: Path, models: Callable) -> Callable[..., int]:
    """Runs the command; ``installed``: ids of models, all that the catalogue has by default."""

    def run(*arguments: str, installed: Iterable[str] | None = None, output: str = "out.seg.nrrd") -> int:
        folder = models(read_catalogue() if installed is None else installed)
        return main(["segment", str(ct), str(tmp_path / output), "--models-folder", str(folder), *arguments])

    return run


def own_preset(folder: Path, *rows: object) -> str:
    path = folder / "own.json"
    content = {"format": "TotalSegmentatorModule preset", "version": 1, "title": "Own", "rows": rows}
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_a_preset_asks_the_models_that_find_it(segment, tasks):
    assert segment("--preset", "RT-Thorax") == 0
    requests = {request.model: request.structures for request in tasks[0].requests}
    assert list(requests) == THORAX
    assert "spinal_cord" in requests["117-1.5mm"] and "heart_atrium_left" in requests["104-1.5mm"]
    assert requests["body"] is None, "all that the model finds"


@pytest.mark.parametrize(
    ("arguments", "requests"),
    [
        (["--structures", "Liver,Lens_L"], {"104-1.5mm": ("liver",), "head_glands_cavities": ("eye_lens_left",)}),
        (["--structures", "liver", "--quality", "fast"], {"104-3mm": ("liver",)}),
        (["--structures", "liver", "--prefer", "117"], {"117-1.5mm": ("liver",)}),
        (["--preset", "muscles", "--structures", "Liver", "--quality", "fast"], None),
        (["--model", "117-3mm", "--structures", "liver"], {"117-3mm": ("liver",)}),
    ],
)
def test_structures_are_found_over_all_models(segment, tasks, arguments, requests):
    assert segment(*arguments) == 0
    asked = {request.model: request.structures for request in tasks[0].requests}
    if requests is None:
        assert list(asked) == ["104-3mm"] and len(asked["104-3mm"]) == 11
    else:
        assert asked == requests


def test_what_is_installed_is_taken_first(segment, tasks):
    assert segment("--structures", "liver", installed=["117-1.5mm"]) == 0
    assert tasks[0].requests[0].model == "117-1.5mm"


def test_own_preset_of_a_file(segment, tasks, tmp_path):
    assert segment("--preset", own_preset(tmp_path, "Spleen", "liver")) == 0
    assert tasks[0].requests[0].structures == ("spleen", "liver")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--preset", "rt-throax"], "PRESET_UNKNOWN", "rt-thorax"),
        (["--preset", "absent.json"], "PRESET_INVALID", "cannot be read"),
        (["--structures", "livr"], "STRUCTURE_UNKNOWN", "liver"),
        (["--structures", "liver", "--prefer", "118"], "FAMILY_UNKNOWN", "117"),
    ],
)
def test_wrong_choices_are_refused_with_what_there_is(segment, tasks, capsys, tmp_path, arguments, code, said):
    assert segment(*arguments, "--events", str(tmp_path / "events.jsonl")) == ERRORS[code].exit_code
    assert said in capsys.readouterr().err
    assert code in (tmp_path / "events.jsonl").read_text()
    assert tasks == []


def test_models_that_are_missing_are_all_named(segment, tasks, capsys):
    assert segment("--preset", "rt-thorax", installed=["104-1.5mm", "trunk_cavities"]) == 228
    said = " ".join(capsys.readouterr().err.split())
    for words in ("need are not installed: 117-1.5mm, 117-6mm, pleural_pericard_effusion, body.", "models install"):
        assert words in said
    assert "104-1.5mm" not in said and tasks == []


def test_structures_of_several_models_need_a_file_with_layers(segment, tasks):
    assert segment("--preset", "rt-thorax", output="out.nii.gz") == ERRORS["OUTPUT_ONE_LAYER"].exit_code
    assert segment("--preset", "ribs", output="out.nii.gz") == 0
    assert len(tasks) == 1


def test_a_preset_that_is_drawn_by_hand_computes_nothing(segment, capsys, tmp_path):
    rows = [{"title": "lips", "kind": "by hand", "tg263_name": "Lips"}]
    assert segment("--preset", own_preset(tmp_path, *rows)) == 227
    assert "by hand" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one of the arguments --model, --preset and --structures is required"),
        (["--model", "117-3mm", "--preset", "spine"], "--preset: not allowed with argument --model"),
        (["--model", "117-3mm", "--quality", "fast"], "--quality: not allowed with argument --model"),
        (["--preset", "spine", "--quality", "best"], "invalid choice"),
    ],
)
@pytest.mark.parametrize("command", ["segment", "plan", "batch"])
def test_arguments_that_do_not_go_together(tmp_path, capsys, command, arguments, said):
    places = {"segment": ["ct.nii", "a.nrrd"], "plan": ["ct.nii"], "batch": ["cts", "--output", str(tmp_path)]}
    with pytest.raises(SystemExit) as ended:
        main([command, *places[command], *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "117-3mm", "--preset", "spine"], "--preset: not allowed with argument --model"),
        (["--model", "117-3mm", "--structures", "liver"], "--structures: not allowed with argument --model"),
        (["--quality", "fast"], "--quality: needs --preset or --structures"),
        (["--prefer", "117"], "--prefer: needs --preset or --structures"),
    ],
)
def test_lists_of_structures_ignore_no_argument(capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(["structures", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_missing_models_are_installed_first(segment, tasks, models, monkeypatch):
    asked: list[str] = []

    def install(ids: Iterable[str], folder: Path) -> int:
        asked.extend(ids)
        models(asked)
        return 0

    monkeypatch.setattr(install_first, "install_for", install)
    assert segment("--preset", "spine", "--install", installed=[]) == 0
    assert asked == ["117-1.5mm"] and len(tasks) == 1


@pytest.mark.parametrize(
    ("output", "export"),
    [
        ("out.nrrd", []),
        ("out.nii.gz", []),
        ("out.nrrd", ["--export", "nrrd"]),
        ("out.nii.gz", ["--export", "nifti"]),
    ],
)
def test_a_label_image_of_several_models_is_refused_before_anything_is_done(
    segment, tasks, monkeypatch, capsys, output, export
):
    asked: list[str] = []
    monkeypatch.setattr(install_first, "install_for", lambda ids, folder: asked.extend(ids) or 0)
    for words in ((), ("--install",)):
        status = segment("--preset", "rt-thorax", *words, *export, output=output)
        assert status == ERRORS["OUTPUT_ONE_LAYER"].exit_code
        said = " ".join(capsys.readouterr().err.split())
        assert ".seg.nrrd" in said and "rtstruct" in said
    assert (tasks, asked) == ([], [])
    assert segment("--preset", "ribs", *export, output=output) == 0, "of one model"


def test_the_export_of_a_preset_has_its_unions(segment, tmp_path):
    row = {"title": "organs", "kind": "union", "tg263_name": "Organs", "names": ["spleen", "liver"]}
    preset = own_preset(tmp_path, row)
    assert segment("--preset", preset, "--structures", "stomach", "--export", "volumes", output="out.csv") == 0
    rows = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 2 and "Organs~" in rows[1], "the liver was not found"


def test_plan_takes_a_preset(ct, tasks, tmp_path, models, monkeypatch, capsys):
    from TotalSegmentatorEngine.pipeline import run_job

    seen = []
    monkeypatch.setattr(run_job, "plan_job", lambda task, read, reporter: seen.append(task) or FakePlan())
    folder = models(["104-3mm"])
    arguments = ["--preset", "ribs", "--quality", "fast", "--models-folder", str(folder), "--json"]
    assert main(["plan", str(ct), *arguments]) == 0
    assert [request.model for request in seen[0].requests] == ["104-3mm"]


class FakePlan:
    def to_json(self) -> dict:
        return {}


# -- the command structures --------------------------------------------------------------------------------------------


def test_structures_of_a_preset_say_who_finds_them(models, capsys):
    folder = models(["104-1.5mm"])
    assert main(["structures", "--preset", "rt-thorax", "--models-folder", str(folder)]) == 0
    page = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert "SpinalCord spinal cord 117-1.5mm essential" in lines
    assert "Atrium_L left atrium 104-1.5mm standard" in lines
    assert any(line.startswith("Lungs lungs union of lung_upper_lobe_left") for line in lines)
    assert "Skin skin skin of the body body optional" in lines
    assert any(line.startswith("BrachialPlex_L brachial plexus left") for line in lines)
    assert "104-1.5mm 31 structures yes -" in lines
    assert "AirWay_Prox proximal bronchial tree trachea essential" in lines, "what helps to draw and is computed"
    assert "117-6mm locates for others no 135 MB" in lines
    assert "models install 117-1.5mm 117-6mm pleural_pericard_effusion" in page and "This downloads 2." in page


def test_a_licence_is_named(models, capsys):
    assert main(["structures", "--preset", "rt-brain", "--models-folder", str(models([]))]) == 0
    page = capsys.readouterr().out
    assert page.index("Needs a licence from the publisher") < page.index("Brainstem")
    assert "brain_structures" in page


def test_structures_of_a_choice_as_json(models, capsys):
    folder = models(["104-3mm"])
    choice = ["--structures", "liver,Lens_R", "--quality", "fast"]
    assert main(["structures", *choice, "--json", "--models-folder", str(folder)]) == 0
    page = json.loads(capsys.readouterr().out)
    assert [row["models"] for row in page["rows"]] == [
        {"liver": "104-3mm"},
        {"eye_lens_right": "head_glands_cavities"},
    ]
    assert page["missing"] == ["117-6mm", "head_glands_cavities"]
    assert page["models"][0] == {
        "id": "104-3mm",
        "title": read_catalogue()["104-3mm"].title,
        "structures": 1,
        "is_installed": True,
        "download_bytes": None,
    }


def test_presets_are_listed(capsys):
    assert main(["structures"]) == 0
    assert "rt-pelvis-female" in capsys.readouterr().out
    assert main(["structures", "--json"]) == 0
    assert {"id": "ribs", "title": "Ribs", "description": "The 24 ribs.", "rows": 24} in json.loads(
        capsys.readouterr().out
    )


def test_whole_body_of_a_family(models, capsys):
    arguments = ["--preset", "all", "--prefer", "117", "--json", "--models-folder", str(models([]))]
    assert main(["structures", *arguments]) == 0
    page = json.loads(capsys.readouterr().out)
    assert len(page["rows"]) == 117 and page["missing"] == ["117-1.5mm"]
