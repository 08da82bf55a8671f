"""Presets and the anatomy: complete, checked, every name a structure of a label table; a user's own presets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from TotalSegmentatorWire.choice.anatomy import anatomy_tree, read_anatomy
from TotalSegmentatorWire.choice.own_presets import preset_from_json, preset_to_json, read_own_preset, write_own_preset
from TotalSegmentatorWire.choice.presets import (
    BY_HAND,
    DERIVED,
    LICENCE,
    MODEL,
    UNION,
    presets_of_tables,
    read_presets,
    references,
)
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, known_structures, structure_table

RT_PRESETS = {
    "rt-head-neck": "head and neck",
    "rt-brain": "brain",
    "rt-thorax": "thorax",
    "rt-breast": "breast",
    "rt-abdomen": "abdomen",
    "rt-pelvis-male": "male pelvis",
    "rt-pelvis-female": "female pelvis",
}


def test_every_structure_of_every_label_table_is_in_the_tree_once():
    in_tree = [name for region in anatomy_tree() for name in region.structures]
    in_tables = {row.name for table in LABEL_TABLES for row in structure_table(table)}
    assert sorted(in_tree) == sorted(in_tables)
    ids = [system.id for region in anatomy_tree() for system in region.systems]
    assert len(set(ids)) == len(ids)


def test_tree_has_structures_where_people_look_for_them():
    where = {name: system.id for region in anatomy_tree() for system in region.systems for name in system.structures}
    assert where["heart_atrium_left"] == "thorax/heart"
    assert where["portal_vein_and_splenic_vein"] == "abdomen/vessels"
    assert where["vertebrae_L5"] == "spine-and-back/vertebrae-and-discs"
    assert where["urinary_bladder"].startswith("pelvis/")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["Thorax,Heart,heart", "Abdomen,Liver,liver", "Thorax,Heart,heart"], r"twice in the table: \['heart'\]"),
        (["Thorax,Heart,heart"], r"missing: \['liver'\]"),
        (["Thorax,,heart", "Abdomen,Liver,liver"], "empty field"),
        (["Thorax,Heart,heart", "Abdomen,Liver,liver", "Thorax,Heart,aorta"], "do not stand together"),
    ],
)
def test_damaged_anatomy_is_refused(tmp_path, rows, reason):
    path = tmp_path / "anatomy.csv"
    path.write_text("\n".join(["region,system,structure", *rows]), encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        read_anatomy(path, ["heart", "liver"])


def test_presets_have_their_ids():
    assert list(read_presets()) == ["all", *RT_PRESETS, "spine", "ribs", "vessels", "muscles"]
    assert len(read_presets()["all"].structures) == 104
    assert len(read_presets()["ribs"].structures) == 24


def test_rows_name_structures_that_exist_and_their_tg263_names():
    known = known_structures()
    renamed = {"V_Portal", "Prosthesis"}
    for preset in read_presets().values():
        for row in preset.rows:
            assert set(row.names) | set(row.helpers) <= set(known), (preset.id, row.title)
            if row.kind == MODEL and len(row.names) == 1 and row.tg263_name not in renamed:
                assert row.tg263_name in ("", known[row.names[0]].tg263_name), (preset.id, row.title)


def test_organs_at_risk_have_a_source_and_say_who_finds_them():
    rows = [row for id_ in RT_PRESETS for row in read_presets()[id_].rows]
    assert len(rows) == 221
    assert all(row.reference for row in rows)
    assert {word for row in rows for word in row.reference.split() if word in references()} == set(references())
    kinds = {kind: sum(row.kind == kind for row in rows) for kind in (MODEL, UNION, DERIVED, LICENCE, BY_HAND)}
    assert kinds == {MODEL: 112, UNION: 13, DERIVED: 8, LICENCE: 11, BY_HAND: 77}


def test_presets_agree_with_the_collected_facts(shared: Path):
    with (shared / "facts" / "tasks" / "rt_presets.csv").open(encoding="utf-8", newline="") as stream:
        stated = list(csv.DictReader(stream))
    for id_, name in RT_PRESETS.items():
        rows = read_presets()[id_].rows
        of_preset = [row for row in stated if row["preset"] == name]
        assert [row.title for row in rows] == [row["structure"] for row in of_preset]
        assert [row.tg263_name for row in rows] == [row["tg263_name"] for row in of_preset]
        assert [row.reference for row in rows] == [row["reference"] for row in of_preset]
        for row, fact in zip(rows, of_preset, strict=True):
            source = fact["source"]
            assert (row.kind == LICENCE) == source.startswith("keyed:"), row.title
            assert row.kind == BY_HAND or source != "nobody", row.title
            assert row.kind in (UNION, MODEL) or not source.startswith("union:"), row.title


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "robot"}, "unknown kind robot"),
        ({"names": ""}, "names do not fit"),
        ({"step": "skin"}, "step does not fit"),
        ({"priority": "high"}, "unknown priority"),
        ({"preset": "rt-foot"}, "rt-foot"),
        ({"kind": "union"}, "a union needs two structures"),
    ],
)
def test_damaged_presets_are_refused(tmp_path, changes, reason):
    with (STRUCTURES_FOLDER / "presets.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0].update(changes)
    path = tmp_path / "presets.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ValueError, match=reason):
        presets_of_tables(STRUCTURES_FOLDER / "presets.json", path)


# -- a user's own ------------------------------------------------------------------------------------------------------


def own_content(*rows: object) -> dict[str, object]:
    return {"format": "TotalSegmentatorModule preset", "version": 1, "title": "Lung SBRT", "rows": list(rows)}


def test_own_preset_is_read_by_any_name_of_a_structure(tmp_path):
    path = tmp_path / "lung.preset.json"
    path.write_text(json.dumps(own_content("Liver", "SpinalCord", "kidney left")), encoding="utf-8")
    preset = read_own_preset(path)
    assert (preset.id, preset.title) == ("own-lung-sbrt", "Lung SBRT")
    assert preset.structures == ("liver", "spinal_cord", "kidney_left")
    assert preset.rows[1].tg263_name == "SpinalCord"


def test_own_preset_is_written_as_it_is_read(tmp_path):
    path = tmp_path / "mine.preset.json"
    thorax = read_presets()["rt-thorax"]
    write_own_preset(path, thorax)
    assert read_own_preset(path).rows == thorax.rows
    assert preset_to_json(read_presets()["ribs"])["rows"][0] == "rib_left_1", "a structure alone is its name"
    assert [file.name for file in tmp_path.iterdir()] == ["mine.preset.json"]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ([], "format"),
        ({"format": "other"}, "format"),
        (own_content("liver") | {"version": True}, "version"),
        (own_content("liver") | {"colour": "red"}, 'unknown field "colour"'),
        (own_content(), "rows"),
        (own_content("livre"), "row 1: The model has no structure named livre"),
        (own_content(7), "row 1 is neither text"),
        (own_content({"title": "x", "names": "liver"}), "no list of names"),
        (own_content({"title": "x", "names": ["foot"]}), "called foot"),
        (own_content({"names": ["liver"]}), "no title"),
        (own_content({"title": "x", "kind": "by hand", "names": ["liver"]}), "names do not fit"),
    ],
)
def test_damaged_own_preset_says_what_is_wrong(content, detail):
    with pytest.raises(SegmentationError) as caught:
        preset_from_json(content)
    assert caught.value.code == "PRESET_INVALID"
    assert detail in caught.value.problem.what


def test_own_preset_that_is_no_json_is_refused(tmp_path: Path):
    for name, data in (("a.json", b"{"), ("b.json", b"\xff\xfe\x00"), ("c.json", b" " * 2_000_000)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SegmentationError, match="cannot be used"):
            read_own_preset(tmp_path / name)
    with pytest.raises(SegmentationError, match="cannot be read"):
        read_own_preset(tmp_path / "absent.json")
