"""Export templates: the product's own are right, and a user's file is refused with what is wrong in it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from roi_plan_support import Block, names, planned, warnings
from TotalSegmentatorEngine.export.rois.template import known_templates, load_template, standard_unions
from TotalSegmentatorEngine.export.rois.tg263_names import name_key
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.structures import structure_table

TABLES = ("structures_104", "structures_117")
TARGETS = {"GTV*", "CTV*", "PTV*", "bolus*", "body", "external"}


def written(tmp_path: Path, content) -> Path:
    path = tmp_path / "template.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def refusal(path: Path | str) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        load_template(path)
    return caught.value


def structure_names() -> set[str]:
    rows = [row for table in TABLES for row in structure_table(table)]
    return {name_key(name) for row in rows for name in (row.name, row.tg263_name)}


# -- the product's own -------------------------------------------------------------------------------------------------


def test_everything_is_the_first_of_the_known_templates():
    assert known_templates() == ["all", "abdomen", "pelvis", "planning", "thorax"]


@pytest.mark.parametrize("name", known_templates())
def test_own_templates_name_only_structures_that_models_find(name):
    template = load_template(name)
    assert template.title and template.description
    for entry in template.entries:
        if entry.source not in TARGETS and entry.source != "*":
            assert name_key(entry.source) in structure_names() | standard_unions().keys(), entry.source


def test_standard_unions_have_names_and_numbers_of_tg263():
    with (STRUCTURES_FOLDER / "tg263.csv").open(encoding="utf-8", newline="") as stream:
        known = {row["name"]: row["fma_id"] for row in csv.DictReader(stream)}
    unions = standard_unions()
    assert {union.name for union in unions.values()} == {"Lung_L", "Lung_R", "Lungs", "Kidneys", "Femurs", "Heart"}
    for union in unions.values():
        assert union.codes.fma.value == known[union.name]


def test_standard_unions_are_made_of_structures_and_of_unions_before_them():
    before: set[str] = set()
    for key, union in standard_unions().items():
        assert {name_key(part) for part in union.union_of} <= structure_names() | before, union.name
        before.add(key)


def test_codes_of_standard_unions_are_those_of_dicom():
    pydicom = pytest.importorskip("pydicom.sr._concepts_dict", reason="needs the engine's packages")
    meanings = {code: name for term in pydicom.concepts["SCT"].values() for code, (name, _cids) in term.items()}
    for union in standard_unions().values():
        for code in (union.codes.type, union.codes.modifier):
            if code is not None:
                assert code.scheme == "SCT" and code.value in meanings, union.name
        assert union.codes.type.meaning in ("Lung", "Kidney", "Femur", "Heart")


# -- a user's file -----------------------------------------------------------------------------------------------------


def test_file_of_a_user_orders_names_colours_and_types(tmp_path):
    path = written(
        tmp_path,
        {
            "version": 1,
            "title": "Liver SBRT",
            "structures": [
                "Kidneys",
                {"source": "liver", "name": "Leber", "colour": "#ff8000", "interpreted_type": "AVOIDANCE"},
                {"name": "Bowel", "union_of": ["small_bowel", "colon"]},
                {"source": "ring*", "interpreted_type": "CONTROL"},
            ],
        },
    )
    lines = ("ring 1", "colon", "liver", "small_bowel", "kidney_left", "kidney_right", "ring 2", "spleen")
    plan = planned(*lines, template=json.loads(path.read_text())["structures"])
    assert names(plan) == ["Kidneys", "Leber", "Bowel", "ring 1", "ring 2"]
    assert plan.rois[1].colour == (255, 128, 0)
    assert [roi.interpreted_type for roi in plan.rois] == ["ORGAN", "AVOIDANCE", "ORGAN", "CONTROL", "CONTROL"]
    assert load_template(path).title == "Liver SBRT"


def test_what_the_segmentation_lacks_is_counted_unless_it_is_optional():
    lines = ["SpinalCord", "Kidneys", "PTV*", {"source": "Atrium_L", "optional": True}, "Liver", "Parotid_L"]
    plan = planned("liver", template=lines)
    assert names(plan) == ["Liver"]
    assert warnings(plan)["EXPORT_TEMPLATE_ABSENT"]["count"] == 3


def test_pattern_takes_what_no_other_entry_names():
    plan = planned("rib_left_1", "liver", "rib_left_2", template=["rib*", "*", {"source": "rib_left_2", "name": "R2"}])
    assert names(plan) == ["Rib01_L", "Liver", "R2"]


def test_one_structure_can_go_out_twice_under_two_names():
    plan = planned("liver", template=["liver", {"source": "Liver", "name": "zLiver", "interpreted_type": "CONTROL"}])
    assert names(plan) == ["Liver", "zLiver"]


def test_codes_of_a_template_replace_those_of_the_segment():
    bowel = {"type": "SCT^113276009^Intestine", "fma": "FMA^7199^Intestine"}
    plan = planned("colon", "liver", template=[{"name": "Bowel", "union_of": ["colon"], "codes": bowel}])
    codes = plan.rois[0].codes
    assert (codes.type.value, codes.fma.value, codes.modifier) == ("113276009", "7199", None)
    assert codes.category.value == "123037004"
    liver = planned("liver", template=[{"source": "liver", "codes": {"type": "SCT^1^Other"}}]).rois[0]
    assert liver.codes.type.value == "1"


def test_template_names_the_body_outline():
    from roi_plan_support import placed
    from TotalSegmentatorEngine.export.rois.plan import plan_rois
    from TotalSegmentatorEngine.export.rois.selection import Choice
    from TotalSegmentatorEngine.export.rois.template_schema import template_of_json

    template = template_of_json({"version": 1, "structures": ["*"], "body": {"name": "BODY", "colour": "#0000ff"}})
    plan = plan_rois(placed("liver"), Choice(template=template, external=True), outline=lambda: None)
    assert (plan.rois[0].name, plan.rois[0].colour) == ("BODY", (0, 0, 255))


def test_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "from_notepad.json"
    path.write_bytes(b'\xef\xbb\xbf{"version": 1, "structures": ["Liver"]}')
    assert load_template(path).entries[0].source == "Liver"


BROKEN = [
    ("", "not JSON"),
    ('{"version": 1,\n "structures": ["Liver",]}', "line 2"),
    ("[" * 100_000, "not JSON"),
    ([], 'no list "structures"'),
    ({"version": 1, "structures": {}}, 'no list "structures"'),
    ({"version": 1, "structures": []}, "empty"),
    ({"structures": ["Liver"]}, '"version" is null; only 1 is supported'),
    ({"version": True, "structures": ["Liver"]}, '"version" is true; only 1 is supported'),
    ({"version": 1, "structures": ["liver", "Liver"]}, "entries 1 and 2 have the same name Liver"),
    ({"version": 1, "structures": ["kidney_left", "*", "Kidney_L"]}, "entries 1 and 3 have the same name Kidney_L"),
    ({"version": 1, "structures": ["Lungs", "lungs"]}, "entries 1 and 2 have the same name lungs"),
    ({"version": 1, "structures": ["liver", {"source": "HCC", "name": "Liver"}]}, "entries 1 and 2 have the same name"),
    ({"version": 2, "structures": ["Liver"]}, '"version" is 2'),
    ({"version": 1, "structures": ["Liver"], "structure": 1}, 'unknown key "structure"'),
    ({"version": 1, "structures": ["Liver"], "title": 3}, '"title" is not text'),
    ({"version": 1, "structures": ["Liver"], "body": []}, '"body" is not an object'),
]
BROKEN_LINES = [
    (3, "entry 2 is neither"),
    ("", 'entry 2: "source" is not text'),
    ({"source": "liver", "type": "ORGAN"}, 'entry 2 has an unknown key "type"'),
    ({"name": "Liver"}, 'entry 2 needs either "source" or "union_of"'),
    ({"source": "liver", "union_of": ["liver"], "name": "L"}, 'needs either "source" or "union_of"'),
    ({"union_of": ["liver"]}, 'a union needs a "name"'),
    ({"name": "L", "union_of": "liver"}, '"union_of" is not a list'),
    ({"name": "L", "union_of": [""]}, '"union_of" is not a list'),
    ({"name": "L", "union_of": ["liver"], "needs": "both"}, '"needs" is neither'),
    ({"source": "liver", "needs": "all"}, '"needs" is only allowed with "union_of"'),
    ({"source": "rib*", "name": "Rib"}, "the pattern rib* can match several"),
    ({"source": "liver", "name": "A name of seventeen"}, "has 19 characters; at most 16 are allowed"),
    ({"source": "liver", "name": "a\\b"}, "a backslash"),
    ({"source": "liver", "name": "Liver~"}, "contains ~"),
    ({"source": "liver", "name": "SPLEEN"}, "entries 1 and 2 have the same name SPLEEN"),
    ({"source": "liver", "colour": "red"}, "the colour red is not like #dd8265"),
    ({"source": "liver", "colour": "#12345g"}, "the colour #12345g"),
    ({"source": "liver", "interpreted_type": "OAR"}, "the interpreted type OAR is not one of EXTERNAL, PTV"),
    ({"source": "liver", "optional": "yes"}, '"optional" is neither'),
    ({"source": "liver", "codes": "SCT"}, '"codes" is not an object'),
    ({"source": "liver", "codes": {"fma": "FMA^7197^Liver"}}, '"codes" has no "type"'),
    ({"source": "liver", "codes": {"type": "10200004"}}, 'the code "type" is not like'),
    ({"source": "liver", "codes": {"kind": "SCT^10200004^Liver"}}, 'unknown key "kind"'),
]


@pytest.mark.parametrize(("content", "detail"), BROKEN)
def test_broken_file_is_refused_with_what_is_wrong(tmp_path, content, detail):
    error = refusal(written(tmp_path, content))
    assert error.code == "TEMPLATE_INVALID"
    assert detail in error.problem.what


@pytest.mark.parametrize(("line", "detail"), BROKEN_LINES)
def test_broken_entry_is_refused_with_what_is_wrong(tmp_path, line, detail):
    error = refusal(written(tmp_path, {"version": 1, "structures": [{"source": "spleen", "name": "Spleen"}, line]}))
    assert error.code == "TEMPLATE_INVALID"
    assert detail in error.problem.what


def test_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "template.json"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    assert "not text in UTF-8" in refusal(path).problem.what


def test_missing_file_is_refused_without_its_path(tmp_path):
    error = refusal(tmp_path / "Doe John" / "template.json")
    assert error.code == "TEMPLATE_INVALID" and "does not exist" in error.problem.what
    assert "Doe" not in str(error)


def test_unknown_name_gets_the_known_ones():
    error = refusal("torax")
    assert error.code == "TEMPLATE_UNKNOWN"
    assert error.problem.values["name"] == "torax"
    assert error.problem.values["known"].startswith("all, abdomen, pelvis, planning, thorax, rt-head-neck, ")


def test_planning_template_makes_the_unions_of_a_104_class_result():
    lobes = [row.name for row in structure_table("structures_104") if row.name.startswith(("lung_", "heart_"))]
    plan = planned(*map(Block, lobes), "kidney_left", "kidney_right", "femur_left", "femur_right", template="planning")
    assert names(plan) == [
        "Lung_L", "Lung_R", "Lungs", "Heart", "Kidney_L", "Kidney_R", "Kidneys", "Femur_L", "Femur_R", "Femurs",
    ]  # fmt: skip
