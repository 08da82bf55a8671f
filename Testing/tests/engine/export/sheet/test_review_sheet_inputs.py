"""What a review sheet is made of: parts of a segmentation, other programs' and unchecked ones, odd names; and what is
refused."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from export_case import GRID
from export_support import write_ct_series
from reviewed_result import Reviewed, validate
from sheet_support import (
    data_of,
    html_text,
)
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.review_state import FLAGS_TAG


def test_a_name_that_somebody_typed_does_not_name_the_patient(case, tmp_path: Path):
    """Neither of a drawn structure, nor of one that is called as an organ is."""
    series = write_ct_series(tmp_path / "ct", np.full(GRID.shape, 40, np.int16), GRID, PatientName="Liver^Tumour")
    for more, name in (((), "My ***"), (("--with-patient",), "My tumour")):
        output = tmp_path / f"sheet{len(more)}.html"
        words = ("--reference", str(series), "--to", "review", *more, str(output))
        assert main(["export", str(case.segmentation), *words]) == 0
        names = [row["name"] for row in data_of(output.with_suffix(".json"))["structures"]]
        assert sorted(names) == sorted(["liver", "kidney right", name]) and name in html_text(output)


def test_a_remark_on_a_segment_that_somebody_named_does_not_name_the_patient(case, tmp_path: Path):
    """Names in remarks are the segments' ids, which other programs make of what was typed."""
    series = write_ct_series(tmp_path / "ct", np.full(GRID.shape, 40, np.int16), GRID, PatientName="Zappelmann^Eusebia")
    flags = [
        Flag("islands", Level.CHECK, "zappelmann_mass", (), None, {"pieces": 2, "expected": 1, "volume_ml": 2}),
        Flag("seen_by_hand", Level.CHECK, "liver", ("Eusebia",), None, {"note": "as Zappelmann said"}),
    ]
    rows = [[flag.to_json("A mass of Mrs Zappelmann.")] for flag in flags]
    segments = [
        FileSegment(name, name, (0, 99, 0), label, (0,) * 6, 0, {FLAGS_TAG: json.dumps(row)})
        for label, (name, row) in enumerate(zip(("zappelmann_mass", "liver"), rows, strict=True), 1)
    ]
    result = tmp_path / "named.seg.nrrd"
    with result.open("wb") as stream:
        write_nrrd(stream, [case.liver.astype(np.uint8) + 2 * case.kidney.astype(np.uint8)], GRID, segments)
    for more, is_named in (((), False), (("--with-patient",), True)):
        output = tmp_path / f"sheet{len(more)}.html"
        assert main(["export", str(result), "--reference", str(series), "--to", "review", *more, str(output)]) == 0
        data = data_of(output.with_suffix(".json"))
        assert len(data["remarks"]) == 2 and {row["rule"] for row in data["remarks"]} == {"islands", "seen_by_hand"}
        texts = (output.with_suffix(".json").read_text("utf-8").lower(), html_text(output).lower())
        assert [("zappelmann" in text or "eusebia" in text) for text in texts] == [is_named, is_named]


def test_without_what_was_computed_an_edit_has_no_size(reviewed: Reviewed, tmp_path: Path):
    output = tmp_path / "sheet.json"
    assert main(["export", *reviewed.words, str(output)]) == 0
    data = data_of(output)
    validate(data)
    assert {row["name"] for row in data["structures"] if row["edited"]} == {"liver", "spleen"}
    assert all(row["edit"] is None for row in data["structures"]) and not data["has_computed"] and not data["removed"]
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.json"]


def test_chosen_structures_bring_their_own_remarks_only(reviewed: Reviewed, tmp_path: Path):
    output = tmp_path / "sheet.json"
    words = (*reviewed.words, *reviewed.computed_words, "--structures", "spleen,liver")
    assert main(["export", *words, str(output)]) == 0
    data = data_of(output)
    assert {row["name"] for row in data["structures"]} == {"liver", "spleen"} and data["removed"] == []
    assert {remark["structure"] for remark in data["remarks"]} <= {"liver", "spleen"} and data["remarks"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--to", "review", "sheet.txt"], "EXPORT_SUFFIX"),
        (["--to", "review", "--external", "sheet.pdf"], "EXPORT_FORMAT_MISMATCH"),
        (["--to", "rtstruct", "--with-patient", "rs.dcm"], "EXPORT_FORMAT_MISMATCH"),
        (["--to", "seg", "--computed", "result.seg.nrrd", "seg.dcm"], "EXPORT_FORMAT_MISMATCH"),
        (["--to", "review", "result.review.json"], "OUTPUT_IS_INPUT"),
        (["--to", "review", "--computed", "result.review.json", "sheet2.pdf"], "SEGMENTATION_UNREADABLE"),
    ],
)
def test_what_is_refused(reviewed: Reviewed, monkeypatch, words: list[str], code: str):
    monkeypatch.chdir(reviewed.folder)
    files = {path.name for path in reviewed.folder.iterdir()}
    status = main(["export", "result.seg.nrrd", "--reference", str(reviewed.series), *words])
    assert status == ERRORS[code].exit_code
    assert {path.name for path in reviewed.folder.iterdir()} == files


def test_no_ct_no_sheet(reviewed: Reviewed, tmp_path: Path):
    status = main(["export", str(reviewed.segmentation), "--to", "review", str(tmp_path / "sheet.pdf")])
    assert status == ERRORS["EXPORT_SHEET_NO_CT"].exit_code and not list(tmp_path.iterdir())


def test_a_ct_without_a_patient_and_a_segmentation_that_nobody_checked_before(
    reviewed: Reviewed, tmp_path: Path, capsys
):
    ct, output = tmp_path / "ct.nii.gz", tmp_path / "sheet.html"
    nibabel.save(nibabel.Nifti1Image(reviewed.hu.T, reviewed.grid.ijk_to_ras), ct)
    alone = tmp_path / "alone.seg.nrrd"
    alone.write_bytes(reviewed.segmentation.read_bytes())
    words = ("export", str(alone), "--reference", str(ct), "--to", "review", "--with-patient", str(output))
    assert main(list(words)) == 0
    shown = capsys.readouterr().err
    assert "EXPORT_SHEET_NO_PATIENT" in shown and "EXPORT_SHEET_NOT_CHECKED" not in shown
    data = data_of(output.with_suffix(".json"))
    validate(data)
    assert data["patient"] is None and data["checked_now"]
    assert {remark["rule"] for remark in data["remarks"]} >= {"cut_by_scan"} and len(data["remarks"]) > 10
    assert "nobody has seen" in html_text(output) or "when this sheet was made" in html_text(output)
    assert data["input"]["digest"] == data["input"]["voxel_digest"]


def test_structures_that_the_check_does_not_know_are_not_called_checked(case, capsys):
    """The small case of the export's tests, its structures under other names."""
    table = case.folder / "names.csv"
    table.write_text("label,name\n1,thing\n2,other thing\n", encoding="utf-8")
    labels, output = case.folder / "labels.nii.gz", case.folder / "sheet.pdf"
    array = case.liver.astype(np.uint8) + 2 * case.kidney.astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(array.T, GRID.ijk_to_ras), labels)
    words = ("--reference", str(case.ct), "--to", "review", "--labels", str(table), str(output))
    assert main(["export", str(labels), *words]) == 0
    assert "EXPORT_SHEET_NOT_CHECKED" in capsys.readouterr().err
    data = data_of(output.with_suffix(".json"))
    validate(data)
    assert data["remarks"] is None and data["levels"] is None and not data["checked_now"]
    assert {row["name"] for row in data["structures"]} == {"thing", "other thing"} and data["computations"] == []


def test_the_time_of_a_job_of_two_models_is_said_once(case):
    """And that of another job, whose result was added, with its only model."""
    labels = case.liver.astype(np.uint8) + 2 * case.kidney.astype(np.uint8)
    labels[0, 0, :2] = 3
    jobs = {"liver": ("117-3mm", 45.2), "kidney_right": ("kidney_cysts", 45.2), "spleen": ("104-3mm", 30.0)}
    segments = [
        FileSegment(
            name, name, (0, 99, 0), label, (0,) * 6, 0, provenance_tags(model, "p", "1", {}, None, seconds, "cpu")
        )
        for label, (name, (model, seconds)) in enumerate(jobs.items(), 1)
    ]
    result, output = case.folder / "two-jobs.seg.nrrd", case.folder / "sheet.html"
    with result.open("wb") as stream:
        write_nrrd(stream, [labels], GRID, segments)
    assert main(["export", str(result), "--reference", str(case.ct), "--to", "review", str(output)]) == 0
    text = html_text(output)
    assert text.count("45 s") == 1 and "2 models in one job of 45 s" in text and "in 30 s" in text
    seconds = {each["model"]: each["seconds"] for each in data_of(output.with_suffix(".json"))["computations"]}
    assert seconds == {"117-3mm": 45.2, "kidney_cysts": 45.2, "104-3mm": 30.0}


def test_names_in_other_letters_are_printed_and_nothing_in_them_is_taken_for_html(case):
    names = ("Опухоль", "腫瘍 <b>", "종양", "sehr lange Läsion " * 12)
    voxels = [np.roll(case.liver, number, axis=2) for number in range(len(names))]
    segments = [FileSegment(f"s{n}", name, (0, 99, 0), 1, (0,) * 6, n) for n, name in enumerate(names)]
    result = case.folder / "names.seg.nrrd"
    with result.open("wb") as stream:
        write_nrrd(stream, [each.astype(np.uint8) for each in voxels], GRID, segments)
    for name in ("sheet.pdf", "page.html"):
        words = ("--reference", str(case.ct), "--to", "review", str(case.folder / name))
        assert main(["export", str(result), *words]) == 0
    page = (case.folder / "page.html").read_text(encoding="utf-8")
    assert "腫瘍 &lt;b&gt;" in page and "Опухоль" in page and "종양" in page
    written = (case.folder / "sheet.pdf").read_bytes()
    assert b"HeiseiKakuGo-W5" in written and b"HYGothic-Medium" in written and b"DejaVuSans" in written
    assert [row["name"] for row in data_of(case.folder / "sheet.json")["structures"]] == [n.strip() for n in names]
