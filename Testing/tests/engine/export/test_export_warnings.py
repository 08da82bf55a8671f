"""The command export's warnings: they name the structures, and none is left where the export is refused."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from export_case import GRID, Case, error_code
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.errors.export_errors import EXPORT_ERRORS, EXPORT_WARNINGS
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.errors.selection_warnings import SELECTION_WARNINGS
from TotalSegmentatorWire.messages.export import EXPORT_EVENTS
from TotalSegmentatorWire.messages.segment import WarningEvent, decode


def run(case: Case, folder: Path, *words: object) -> tuple[int, dict[str, str], list[str]]:
    """Exit status, the sentence of each warning by its code, and the codes of all other ends."""
    events = folder / "events.jsonl"
    events.unlink(missing_ok=True)
    status = case.run(*words, "--events", events)
    told = [decode(line, EXPORT_EVENTS) for line in events.read_text(encoding="ascii").splitlines()]
    warnings = [event.problem for event in told if isinstance(event, WarningEvent)]
    failures = [event.problem["code"] for event in told if event.KIND == "failed"]
    return status, {problem["code"]: problem["what"] for problem in warnings}, failures


def test_no_sentence_counts_structures_without_naming_them():
    """Contours, files, and label values without a name have no names."""
    contours = {"CONTOURS_WITHOUT_STRUCTURE", "CONTOURS_OFF_PLANE"}
    nameless = contours | {"EXPORT_LABELS_UNNAMED", "EXPORT_FILES_MISSING"}
    tables = EXPORT_WARNINGS | SELECTION_WARNINGS | EXPORT_ERRORS
    counting = {code for code, sentence in tables.items() if "{count}" in sentence.what}
    assert nameless <= counting
    assert {code for code in counting if "{names}" not in tables[code].what} == nameless


def test_every_warning_names_its_structures(case: Case, tmp_path: Path):
    case.segmentation = case.write("reviewed.seg.nrrd", liver="edited", kidney_right="needs-attention")
    names = tmp_path / "template.json"
    entries = ["liver", "kidney_right", {"source": "My tumour", "name": "Boost"}, "spleen"]
    names.write_text(json.dumps({"version": 1, "structures": entries}))
    status, told, _ends = run(case, tmp_path, "--to", "rtstruct", "--template", names, tmp_path / "rs.dcm")
    assert status == 0
    assert "names: Kidney~_R." in told["EXPORT_CUT"]
    assert "attention: Kidney~_R." in told["EXPORT_NEEDS_ATTENTION"]
    assert "approved: Liver, Boost. Not reviewed: 1, edited: 1." in told["EXPORT_UNREVIEWED"]
    assert "segmentation: spleen." in told["EXPORT_TEMPLATE_ABSENT"]


def test_names_that_changed_are_shown_before_and_after(case: Case, tmp_path: Path):
    segments = [
        FileSegment(f"Segment_{number}", name, (200, 0, 0), 1, (0,) * 6, number - 1)
        for number, name in ((1, "boost of the tumour left"), (2, "Boost"), (3, "boost"))
    ]
    layers = [mask.astype(np.uint8) for mask in (case.liver, case.tumour, case.liver)]
    case.segmentation = tmp_path / "named.seg.nrrd"
    with case.segmentation.open("wb") as stream:
        write_nrrd(stream, layers, GRID, segments)
    status, told, _ends = run(case, tmp_path, "--to", "rtstruct", tmp_path / "rs.dcm")
    assert status == 0
    assert "boost of the tumour left as boost of th left, boost as boost_2." in told["EXPORT_NAMES_CHANGED"]
    written = [item.ROIName for item in pydicom.dcmread(tmp_path / "rs.dcm").StructureSetROISequence]
    assert written == ["boost of th left", "Boost", "boost_2"]


def test_resampled_structures_are_named(case: Case, tmp_path: Path):
    matrix = GRID.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, 0] * 0.4
    case.segmentation = tmp_path / "shifted.seg.nrrd"
    with case.segmentation.open("wb") as stream:
        segment = FileSegment("liver", "liver", (221, 130, 101), 1, (0,) * 6, 0)
        write_nrrd(stream, [case.liver.astype(np.uint8)], Geometry(GRID.shape, matrix), [segment])
    status, told, _ends = run(case, tmp_path, "--to", "seg", tmp_path / "seg.dcm")
    assert status == 0 and "slightly: Liver." in told["EXPORT_RESAMPLED"]


def test_structures_that_are_islands_only_are_named_and_counted_nowhere_else(case: Case, tmp_path: Path, capsys):
    case.tumour[:] = False
    case.tumour[4, 2, 2:4] = True  # 2 pixels of 0.81 mm²
    case.liver[2, 4, 4] = True
    case.segmentation = case.write("islands.seg.nrrd")
    words = ("--to", "rtstruct", "--smallest-island", "3")
    status, told, _ends = run(case, tmp_path, *words, tmp_path / "rs.dcm")
    assert status == 0 and "2 structures exported" in capsys.readouterr().out
    assert "exported: My tumour." in told["EXPORT_ISLANDS_ONLY"]
    assert "(1, 0.00 ml) from: Liver." in told["EXPORT_ISLANDS_REMOVED"]
    assert "tumour" not in told["EXPORT_UNREVIEWED"] and "Not reviewed: 2" in told["EXPORT_UNREVIEWED"]
    status, told, ends = run(case, tmp_path, *words, "--structures", "My tumour", tmp_path / "only.dcm")
    assert (status, told, ends) == (ERRORS["EXPORT_NO_CONTOURS"].exit_code, {}, ["EXPORT_NO_CONTOURS"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--to", "seg", "--encoding", "labelmap"), "EXPORT_OVERLAP"),
        (("--to", "rtstruct", "--external"), "EXPORT_NO_BODY"),
    ],
)
def test_no_warning_follows_a_refusal(case: Case, tmp_path: Path, words, code: str, capsys):
    """The same order without what is refused has several."""
    if code == "EXPORT_NO_BODY":
        for path in case.ct.iterdir():
            dataset = pydicom.dcmread(path)
            dataset.PixelData = np.full((dataset.Rows, dataset.Columns), -1000, np.int16).tobytes()
            dataset.save_as(path)
    status, told, ends = run(case, tmp_path, *words, tmp_path / "out.dcm")
    assert (status, told, ends) == (ERRORS[code].exit_code, {}, [code])
    assert "warning" not in capsys.readouterr().err
    status, told, _ends = run(case, tmp_path, *words[:2], tmp_path / "out.dcm")
    assert status == 0 and {"EXPORT_CUT", "EXPORT_UNREVIEWED"} <= set(told)


def test_a_series_that_was_written_for_nothing_is_not_announced(case: Case, tmp_path: Path, capsys):
    image = tmp_path / "ct.nii.gz"
    nibabel.Nifti1Image(np.full(GRID.shape[::-1], 40, np.int16), GRID.ijk_to_ras).to_filename(image)
    words = ["export", case.segmentation, "--reference", image, "--to", "seg", "--encoding", "labelmap"]
    assert main([*map(str, words), str(tmp_path / "out")]) == ERRORS["EXPORT_OVERLAP"].exit_code
    assert not (tmp_path / "out").exists()
    printed = capsys.readouterr()
    assert "warning" not in printed.err and "EXPORT_OVERLAP" in printed.err


def test_warnings_of_reading_explain_a_refusal_of_reading_only(case: Case, tmp_path: Path, capsys):
    """A structure set whose only structure cannot be read says why; where the export is refused, it does not matter."""
    assert case.run("--to", "rtstruct", "--structures", "liver,My tumour", tmp_path / "rs.dcm") == 0
    dataset = pydicom.dcmread(tmp_path / "rs.dcm")
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourData = [
            value + (200 if number % 3 == 0 else 0) for number, value in enumerate(contour.ContourData)
        ]
    dataset.save_as(tmp_path / "outside.dcm")
    case.segmentation = tmp_path / "outside.dcm"
    status, told, _ends = run(case, tmp_path, "--to", "rtstruct", tmp_path / "again.dcm")
    assert status == 0 and "STRUCTURES_OUTSIDE_CT" in told
    status, told, ends = run(case, tmp_path, "--to", "rtstruct", "--structures", "liver", tmp_path / "liver.dcm")
    assert (told, ends) == ({}, ["EXPORT_STRUCTURE_LEFT_OUT"])
    del dataset.ROIContourSequence[1], dataset.StructureSetROISequence[1], dataset.RTROIObservationsSequence[1]
    dataset.save_as(tmp_path / "outside.dcm")
    status, told, ends = run(case, tmp_path, "--to", "rtstruct", tmp_path / "none.dcm")
    assert status != 0 and set(told) == {"STRUCTURES_OUTSIDE_CT"} and error_code(capsys) == ends[0]
