"""Names that planning systems take: TG-263, the sign of a cut structure, names that people typed."""

from __future__ import annotations

import csv
import random
import re

import pytest
from TotalSegmentatorEngine.export.rois.tg263_names import cut_name, own_name, tg263_name, tg263_spelling, unique_names
from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.structures import structure_table

TABLES = ("structures_104", "structures_117")


def tg263_table() -> dict[str, str]:
    with (STRUCTURES_FOLDER / "tg263.csv").open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row["fma_id"] for row in csv.DictReader(stream)}


def rows(table: str) -> list[dict[str, str]]:
    with (STRUCTURES_FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# -- the tables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_both_forms_of_all_structures_are_short_unique_and_as_the_rule_makes_them(table):
    structures = structure_table(table)
    both = [tg263_name(row, is_cut) for row in structures for is_cut in (False, True)]
    assert len({name.casefold() for name in both}) == 2 * len(structures)
    for name in both:
        assert re.fullmatch(r"[A-Za-z0-9_]+~?(_[LR])?", name), name
        assert len(name) <= 16, name
    for row in structures:
        assert tg263_name(row, True) == cut_name(row.tg263_name)


@pytest.mark.parametrize("table", TABLES)
def test_side_of_a_structure_is_the_side_of_both_names(table):
    for row in structure_table(table):
        side = "_L" if "_left" in row.name else "_R" if "_right" in row.name else ""
        if side and not row.tg263_name.startswith("Lung_"):
            assert row.tg263_name.endswith(side) and row.tg263_cut_name.endswith("~" + side), row.name


@pytest.mark.parametrize("table", TABLES)
def test_names_that_are_said_to_be_of_tg263_are_in_its_table_with_the_same_fma_number(table):
    known = tg263_table()
    for row in rows(table):
        assert row["tg263_status"] in ("tg263", "constructed")
        assert (row["tg263_name"] in known) == (row["tg263_status"] == "tg263"), row["name"]
        assert row["fma_id"] == known.get(row["tg263_name"], ""), row["name"]


def test_structures_of_both_tables_have_one_name():
    first, second = ({row.name: row for row in structure_table(table)} for table in TABLES)
    for name in first.keys() & second.keys():
        assert first[name].tg263_name == second[name].tg263_name
        assert first[name].fma_id == second[name].fma_id


# -- the sign of a cut structure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("Lung_L", "Lung~_L"),
        ("Liver", "Liver~"),
        ("Lung_LUL", "Lung_LUL~"),
        ("VB_L5", "VB_L5~"),
        ("Musc_Iliopsoas_L", "Musc_Iliopsoa~_L"),
        ("A_Brachiocephls", "A_Brachiocephls~"),
        ("AbcdefghijklmnoP", "Abcdefghijklmno~"),
        ("Abcdefghijklm_nop", "Abcdefghijklm_n~"),
        ("Lung~_L", "Lung~_L"),
        ("Liver~", "Liver~"),
    ],
)
def test_cut_structure_has_the_sign_before_its_side(name, cut):
    assert cut_name(name) == cut


# -- names that people typed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "is_cut", "name"),
    [
        ("PTV 60 Gy", False, "PTV 60 Gy"),
        ("kidney left", True, "kidney left~"),
        ("Kidney_L", True, "Kidney~_L"),
        ("gluteus maximus left", False, "gluteus max left"),
        ("gluteus maximus left", True, "gluteus ma left~"),
        ("Lymph_nodes_mediastinal_R", False, "Lymph_nodes_me_R"),
        ("a\\b\tc\n d", False, "a/b c d"),
        ("  \x00 ", False, "Structure"),
        ("Herzoberfläche", False, "Herzoberfläche"),
        ("Herzoberfla\u0308che", False, "Herzoberfläche"),
        ("心臓", True, "心臓~"),
        ("____________________", False, "Structure"),
    ],
)
def test_typed_name_becomes_valid_and_short_and_keeps_its_side(typed, is_cut, name):
    assert own_name(typed, is_cut) == name


def test_display_names_of_all_structures_stay_apart_in_sixteen_characters_with_their_sides():
    for table in TABLES:
        structures = structure_table(table)
        short = [own_name(row.display_name, is_cut) for row in structures for is_cut in (False, True)]
        assert all(len(name) <= 16 for name in unique_names(short))
        for row in structures:
            for side in ("left", "right"):
                if row.display_name.endswith(side):
                    assert side in own_name(row.display_name, True)


def test_long_names_keep_64_characters_where_the_format_has_them():
    typed = "Planning target volume of the second course, after the first one was stopped early, left"
    name = own_name(typed, True, 64)
    assert (
        len(name) <= 64 and name.endswith(" left~") and name.startswith("Planning target volume of the second course")
    )


# -- unique names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["Liver", "liver", "LIVER"], ["Liver", "liver_2", "LIVER_3"]),
        (["Kidney_L", "Kidney_L"], ["Kidney_L", "Kidney_2_L"]),
        (["Lung~_L", "Lung~_L"], ["Lung~_L", "Lung_2~_L"]),
        (["Liver~", "Liver~"], ["Liver~", "Liver_2~"]),
        (["Musc_Iliopsoas_L", "Musc_Iliopsoas_L"], ["Musc_Iliopsoas_L", "Musc_Iliopso_2_L"]),
        (["A", "A", "A_2"], ["A", "A_3", "A_2"]),
        (["Abcdefghijklmnop", "Abcdefghijklmnop"], ["Abcdefghijklmnop", "Abcdefghijklmn_2"]),
        (["VB_L1", "VB_L1"], ["VB_L1", "VB_L1_2"]),
    ],
)
def test_names_that_occur_again_are_numbered(names, unique):
    assert unique_names(names) == unique


def test_any_names_become_unique_and_stay_short():
    chance = random.Random(20261125)
    for _round in range(200):
        names = ["".join(chance.choices("Aa_~L ", k=chance.randint(1, 16))) for _name in range(40)]
        unique = unique_names(names)
        assert len({name.casefold() for name in unique}) == len(names)
        assert max(map(len, unique)) <= 16


def test_two_hundred_structures_of_one_name_are_all_named():
    unique = unique_names(["Musc_Iliopsoa~_L"] * 200)
    assert len(set(unique)) == 200 and max(map(len, unique)) <= 16
    assert unique[199] == "Musc_Ilio_200~_L"


# -- what somebody meant -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("spinal cord", "SpinalCord"),
        ("parotid_l", "Parotid_L"),
        ("Eye R", "Eye_R"),
        ("VBs", "VBs"),
        ("vb_s", "VB_S"),
        ("vb s", None),  # VBs or VB_S
        ("liver-GTV", None),
        ("Segment_1", None),
    ],
)
def test_typed_name_is_recognised_as_one_of_tg263(typed, name):
    assert tg263_spelling(typed) == name


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\u2066", "\ufeff"])
def test_invisible_signs_go_from_names(sign):
    assert own_name(f"Kidney{sign}_L", False) == "Kidney_L"
    assert unique_names([own_name(f"Liver{sign}", False), own_name("Liver", False)]) == ["Liver", "Liver_2"]
    assert own_name(sign, False) == "Structure"
