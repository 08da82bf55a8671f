"""The review sheet of a phantom's result with planted faults and edits, and of a real CT: every number counted again,
nothing of the patient in it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest
from planted_faults import LABELS, PlantedFault
from reviewed_result import ABDOMEN, COLOURS, PATIENT, Reviewed, validate
from sheet_support import (
    SECONDS,
    added_path_mm,
    centre_of_colour,
    data_of,
    html_pictures,
    html_text,
    identifiers_of,
    pdf_texts,
    write_result,
)
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.sheet.words import TABLE_HEADS
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.tables.result_tags import series_digest
from TotalSegmentatorWire.tables.review_state import APPROVED_TOGETHER_TAG, FLAGS_TAG, ReviewState


@pytest.fixture(scope="module")
def sheets(reviewed: Reviewed) -> dict[str, Path]:
    """The same sheet in all formats, and the log and the events of making it."""
    log, events = reviewed.folder / "sheet.log", reviewed.folder / "events.jsonl"
    return {
        "pdf": reviewed.export("sheet.pdf", "--log", log, "--events", events),
        "html": reviewed.export("page.html"),
        "json": reviewed.folder / "sheet.json",
        "log": log,
        "events": events,
    }


def masks_of(labels: np.ndarray) -> dict[str, np.ndarray]:
    return {name: labels == label for name, label in LABELS.items() if (labels == label).any()}


def check_numbers(data: dict, labels: np.ndarray, computed: np.ndarray, hu: np.ndarray, grid: Geometry) -> None:
    """Against plain counts."""
    voxel_ml = abs(np.linalg.det(grid.ijk_to_ras[:3, :3])) / 1000
    masks, before = masks_of(labels), masks_of(computed)
    by_name = {row["segments"][0]: row for row in data["structures"]}
    assert set(by_name) == set(masks) and len(data["structures"]) == len(masks)
    for name, mask in masks.items():
        row = by_name[name]
        assert row["voxels"] == np.count_nonzero(mask)
        assert row["volume_ml"] == pytest.approx(np.count_nonzero(mask) * voxel_ml, abs=6e-4)
        assert row["mean_hu"] == pytest.approx(hu[mask].astype(float).mean(), abs=6e-3)
        assert row["sd_hu"] == pytest.approx(hu[mask].astype(float).std(), abs=6e-3)
        changed = not np.array_equal(mask, before[name])
        assert row["edited"] is changed and (row["edit"] is not None) is changed
        if changed:
            common = 2 * np.count_nonzero(mask & before[name])
            counts = np.count_nonzero(mask), np.count_nonzero(before[name])
            assert row["edit"]["dice"] == pytest.approx(common / sum(counts), abs=6e-5)
            assert row["edit"]["computed_ml"] == pytest.approx(counts[1] * voxel_ml, abs=6e-4)
            assert row["edit"]["difference_ml"] == pytest.approx((counts[0] - counts[1]) * voxel_ml, abs=6e-4)
            length = added_path_mm(mask, before[name], grid.spacing[0])
            assert row["edit"]["added_path_mm"] == pytest.approx(length, abs=6e-3) and length > 0
    gone = {name: np.count_nonzero(mask) * voxel_ml for name, mask in before.items() if name not in masks}
    assert {row["name"]: row["computed_ml"] for row in data["removed"]} == pytest.approx(gone, abs=6e-4)


def test_every_number_is_a_plain_count(reviewed: Reviewed, sheets: dict[str, Path]):
    data = data_of(sheets["json"])
    validate(data)
    check_numbers(data, reviewed.labels, reviewed.computed, reviewed.hu, reviewed.grid)
    assert {row["segments"][0] for row in data["structures"] if row["edited"]} == {"liver", "spleen"}
    assert [row["name"] for row in data["removed"]] == ["gallbladder"]
    assert data_of(sheets["html"].with_suffix(".json")) == data


def test_states_remarks_and_decisions(reviewed: Reviewed, sheets: dict[str, Path]):
    data = data_of(sheets["json"])
    states = Counter(row["state"] for row in data["structures"])
    assert states["rejected"] == states["needs-attention"] == states["edited"] == states["approved"] == 1
    assert data["counts"] == {state.value: states[state.value] for state in ReviewState} | {"approved_together": 0}
    kept = [{key: remark[key] for key in reviewed.flags[0]} for remark in data["remarks"]]
    assert kept == reviewed.flags
    levels = {level: {f["structure"] for f in reviewed.flags if f["level"] == level} for level in data["levels"]}
    levels["check"] -= levels["wrong"]
    assert data["levels"] == {level: len(found) for level, found in levels.items()}
    decisions = {remark["structure"]: remark["decision"] for remark in data["remarks"]}
    assert decisions["spleen"] == "approved" and decisions["aorta"] == "rejected"
    asked = [remark for remark in data["remarks"] if remark["level"] != "cut"]
    assert [remark["number"] for remark in asked] == list(range(1, len(asked) + 1))
    (stray,) = (remark for remark in asked if remark["structure"] == "spleen")
    assert np.linalg.norm(np.subtract(stray["place_ras_mm"], reviewed.stray)) < 12


def test_ranges_are_the_published_ones_and_compared_unless_the_scan_cuts(sheets: dict[str, Path]):
    rows = {row["segments"][0]: row for row in data_of(sheets["json"])["structures"]}
    pancreas = rows["pancreas"]
    assert (pancreas["usual_ml"]["low"], pancreas["usual_ml"]["high"]) == (18.8, 139.8)
    assert pancreas["usual_ml"]["source"].startswith("CT of 204 trauma patients")
    assert pancreas["has_usual_volume"] is (18.8 <= pancreas["volume_ml"] <= 139.8)
    cut = [row for row in rows.values() if row["cut"]]
    assert cut and all(row["has_usual_volume"] is None and "~" in row["exported_name"] for row in cut)
    assert rows["stomach"]["usual_ml"] is None and rows["stomach"]["has_usual_volume"] is None


def test_the_pages_say_what_the_data_say(reviewed: Reviewed, sheets: dict[str, Path]):
    data = data_of(sheets["json"])
    pages, page = pdf_texts(sheets["pdf"]), html_text(sheets["html"])
    text = "\n".join(pages)
    assert len(pages) > 1 and "page 1" in pages[0]
    asked = [remark for remark in data["remarks"] if remark["level"] != "cut"]
    flat = " ".join(text.split())
    for remark in asked:
        sentence = remark["sentence"][1:]
        assert sentence in " ".join(page.split()) and sentence in flat
    for row in data["structures"]:
        volume = row["volume_ml"]
        rounding = 0.501 if volume >= 1000 else 0.0501 if volume >= 10 else 0.00501
        for each in (text, page):
            listed = each[each.index(TABLE_HEADS[-1]) :]
            shown = re.search(rf"^{row['name']}(?: ~)?\s+([\d.]+)(?: !)?$", listed, re.MULTILINE)
            assert abs(float(shown[1]) - volume) <= rounding
    liver = next(row for row in data["structures"] if row["name"] == "liver")["edit"]
    for each in (text, page):
        assert f"{liver['dice']:.3f}" in each and f"{liver['difference_ml']:+.2f}" in each
        assert (
            f"in {SECONDS:.0f} s" in each.replace("\n", " ") and "104-3mm" in each and data["input"]["digest"] in each
        )


def test_nothing_of_the_patient_is_in_the_sheet_its_data_and_the_log(
    reviewed: Reviewed, sheets: dict[str, Path], capsys
):
    identifiers = identifiers_of(reviewed.series)
    assert {"Zappelmann", "Eusebia", "PAT-778812", "19430705", "20210317", "ACC4711", "Waldesruh"} < identifiers
    assert sum(each.startswith("1.2.826") or each.startswith("2.25") for each in identifiers) > len(reviewed.hu)
    texts = {name: path.read_bytes().decode("latin-1") for name, path in sheets.items() if name != "events"}
    texts |= {"text of the pdf": "\n".join(pdf_texts(sheets["pdf"])), "text of the page": html_text(sheets["html"])}
    for name, text in texts.items():
        assert [each for each in identifiers if each.lower() in text.lower()] == [], name
    (uid,) = {each for each in identifiers if series_digest(each) == data_of(sheets["json"])["input"]["digest"]}
    assert uid


def test_the_patient_is_named_on_request(reviewed: Reviewed):
    output = reviewed.export("named.pdf", "--with-patient")
    data = data_of(output.with_suffix(".json"))
    validate(data)
    assert data["patient"]["PatientName"] == PATIENT["PatientName"] and data["patient"]["StudyDate"] == "20210317"
    assert "Zappelmann^Eusebia" in "".join(pdf_texts(output)) and "PAT-778812" in "".join(pdf_texts(output))


def test_the_page_needs_no_network_and_no_script(sheets: dict[str, Path]):
    text = sheets["html"].read_text(encoding="utf-8")
    assert "<script" not in text and "http" not in text and "@import" not in text and "url(" not in text


def check_sides(coronal: np.ndarray, axial: list[np.ndarray]) -> None:
    liver, kidney = (centre_of_colour(coronal, channel) for channel in (0, 2))
    assert liver[1] < 0.5 < kidney[1] and liver[0] < kidney[0]
    centres = [[centre_of_colour(picture, channel) for channel in (0, 2)] for picture in axial]
    liver, kidney = next(pair for pair in centres if None not in pair)
    assert liver[1] < 0.5 < kidney[1] and liver[0] < kidney[0]


def test_the_patients_right_is_at_the_left_and_the_front_above(sheets: dict[str, Path]):
    """The liver is red and lies at the right; the left kidney, blue, lies behind it and below."""
    coronal, _sagittal, *axial = html_pictures(sheets["html"])[:5]
    assert len(axial) == 3
    check_sides(coronal, axial)


def test_pictures_do_not_depend_on_the_order_of_voxels(tmp_path: Path):
    fault = PlantedFault("PIR", view=ABDOMEN, spacing_mm=(6.0, 6.0, 6.0))
    result = write_result(tmp_path / "organs.seg.nrrd", fault.labels, fault.geometry, colours=COLOURS)
    ct = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(fault.ct.T, fault.geometry.ijk_to_ras), ct)
    output = tmp_path / "page.html"
    assert main(["export", str(result), "--reference", str(ct), "--to", "review", str(output)]) == 0
    coronal, _sagittal, *axial = html_pictures(output)
    check_sides(coronal, axial)


def test_a_clean_result_takes_one_page_and_lists_no_edits(reviewed: Reviewed, tmp_path: Path):
    together = {APPROVED_TOGETHER_TAG: "1", FLAGS_TAG: "[]"}
    states = dict.fromkeys(LABELS, ReviewState.APPROVED)
    clean = write_result(
        tmp_path / "clean.seg.nrrd", reviewed.computed, reviewed.grid, states=states, more_tags=lambda name: together
    )
    output = tmp_path / "clean.pdf"
    assert main(["export", str(clean), "--reference", str(reviewed.series), "--to", "review", str(output)]) == 0
    data = data_of(output.with_suffix(".json"))
    validate(data)
    assert len(pdf_texts(output)) == 1 and "Edits" not in pdf_texts(output)[0]
    count = len(data["structures"])
    assert data["counts"]["approved"] == data["counts"]["approved_together"] == count > 40
    assert data["remarks"] == [] and data["levels"] == {"wrong": 0, "check": 0, "cut": 0}


@pytest.mark.shared
def test_the_sheet_of_a_real_ct(shared: Path, tmp_path: Path):
    folder = shared / "data" / "example_ct"
    image, ct = (nibabel.load(folder / name) for name in ("reference_104_1.5mm.nii.gz", "ct.nii.gz"))
    labels = np.asarray(image.dataobj).astype(np.uint8).T
    grid = Geometry(labels.shape, image.affine)
    edited = labels.copy()
    spleen = labels == LABELS["spleen"]
    edited[np.roll(spleen, 2, axis=1) & (labels == 0)] = LABELS["spleen"]
    before = write_result(tmp_path / "computed.seg.nrrd", labels, grid)
    result = write_result(tmp_path / "organs.seg.nrrd", edited, grid, labels)
    flags = tmp_path / "organs.review.json"
    assert main(["review", str(result), "--reference", str(folder / "ct.nii.gz"), "--output", str(flags)]) == 0
    output = tmp_path / "organs.pdf"
    words = ("--reference", str(folder / "ct.nii.gz"), "--to", "review", "--computed", str(before))
    assert main(["export", str(result), *words, str(output)]) == 0
    data = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))
    validate(data)
    check_numbers(data, edited, labels, np.asarray(ct.dataobj).T, grid)
    assert len(data["structures"]) == 59 and data["levels"] == {"wrong": 0, "check": 3, "cut": 33}
    assert len(pdf_texts(output)) == 2
