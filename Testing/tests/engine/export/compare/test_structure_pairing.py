"""Which structures of two segmentations are compared: by their names, by a file of pairs, as unions."""

from __future__ import annotations

import json

import pytest
from TotalSegmentatorEngine.export.compare.pairing import NamePair, match_names, read_pairs, structure_key
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import structure_table


def paired(ours: list[str], theirs: list[str], pairs: list[NamePair] | None = None) -> list[tuple[str, str]]:
    return [
        (" ".join(ours[p] for p in match.ours), " ".join(theirs[p] for p in match.theirs))
        for match in match_names(ours, theirs, pairs or [])
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Liver", "Liver"),
        ("Liver", "LIVER"),
        ("kidney_left", "Kidney_L"),
        ("kidney left", "Kidney_L"),
        ("kidney_left", "Lt Kidney"),
        ("KIDNEY, RIGHT", "Kidney_R"),
        ("Lung~_L", "Lung_L"),
        ("iliopsoas_left", "Musc_Iliopsoa~_L"),
        ("Musc_Iliopsoas_L", "Musc_Iliopsoa~_L"),
        ("PTV 60 Gy", "ptv_60_gy"),
        ("Magen-Übung", "magen übung"),
    ],
)
def test_names_of_one_structure_are_paired(ours: str, theirs: str):
    assert paired([ours], [theirs]) == [(ours, theirs)]
    assert paired([theirs], [ours]) == [(theirs, ours)]


@pytest.mark.parametrize(("ours", "theirs"), [("kidney_left", "Kidney_R"), ("Lung_L", "Lungs"), ("PTV1", "PTV2")])
def test_names_of_different_structures_are_not(ours: str, theirs: str):
    assert paired([ours], [theirs]) == [(ours, ""), ("", theirs)]


def test_a_surer_name_wins_and_each_is_used_once():
    assert paired(["liver", "Liver"], ["Liver", "LIVER", "spleen"]) == [
        ("liver", "LIVER"),
        ("Liver", "Liver"),
        ("", "spleen"),
    ]


@pytest.mark.parametrize("table", ["structures_104", "structures_117"])
def test_every_structure_has_a_key_of_its_own(table: str):
    structures = structure_table(table)
    assert len({structure_key(structure.name) for structure in structures}) == len(structures)
    for structure in structures:
        for name in (structure.name, structure.display_name, structure.tg263_name, structure.tg263_cut_name):
            assert structure_key(name) == structure.name


def test_pairs_come_first_and_join_structures(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(
        "ours,theirs,remark\nlung_upper_lobe_left + lung_lower_lobe_left,Lunge links,two lobes\n"
        "liver,Leber alt,\nspleen,Milz,\n",
        encoding="utf-8-sig",
    )
    ours = ["liver", "lung_lower_lobe_left", "lung_upper_lobe_left"]
    theirs = ["Liver", "Leber alt", "LUNGE LINKS", "Milz"]
    assert paired(ours, theirs, read_pairs(path)) == [
        ("lung_upper_lobe_left lung_lower_lobe_left", "LUNGE LINKS"),
        ("liver", "Leber alt"),
        ("", "Milz"),
        ("", "Liver"),
    ]


def test_pairs_of_a_spreadsheet_that_separates_with_semicolons(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(b"ours;theirs\r\nliver;Leber, alt\r\n")
    assert read_pairs(path) == [NamePair(("liver",), ("Leber, alt",))]


def test_a_template_pairs_its_sources_with_its_names(tmp_path):
    path = tmp_path / "department.json"
    structures = [
        {"source": "liver", "name": "Leber"},
        {"union_of": ["kidney_left", "kidney_right"], "name": "Nieren"},
        {"source": "PTV*", "interpreted_type": "PTV"},
        "spleen",
    ]
    path.write_text(json.dumps({"version": 1, "title": "Ours", "structures": structures}), encoding="utf-8")
    assert read_pairs(path) == [
        NamePair(("liver",), ("Leber",)),
        NamePair(("kidney_left", "kidney_right"), ("Nieren",)),
    ]


def test_unions_are_paired_with_their_parts():
    """Lungs come from five lobes, two of which their side names one by one; one kidney is no pair of kidneys."""
    lobes = ["lung_upper_lobe_left", "lung_lower_lobe_left", "lung_upper_lobe_right", "lung_lower_lobe_right"]
    assert paired([*lobes, "kidney_left"], ["Lung_LLL", "LUNGS", "Lung_L", "Kidneys"]) == [
        ("lung_upper_lobe_left", ""),
        ("lung_lower_lobe_left", "Lung_LLL"),
        ("lung_upper_lobe_right", ""),
        ("lung_lower_lobe_right", ""),
        ("kidney_left", ""),
        (" ".join(lobes), "LUNGS"),
        (" ".join(lobes[:2]), "Lung_L"),
        ("", "Kidneys"),
    ]
    assert paired(["Kidneys"], ["Kidney_R", "Kidney_L"]) == [
        ("Kidneys", "Kidney_L Kidney_R"),
        ("", "Kidney_R"),
        ("", "Kidney_L"),
    ]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"ours|theirs\na|b\n", "it has no column ours"),
        (b"ours\na\n", "it has no column theirs"),
        (b"ours,theirs\na,b\nc,\n", "row 2 has no name"),
        (b"ours,theirs\na,b\nc\n", "row 2 has no name"),
        (b"\xff\xfe\x00ours", "it is not a text file of comma-separated values"),
        (b"", "it has no column ours"),
    ],
)
def test_a_file_that_holds_no_pairs_says_what_is_wrong(tmp_path, content: bytes, detail: str):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(SegmentationError) as failure:
        read_pairs(path)
    assert (failure.value.code, failure.value.problem.values["detail"]) == ("TEMPLATE_INVALID", detail)


def test_a_missing_file_of_pairs_is_reported(tmp_path):
    with pytest.raises(SegmentationError) as failure:
        read_pairs(tmp_path / "absent.csv")
    assert failure.value.code == "INPUT_NOT_FOUND"
