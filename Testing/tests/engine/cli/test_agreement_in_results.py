"""What a check of approximate labels found goes with the result: terminal, JSON, events, files, exports, sheet."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pydicom
import pytest
from agreements import GOOD, LOW
from command_line_support import events_of
from reviewed_result import validate
from sheet_support import html_text, pdf_texts
from TotalSegmentatorEngine import SegmentationWarning
from TotalSegmentatorEngine import segment as segment_in_python
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorWire.messages.agreement import agreement_from_json
from TotalSegmentatorWire.messages.options import JobOptions


@pytest.fixture
def approximate(tasks: list, monkeypatch: pytest.MonkeyPatch) -> list:
    """The stand-in's labels are approximate, and GOOD; the tasks that were prepared."""
    exact = pipeline.segment

    def segment(*arguments):
        return dataclasses.replace(exact(*arguments), agreement=GOOD)

    monkeypatch.setattr(pipeline, "segment", segment)
    return tasks


def test_the_terminal_says_how_well_the_labels_agree(tmp_path, ct, approximate, capsys):
    assert main(["segment", str(ct), str(tmp_path / "a.nrrd"), "--model", "m"]) == 0
    said = capsys.readouterr().out
    assert "exact ones in 99.4 % (99.0 to 99.7 %)" in said and "reduced precision" in said
    assert "spleen, 97.0 % (94.0 to 98.5 %)" in said and "4 of 120 tiles" in said


def test_the_terminal_says_how_to_get_exact_labels_where_too_few_agree(tmp_path, ct, approximate, capsys, monkeypatch):
    exact = pipeline.segment
    monkeypatch.setattr(pipeline, "segment", lambda *each: dataclasses.replace(exact(*each), agreement=LOW))
    assert main(["segment", str(ct), str(tmp_path / "a.nrrd"), "--model", "m"]) == 0
    assert "--precision exact --crop whole" in capsys.readouterr().out


def test_exact_labels_need_no_word(tmp_path, ct, tasks, capsys):
    assert main(["segment", str(ct), str(tmp_path / "a.seg.nrrd"), "--model", "m"]) == 0
    assert "%" not in capsys.readouterr().out
    assert b"Agreement" not in (tmp_path / "a.seg.nrrd").read_bytes()[:4000]


def test_programs_get_it_as_json_and_in_the_last_event(tmp_path, ct, approximate, capsys):
    events = tmp_path / "events.jsonl"
    words = ["segment", ct, tmp_path / "a.nrrd", "--model", "m", "--review", "--json", "--events", events]
    assert main(list(map(str, words))) == 0
    said = json.loads(capsys.readouterr().out)
    assert agreement_from_json(said["agreement"]) == GOOD
    assert [each["name"] for each in said["structures"]] == ["spleen"] and said["absent"] == ["liver"]
    assert said["review"]["flags"][0]["rule"] == "cut_by_scan" and said["options"]["precision"] == "exact"
    assert agreement_from_json(events_of(events)[-1].agreement) == GOOD


def test_it_goes_with_the_file_into_dicom(tmp_path: Path, ct: Path, approximate: list):
    made = tmp_path / "a.seg.nrrd"
    assert main(["segment", str(ct), str(made), "--model", "m"]) == 0
    for to in ("rtstruct", "seg"):
        assert main(["export", str(made), str(tmp_path / to), "--to", to, "--reference", str(ct)]) == 0
    contours = read_dicom(tmp_path / "rtstruct", "RTSTRUCT")
    assert "99.4 % (99.0 to 99.7 %)" in contours.StructureSetDescription
    (segment,) = read_dicom(tmp_path / "seg", "SEG").SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert "foreground=0.994:0.99:0.997" in algorithm.AlgorithmParameters


def test_the_sheet_says_it_on_paper_for_browsers_and_as_data(tmp_path: Path, ct: Path, approximate: list):
    for name in ("sheet.pdf", "page.html"):
        words = ["segment", str(ct), str(tmp_path / name), "--model", "m", "--export", "review"]
        assert main(words) == 0
        data = json.loads((tmp_path / name).with_suffix(".json").read_text(encoding="utf-8"))
        validate(data)
        (computation,) = data["computations"]
        assert agreement_from_json(computation["agreement"]).foreground == GOOD.foreground
    for said in (" ".join(pdf_texts(tmp_path / "sheet.pdf")), html_text(tmp_path / "page.html")):
        assert "99.4 % (99.0 to 99.7 %)" in " ".join(said.split())


def test_its_options_reach_the_job_from_every_command_line(tmp_path: Path, ct: Path, approximate: list):
    options = ["--model", "m", "--no-self-check", "--least-agreement", "0.95", "--crop", "whole"]
    assert main(["segment", str(ct), str(tmp_path / "a.nrrd"), *options]) == 0
    assert approximate[-1].options == JobOptions(self_check=False, least_agreement=0.95, crop="whole")
    with pytest.raises(SystemExit) as ended:
        main(["segment", str(ct), str(tmp_path / "a.nrrd"), "--model", "m", "--least-agreement", "98"])
    assert ended.value.code == 2


def test_plain_python_has_it(ct, approximate):
    with pytest.warns(SegmentationWarning, match="demo model") as warned:
        made = segment_in_python(ct, model="m", self_check=True, least_agreement=0.9)
    assert str(pickle.loads(pickle.dumps(warned[0].message))) == str(warned[0].message)
    assert made.agreement == GOOD and approximate[-1].options.least_agreement == 0.9


def read_dicom(folder: Path, modality: str) -> pydicom.Dataset:
    """The object of that modality: the CT, which was no DICOM, is beside it."""
    datasets = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    return next(dataset for dataset in datasets if dataset.Modality == modality)
