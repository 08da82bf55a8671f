"""The label tables, profiles and catalogue: complete, checked, and structures found by their names."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import MODELS_FOLDER, STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.catalogue import read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structure_rows import names_of
from TotalSegmentatorWire.tables.structures import (
    LABEL_TABLES,
    Structure,
    family_of,
    is_occasional,
    known_structures,
    model_names,
    read_structures,
    structure_table,
)

COUNTS = {
    **{"structures_104": 104, "structures_117": 117, "structures_117_v3": 117, "structures_body": 2},
    **{
        "structures_head_glands_cavities": 19,
        "structures_headneck_bones_vessels": 12,
        "structures_headneck_muscles": 23,
    },
    **{"structures_head_muscles": 11, "structures_craniofacial_structures": 7, "structures_teeth": 77},
    **{"structures_oculomotor_muscles": 19, "structures_breasts": 1, "structures_lung_vessels": 4},
    **{"structures_lung_vessels_LEGACY": 2, "structures_lung_nodules": 2, "structures_pleural_pericard_effusion": 3},
    **{"structures_trunk_cavities": 4, "structures_liver_segments": 8, "structures_liver_vessels": 2},
    **{"structures_liver_lesions": 1, "structures_kidney_cysts": 2, "structures_abdominal_muscles": 22},
    **{"structures_hip_implant": 1, "structures_cerebral_bleed": 1, "structures_ventricle_parts": 12},
    **{"structures_vertebrae_body": 2, "structures_vertebrae_pp": 24},
}


def test_every_label_table_is_known():
    files = {path.stem for path in STRUCTURES_FOLDER.glob("structures_*.csv")}
    assert files == set(LABEL_TABLES) == set(COUNTS)


@pytest.mark.parametrize(("table", "count"), COUNTS.items())
def test_label_tables_are_complete(table, count):
    structures = structure_table(table)
    assert len(structures) == count
    for row in structures:
        assert len(row.terminology.split("~")) == 7
        assert len(row.tg263_name) <= 16 and len(row.tg263_cut_name) <= 16
    sides = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}
    for row in structures:
        side = next((side for side in sides if row.name.endswith("_" + side)), None)
        if side and row.modifier[0]:
            assert row.modifier == sides[side], row.name


def test_label_tables_agree_about_the_structures_that_they_share():
    rows: dict[str, list[Structure]] = {}
    for table in LABEL_TABLES:
        for row in structure_table(table):
            rows.setdefault(row.name, []).append(dataclasses.replace(row, label=0, label_in_part=0, part_model=""))
    shared = {name: same for name, same in rows.items() if len(same) > 1}
    assert {"skull", "optic_nerve_left", "kidney_cyst_left", "vertebrae_C1"} <= shared.keys()
    assert not {name for name, same in shared.items() if len(set(same)) > 1}


def test_whole_body_stands_first_among_all_structures_and_names_are_unique():
    names = list(known_structures())
    assert names[:117] == [row.name for row in structure_table("structures_117")]
    assert names.index("eye_left") > names.index("vertebrae_L6")


@pytest.mark.parametrize(
    ("typed", "table", "name"),
    [
        ("Eye_L", "structures_head_glands_cavities", "eye_left"),
        ("Eye_L", "structures_oculomotor_muscles", "eyeball_left"),
        ("bone mandible", "structures_teeth", "lower_jawbone"),
        ("Bone_Mandible", "structures_craniofacial_structures", "mandible"),
    ],
)
def test_tg263_name_that_two_structures_have_means_the_one_of_the_model(typed, table, name):
    assert model_names([typed], [row.name for row in structure_table(table)]) == [name]


def test_lesions_and_devices_are_not_expected_in_a_body():
    cysts = {"kidney_cyst_left", "kidney_cyst_right"}
    everything = {row.name for row in structure_table("structures_117")}
    assert family_of(everything, 25) == everything - cysts
    assert family_of({"liver_lesions"}, 1) == frozenset()
    assert is_occasional("hip_implant") and not is_occasional("hip_left") and not is_occasional("own_name")


def test_pattern_speaks_of_the_whole_body_and_not_of_a_task():
    known = ["lung_upper_lobe_left", "lung_nodules", "lung_of_my_own"]
    assert names_of("lung_*", known) == ["lung_upper_lobe_left", "lung_of_my_own"]
    assert names_of("lung_nodules", known) == ["lung_nodules"]
    assert names_of("*", known) == known


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
