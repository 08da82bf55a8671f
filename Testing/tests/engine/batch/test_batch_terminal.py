"""What a run says: on a terminal the progress of the present CT, elsewhere a line a CT; at its end a summary."""

from __future__ import annotations

import json
import re
import sys

import pytest
from batch_bench import BatchBench
from TotalSegmentatorEngine.batch import commands
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.errors.problem import ERRORS


@pytest.fixture
def folder(bench: BatchBench) -> BatchBench:
    bench.dicom("a", seed=1)
    bench.image("b.nii.gz", seed=2)
    missing = bench.dicom("c", seed=3, slices=8)
    (missing / "CT004.dcm").unlink()
    return bench


def test_a_line_for_each_ct_and_a_summary(folder: BatchBench) -> None:
    run = folder("--export", "rtstruct")
    lines = re.findall(r"^(\d) of 3  ([0-9a-f]{12}) +([\d.]+) s  (.*)  (\S+)$", run.err, re.MULTILINE)
    assert [line[0] for line in lines] == ["1", "2", "3"] and {line[1] for line in lines} == set(run.outcomes)
    said = {path.rpartition("/")[2]: what for _, _, _, what, path in lines}
    assert said["a"].startswith("2 structures, 0 wrong?, 0 to check, 1 cut by the scan")
    assert "BATCH_EXPORT_NOT_DICOM" in said["b.nii.gz"] and said["c"] == "error INPUT_MISSING_SLICES"
    assert "%" not in run.err and run.err.startswith("3 CTs found\n")
    assert re.match(r"2 CTs segmented, 0 done before, 1 failed, in \d+ s\.\n  1  INPUT_MISSING_SLICES: ", run.out)
    assert run.out.endswith(f"Written: {run.folder}\n")
    again = folder("--export", "rtstruct")
    assert "error INPUT_MISSING_SLICES (before)" in again.err and len(again.err.splitlines()) == 2


def test_records_of_a_newer_version(bench: BatchBench) -> None:
    """A code that this version does not know is said as it is; a record that it cannot read is not overwritten."""
    series = bench.dicom("a", seed=1, slices=8)
    (series / "CT004.dcm").unlink()
    record = bench.output / bench().outcome_of(series).id / "done.json"
    record.write_text(
        record.read_text(encoding="utf-8").replace("INPUT_MISSING_SLICES", "INPUT_TOO_NEW"), encoding="utf-8"
    )
    run = bench()
    assert run.status == 1 and "\n  1  INPUT_TOO_NEW: A code of another version" in run.out
    newer = json.dumps({"version": 1000, "slices": "missing"})
    record.write_text(newer, encoding="utf-8")
    words = ["batch", bench.inputs, "--output", bench.output, "--model", bench.model, "--accept-size"]
    assert main([str(word) for word in words]) == ERRORS["BATCH_RECORD_DAMAGED"].exit_code
    assert record.read_text(encoding="utf-8") == newer


def test_on_a_terminal_the_progress_names_the_ct(folder: BatchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(commands, "LOOKING_PAUSE_SECONDS", 0.0)
    run = folder()
    assert run.err.startswith("\rlooking for CTs: 1 files\rlooking for CTs: 2 files")
    assert re.search(r"\r1 of 3 +\d+% reading the CT", run.err)
    assert re.search(r"\n?3 of 3  [0-9a-f]{12}", run.err) and run.status == 1


def test_exports_of_a_ct_that_is_no_dicom(bench: BatchBench) -> None:
    """It is segmented all the same, and its record says what could not be written."""
    image = bench.image("a.nii.gz", seed=1)
    series = bench.dicom("b", seed=2)
    run = bench("--export", "review,sr,rtstruct,volumes,seg")
    assert run.status == 0
    assert run.outcome_of(image).exports == {"volumes": "volumes.csv", "review": "review.html"}
    assert "BATCH_EXPORT_NOT_DICOM" in run.outcome_of(image).warnings
    exports = run.outcome_of(series).exports
    assert set(exports) == {"rtstruct", "seg", "sr", "volumes", "review"}
    folder = run.folder / run.outcome_of(series).id
    assert all((folder / name).stat().st_size > 0 for name in exports.values())
    assert not (folder / "sr.seg.dcm").exists()  # the report refers to seg.dcm


def test_an_export_that_fails_keeps_the_others(bench: BatchBench) -> None:
    series = bench.dicom("a", seed=1, SOPInstanceUID="1.2.3.4")
    run = bench("--export", "rtstruct,volumes")
    outcome = run.outcome_of(series)
    assert (run.status, outcome.state, set(outcome.exports)) == (1, "failed", {"volumes"})
    assert outcome.error.code.startswith("EXPORT_") and len(outcome.structures) == 2
    assert (run.folder / outcome.id / "segmentation.seg.nrrd").exists()


def test_nothing_found_is_nothing_to_export(bench: BatchBench) -> None:
    image = bench.image("a.nii.gz", seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batch_bench.LIVER_HU", 5000)
        patch.setattr("batch_bench.SPLEEN_HU", 5000)
        run = bench("--export", "volumes,review")
    outcome = run.outcome_of(image)
    assert (run.status, outcome.state, outcome.exports, outcome.warnings) == (0, "done", {}, ("BATCH_EXPORT_EMPTY",))
