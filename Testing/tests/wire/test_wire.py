"""The wire's definition: messages and errors."""

from __future__ import annotations

import dataclasses
import json
import re
import string

import pytest
from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS, Problem, SegmentationError
from TotalSegmentatorWire.messages.agreement import Agreement, Share, agreement_from_json
from TotalSegmentatorWire.messages.department_server import DepartmentServer, server_from_json
from TotalSegmentatorWire.messages.model_request import ModelRequest, requests_from_json, requests_to_json
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
    PlanRequest,
    PreviewEvent,
    ProgressEvent,
    QuitRequest,
    ResultHeader,
    ReviewRequest,
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
from TotalSegmentatorWire.messages.wishes import PriorityRequest, WarmUpRequest
from TotalSegmentatorWire.tables.result_tags import provenance_tags

PLAN = Plan(
    models=["117-1.5mm"],
    profiles={"117-1.5mm": "totalsegmentator-2.18"},
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
AGREEMENT = Agreement(
    approximations=("reduced", "crop"),
    tiles=4,
    of_tiles=120,
    voxels=Share(0.999, 0.998, 1.0),
    foreground=Share(0.994, 0.99, 0.997),
    lowest_structure="adrenal_gland_left",
    lowest=Share(0.97, 0.94, 0.985),
    threshold=0.98,
    seconds=3.25,
)
SERVER = DepartmentServer("tls://ct.hospital.example:8786", "/tls/ca.pem", "/tls/Zoë.pem", "/tls/key.pem")
REQUESTED = (ModelRequest("104-3mm", ("liver", "spleen")), ModelRequest("C:\\Models\\Zoë"))
ONE_MODEL = ModelRequest("117-3mm").to_json()
REQUEST_EXAMPLES = [
    SegmentRequest("job", "C:\\Users\\Zoë\\jobs", "/results", "ct", True, requests_to_json(REQUESTED), "/m", "cpu"),
    SegmentRequest("job", "/jobs", "/results", "ct", False, [ONE_MODEL], "/models"),
    SegmentRequest(
        "job", "/jobs", "/results", "ct", True, [ONE_MODEL], "/m", options=JobOptions(smooth=True).to_json()
    ),
    SegmentRequest("job", "/jobs", "/results", "ct", True, [ONE_MODEL], "/m", server=SERVER.to_json()),
    PlanRequest("job", "/jobs", "", [40, 512, 512], [0.5] * 16, [ONE_MODEL], "/m", "cpu", JobOptions().to_json()),
    ReviewRequest("job", "/jobs", "ct", ["--transferred", "/jobs/患者", "--structures", "liver,spleen"]),
    WarmUpRequest("/m", [ONE_MODEL], "cpu", JobOptions().to_json()),
    PriorityRequest("job", "liver"),
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
    PreviewEvent("a", "/results/b", 4.5),
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


@pytest.mark.parametrize("change", [{}, {"lowest": None, "lowest_structure": ""}])
def test_agreement_survives_the_wire(change):
    agreement = dataclasses.replace(AGREEMENT, **change)

    assert agreement_from_json(json.loads(json.dumps(agreement.to_json()))) == agreement


@pytest.mark.parametrize(
    "change",
    [
        {"voxels": None},
        {"lowest": {"value": 0.9}},
        {"foreground": {"value": 0.5, "low": 0.6, "high": 0.7}},
        {"unknown": 1},
    ],
)
def test_agreement_of_another_make_is_refused(change):
    with pytest.raises(SegmentationError, match="agreement"):
        agreement_from_json(AGREEMENT.to_json() | change)


def test_requests_survive_the_wire_in_their_order():
    assert requests_from_json(json.loads(json.dumps(requests_to_json(REQUESTED)))) == REQUESTED


@pytest.mark.parametrize(
    "rows", [None, [], {}, [None], [{}], [{"model": 3}], [{"model": "m", "structures": "liver"}], ["104-3mm"]]
)
def test_requests_of_another_make_are_refused(rows):
    with pytest.raises(SegmentationError) as refused:
        requests_from_json(rows)

    assert refused.value.code == "BAD_REQUEST"


def test_server_crosses_and_an_unknown_field_is_refused():
    assert server_from_json(json.loads(json.dumps(SERVER.to_json()))) == SERVER
    with pytest.raises(SegmentationError) as error:
        server_from_json({"address": SERVER.address, "password": "x"})
    assert error.value.code == "BAD_REQUEST"


@pytest.mark.parametrize(
    "fields",
    [
        {"runtime": "abacus"},
        {"precision": "high"},
        {"crop": "head"},
        {"smallest_island_mm3": -1.0},
        {"least_agreement": 98.0},
        {"unknown": 1},
    ],
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
        found=[
            FoundStructure(1, "spleen", 7, [0, 1, 2, 3, 4, 5], model="104-3mm"),
            FoundStructure(1, "body_trunc", 40, [0, 4, 0, 3, 0, 2], layer=1, model="body"),
        ],
        absent=["kidney_left"],
        models=["104-3mm", "body"],
        profiles={"104-3mm": "totalsegmentator-1.5", "body": "totalsegmentator-2.18"},
        engine_version=ENGINE_VERSION,
        device="cpu",
        seconds=1.25,
        created="2026-01-02T03:04:05+00:00",
        layers=2,
        agreement=AGREEMENT.to_json(),
    )
    assert result_header_from_json(header_to_json(header)) == header


def test_result_that_an_earlier_version_kept_has_one_model_and_one_layer():
    fields = {
        "job_id": "job", "ct_id": "ct", "shape": [3, 4, 5], "ijk_to_ras": [1.0] * 16, "series_instance_uid": None,
        "found": [{"label": 1, "name": "spleen", "voxels": 7, "extent": [0, 1, 2, 3, 4, 5]}], "absent": [],
        "model": "104-3mm", "profile": "totalsegmentator-1.5", "engine_version": "0.1.0", "device": "cpu",
        "seconds": 1.25, "created": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    header = result_header_from_json(json.dumps(fields))

    assert (header.models, header.profiles, header.layers) == (["104-3mm"], {"104-3mm": "totalsegmentator-1.5"}, 1)
    assert (header.found[0].layer, header.model_of(header.found[0])) == (0, "104-3mm")


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


def test_messages_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        REQUEST_EXAMPLES[0].job_id = "other"
