"""The label tables, profiles and catalogue: complete, checked, and structures found by their names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import MODELS_FOLDER, STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.catalogue import read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structures import model_names, read_structures, structure_table


@pytest.mark.parametrize(("table", "count"), [("structures_104", 104), ("structures_117", 117)])
def test_label_tables_are_complete(table, count):
    structures = structure_table(table)
    assert len(structures) == count
    for row in structures:
        assert len(row.terminology.split("~")) == 7
        assert len(row.tg263_name) <= 16
    sides = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}
    for row in structures:
        side = next((side for side in sides if row.name.endswith("_" + side)), None)
        if side and row.modifier[0]:
            assert row.modifier == sides[side], row.name


def edited_table(tmp_path: Path, **changes: str) -> Path:
    """The table of 104 structures with the second row changed."""
    with (STRUCTURES_FOLDER / "structures_104.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[1].update(changes)
    path = tmp_path / "edited.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"group": "limb"}, "row 2: unknown group"),
        ({"red": "256"}, "row 2: colour"),
        ({"type_code": "T-71000"}, "row 2: category and type"),
        ({"label": "7"}, "labels must run"),
        ({"name": "spleen"}, "a name occurs twice"),
    ],
)
def test_damaged_label_table_is_refused(tmp_path, changes, reason):
    with pytest.raises(ValueError, match=reason):
        read_structures(edited_table(tmp_path, **changes))


def test_label_table_without_a_column_is_refused(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("label,name\n1,spleen\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"short\.csv: columns .* are missing"):
        read_structures(path)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("kidney_left", "kidney_left"),
        ("Kidney Left", "kidney_left"),
        ("KIDNEY-LEFT", "kidney_left"),
        ("Kidney_L", "kidney_left"),
        ("kidney~_l", "kidney_left"),
        ("a aorta", "aorta"),
    ],
)
def test_structures_are_known_by_their_names_and_tg263_names_in_any_case(typed, name):
    known = [row.name for row in structure_table("structures_104")]
    assert model_names(["liver", typed, name], known) == ["liver", name]
    assert model_names([typed], [name.upper()]) == [name.upper()], "as the model spells it"


def test_unknown_structure_gets_the_nearest_names():
    known = [row.name for row in structure_table("structures_104")]
    with pytest.raises(SegmentationError) as caught:
        model_names(["liver", "kidny_left"], known)
    assert caught.value.problem.values["name"] == "kidny_left"
    assert caught.value.problem.values["nearest"].startswith("kidney_left")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("L5", "vertebrae_L5"),
        ("Kidney", "kidney_right, kidney_left"),
        ("Pulmonary", "pulmonary_artery"),
        ("portal vein", "portal_vein_and_splenic_vein"),
    ],
)
def test_part_of_a_name_gives_the_names_that_hold_it(typed, nearest):
    with pytest.raises(SegmentationError) as caught:
        model_names([typed], [row.name for row in structure_table("structures_104")])
    assert caught.value.problem.values["nearest"].startswith(nearest)


def test_catalogue_knows_both_label_sets():
    models = read_catalogue()
    assert {model.structures for model in models.values()} == {"structures_104", "structures_117"}
    assert [len(models[name].parts) for name in ("104-1.5mm", "104-3mm", "117-1.5mm")] == [5, 1, 5]


def test_model_is_installed_whatever_its_trainer_is_called(tmp_path):
    model = read_catalogue()["117-3mm"]
    (folder,) = model.part_folders(tmp_path)
    other = folder.parent / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    other.mkdir(parents=True)
    assert not model.is_installed(tmp_path)
    (other / "plans.json").write_text("{}")
    assert model.is_installed(tmp_path)


def test_model_is_installed_when_all_its_parts_are(tmp_path):
    model = read_catalogue()["104-1.5mm"]
    folders = model.part_folders(tmp_path)
    for folder in folders:
        assert not model.is_installed(tmp_path)
        folder.mkdir(parents=True)
        (folder / "plans.json").write_text("{}")
    assert model.is_installed(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("orientation", "upside down"), ("spacing", "any"), ("average", "median"), ("labels_back", "cubic"), ("step", 0)],
)
def test_damaged_profile_is_refused(tmp_path, field, value):
    path = damaged(tmp_path, "profiles", field, value)
    with pytest.raises(ValueError, match=f"has no valid {field}"):
        read_profiles(path)


@pytest.mark.parametrize(("field", "value"), [("parts", []), ("profile", "unknown"), ("spacing_mm", 0)])
def test_damaged_catalogue_is_refused(tmp_path, field, value):
    path = damaged(tmp_path, "models", field, value)
    with pytest.raises(ValueError, match=f"has no valid {field}"):
        read_catalogue(path)


def damaged(tmp_path: Path, name: str, field: str, value: object) -> Path:
    content = json.loads((MODELS_FOLDER / (name + ".json")).read_text(encoding="utf-8"))
    content[name][0][field] = value
    path = tmp_path / (name + ".json")
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
