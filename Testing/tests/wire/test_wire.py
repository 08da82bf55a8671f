"""The wire's definition: messages, errors, and the checks of the data tables."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import string
from pathlib import Path

import pytest
from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS, Problem, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions, options_from_json
from TotalSegmentatorWire.messages.plan import LOCALIZATION, SEGMENTATION, Plan, PlannedPass, plan_from_json
from TotalSegmentatorWire.messages.segment import (
    EVENTS,
    REQUESTS,
    ByeEvent,
    CancelledEvent,
    CancelRequest,
    CtHeader,
    FailedEvent,
    FinishedEvent,
    FoundStructure,
    HelloEvent,
    NeedCtEvent,
    NoteEvent,
    PlanEvent,
    ProgressEvent,
    QuitRequest,
    ResultHeader,
    SegmentRequest,
    Stage,
    StartedEvent,
    WarningEvent,
    ct_header_from_json,
    decode,
    encode,
    header_to_json,
    problem_from_json,
    result_header_from_json,
)
from TotalSegmentatorWire.resources import MODELS_FOLDER, STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.catalogue import read_catalogue, read_profiles
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.structures import model_names, read_structures, structure_table

PLAN = Plan(
    model="117-1.5mm",
    profile="totalsegmentator-2.18",
    device="cpu",
    runtime="openvino",
    precision="exact",
    passes=[
        PlannedPass("localization", LOCALIZATION, [50, 80, 80], is_cropped=False, tiles=2, seconds=3.5),
        PlannedPass("organs", SEGMENTATION, [200, 300, 300], is_cropped=True, tiles=27, seconds=None),
    ],
    seconds=None,
    peak_bytes=4_100_000_000,
    available_bytes=None,
)
REQUEST_EXAMPLES = [
    SegmentRequest("job", "C:\\Users\\Zoë\\jobs", "/results", "ct", True, "104-3mm", "/m", ["liver", "spleen"], "cpu"),
    SegmentRequest("job", "/jobs", "/results", "ct", False, "104-3mm", "/models"),
    SegmentRequest("job", "/jobs", "/results", "ct", True, "117-3mm", "/m", options=JobOptions(smooth=True).to_json()),
    CancelRequest("job"),
    QuitRequest(),
]
EVENT_EXAMPLES = [
    HelloEvent(1, "0.1.0", 4711, "3.12.10"),
    ByeEvent("idle"),
    StartedEvent("job"),
    NeedCtEvent("job"),
    PlanEvent("job", PLAN.to_json()),
    ProgressEvent("job", Stage.PREDICTING, 0.5, 12.5, 3, 8),
    WarningEvent("job", Problem("IMPLAUSIBLE_HU", {"minimum": 0.0, "maximum": 9000.0}).to_json()),
    NoteEvent("job", "112 slices from -840.0 to -507.0 mm"),
    FinishedEvent("job", "/results/患者", 61.5),
    FailedEvent("job", Problem("INPUT_NOT_3D", {"dimensions": 4}).to_json()),
    CancelledEvent("job"),
]


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", REQUEST_EXAMPLES, ids=lambda message: message.KIND)
def test_requests_cross_as_one_line(message):
    line = encode(message)
    assert "\n" not in line
    assert line.isascii()
    assert decode(line.encode(), REQUESTS) == message


@pytest.mark.parametrize("message", EVENT_EXAMPLES, ids=lambda message: message.KIND)
def test_events_cross_as_one_line(message):
    assert decode(encode(message), EVENTS) == message


def test_plan_survives_the_wire():
    plan = plan_from_json(decode(encode(PlanEvent("job", PLAN.to_json())), EVENTS).plan)

    assert plan == PLAN
    assert plan.tiles == 29


@pytest.mark.parametrize("fields", [{}, {"passes": 1}, {"passes": [{}]}, {**PLAN.to_json(), "unknown": 1}])
def test_plan_of_another_make_is_refused(fields):
    with pytest.raises(SegmentationError, match="plan"):
        plan_from_json(fields)


def test_options_survive_the_wire():
    options = JobOptions("eager", "reduced", "body", "totalsegmentator-1.5", True, True, 250.0)

    assert options_from_json(json.loads(json.dumps(options.to_json()))) == options
    assert options_from_json({}) == JobOptions()


@pytest.mark.parametrize(
    "fields",
    [{"runtime": "abacus"}, {"precision": "high"}, {"crop": "head"}, {"smallest_island_mm3": -1.0}, {"unknown": 1}],
)
def test_options_that_do_not_exist_are_refused(fields):
    with pytest.raises(SegmentationError) as refused:
        options_from_json(fields)

    assert refused.value.code == "BAD_REQUEST"


def test_tags_name_what_was_really_run():
    options = JobOptions(runtime="openvino", precision="reduced", crop="body", smooth=True, smallest_island_mm3=250.0)

    tags = provenance_tags("117-3mm", "totalsegmentator-2.18", "1.2.3", options.to_json())

    assert tags == {
        "TotalSegmentatorModule.Model": "117-3mm",
        "TotalSegmentatorModule.Profile": "totalsegmentator-2.18",
        "TotalSegmentatorModule.Version": "1.2.3",
        "TotalSegmentatorModule.Runtime": "openvino",
        "TotalSegmentatorModule.Precision": "reduced",
        "TotalSegmentatorModule.Crop": "body",
        "TotalSegmentatorModule.Smooth": "true",
        "TotalSegmentatorModule.LargestPiece": "false",
        "TotalSegmentatorModule.SmallestIslandMm3": "250",
    }


def test_every_message_has_an_example():
    assert {type(message) for message in REQUEST_EXAMPLES} == set(REQUESTS.values())
    assert {type(message) for message in EVENT_EXAMPLES} == set(EVENTS.values())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '"quit"',
        "{}",
        '{"kind": "dance"}',
        '{"kind": "cancel"}',
        '{"kind": "quit", "x": 1}',
        b"\xff",
    ],
)
def test_line_that_is_no_request_is_refused(line):
    with pytest.raises(SegmentationError) as caught:
        decode(line, REQUESTS)
    assert caught.value.code == "BAD_REQUEST"


def test_event_is_no_request():
    with pytest.raises(SegmentationError):
        decode(encode(StartedEvent("job")), REQUESTS)


def test_ct_header_crosses():
    header = CtHeader("ct", [3, 4, 5], "int16", [float(n) for n in range(16)], "1.2.3", ["a.dcm"])
    assert ct_header_from_json(header_to_json(header)) == header


def test_result_header_crosses():
    header = ResultHeader(
        job_id="job",
        ct_id="ct",
        shape=[3, 4, 5],
        ijk_to_ras=[0.1 + 0.2] * 16,
        series_instance_uid=None,
        found=[FoundStructure(1, "spleen", 7, [0, 1, 2, 3, 4, 5])],
        absent=["kidney_left"],
        model="104-3mm",
        profile="totalsegmentator-1.5",
        engine_version=ENGINE_VERSION,
        device="cpu",
        seconds=1.25,
        created="2026-01-02T03:04:05+00:00",
    )
    assert result_header_from_json(header_to_json(header)) == header


# -- errors ------------------------------------------------------------------------------------------------------------


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("definition", [*ERRORS.values(), *WARNINGS.values()], ids=lambda row: row.code)
def test_every_problem_has_two_sentences(definition):
    for text in (definition.what, definition.todo):
        assert text.endswith(".")
        assert text[0].isupper() or text[0] == "{"
    assert re.fullmatch("[A-Z][A-Z0-9_]+", definition.code)
    assert fields_of(definition.todo) <= fields_of(definition.what)
    problem = Problem(definition.code, dict.fromkeys(fields_of(definition.what), 7))
    assert "{" not in problem.what + problem.todo


def test_exit_codes_are_unique_and_within_a_byte():
    codes = [row.exit_code for row in ERRORS.values()]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 256 and code != 2 for code in codes)  # 2 is argparse's


def test_problem_crosses_with_its_sentences():
    problem = Problem("INPUT_NOT_3D", {"dimensions": 4})
    crossed = json.loads(json.dumps(problem.to_json()))
    assert crossed["what"] == "The image has 4 dimensions; a CT volume has 3."
    assert problem_from_json(crossed) == problem


@pytest.mark.parametrize(
    "fields",
    [{}, {"code": "NO_SUCH_CODE"}, {"code": "INPUT_NOT_3D"}, {"code": "INPUT_SHEARED", "values": {"degrees": "many"}}],
)
def test_unknown_problem_is_refused(fields):
    with pytest.raises(SegmentationError):
        problem_from_json(fields)


def test_error_says_both_sentences():
    error = SegmentationError("INPUT_NOT_CT", modality="MR")
    assert error.code == "INPUT_NOT_CT"
    assert (
        str(error)
        == "The image is not a CT: its DICOM modality is MR. Choose a CT; the models were trained only on CT."
    )


# -- tables ------------------------------------------------------------------------------------------------------------


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


def test_messages_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        REQUEST_EXAMPLES[0].job_id = "other"
