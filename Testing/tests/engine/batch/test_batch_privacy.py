"""No file of a run but the one that is meant for it names a patient, a study, a series or a path."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import numpy as np
import pydicom
import pytest
from batch_bench import PATIENT, BatchBench, BatchRun

FOLDER = "Mustermann_Erika_19751224/Thorax-Kontrolle"
ATTRIBUTES = {
    "PatientName": PATIENT,
    "PatientID": "KH-4711-0815",
    "PatientBirthDate": "19751224",
    "StudyDate": "20240229",
    "SeriesDate": "20240229",
    "AcquisitionDate": "20240229",
    "AccessionNumber": "ACC-990017",
    "StudyDescription": "Verlaufskontrolle Bronchialkarzinom",
    "SeriesDescription": "Thorax Lungenfenster",
    "InstitutionName": "Klinikum Musterstadt",
    "ReferringPhysicianName": "Hausarzt^Ottokar",
}


def identifiers(folder: Path) -> set[str]:
    """All texts and UIDs of the series that tell whose it is, in whole and in words, and the parts of its path."""
    found = set()
    for path in folder.glob("*.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        found |= {str(header[name].value) for name in ATTRIBUTES}
        found |= {str(each.value) for each in header if each.VR == "UI" and each.keyword != "SOPClassUID"}
        found.add(path.name)
    words = {word for text in found for word in re.split(r"[\^\s_/-]", text) if len(word) > 3 and not word.isdigit()}
    return found | words | set(FOLDER.split("/")) | {"Mustermann_Erika", str(folder)}


def texts_of(run: BatchRun) -> dict[str, str]:
    """Of all files that are not private and are no DICOM, with their names."""
    return {
        str(path.relative_to(run.folder)): str(path.relative_to(run.folder)) + path.read_bytes().decode("latin-1")
        for path in run.folder.rglob("*")
        if path.is_file() and "private" not in path.parts and path.suffix != ".dcm"
    }


def found_in(run: BatchRun, words: set[str]) -> set[tuple[str, str]]:
    return {
        (name, word) for name, text in texts_of(run).items() for word in words if word.casefold() in text.casefold()
    }


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_no_file_but_the_private_one_names_anything(bench: BatchBench, outcome: str) -> None:
    folder = bench.dicom(FOLDER, seed=1, slices=6, **ATTRIBUTES)
    if outcome == "failed":
        (folder / "CT003.dcm").unlink()
    bench.output.mkdir()
    run = bench("--export", "rtstruct,volumes,review", "--log", bench.output / "run.txt")
    assert next(iter(run.outcomes.values())).state == outcome
    words = identifiers(folder)
    assert {PATIENT, "Erika", "Klinikum", "Hausarzt", "KH-4711-0815"} <= words
    assert len(texts_of(run)) > 3 and found_in(run, words) == set()
    (row,) = run.inputs
    assert (row["path"], row["patient_name"], row["study_date"]) == (str(folder), "", "")
    assert row["series"] == str(pydicom.dcmread(folder / "CT000.dcm").SeriesInstanceUID)


def test_what_an_unforeseen_error_quotes_is_removed(bench: BatchBench) -> None:
    folder = bench.dicom(FOLDER, seed=1, **ATTRIBUTES)

    quoted = "{PatientName} ({PatientID}) of {InstitutionName}".format(**ATTRIBUTES)  # not in the source of a frame

    def quote(array: np.ndarray) -> None:
        raise ValueError(f"cannot convert {quoted} in {next(folder.iterdir())}")

    bench.on_segment = quote
    run = bench()
    assert run.codes == ["INTERNAL_ERROR"] and found_in(run, identifiers(folder)) == set()
    ((case_id, _),) = run.outcomes.items()
    log = (run.folder / case_id / "log.txt").read_text(encoding="utf-8")
    assert "ValueError: cannot convert <name>" in log and "in segment" in log  # the stack of calls is whole


def test_names_are_kept_where_that_is_wanted_in_the_private_file(bench: BatchBench) -> None:
    folder = bench.dicom(FOLDER, seed=1, **ATTRIBUTES)
    run = bench("--keep-names", "--export", "volumes,review")
    (row,) = run.inputs
    assert (row["patient_name"], row["patient_id"], row["study_date"]) == (PATIENT, "KH-4711-0815", "20240229")
    assert row["series_description"] == "Thorax Lungenfenster"
    names = identifiers(folder) - {row["series"]}  # the table may have it, to be joined with others
    assert found_in(run, names) == set()


def test_folders_and_the_private_file_are_readable_by_the_user_alone(bench: BatchBench) -> None:
    bench.dicom("a", seed=1)
    run = bench()
    folders = [run.folder, *(path for path in run.folder.rglob("*") if path.is_dir())]
    assert len(folders) == 3 and {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert stat.S_IMODE((run.folder / "private" / "inputs.csv").stat().st_mode) == 0o600


def test_a_folder_that_others_share_keeps_its_mode(bench: BatchBench) -> None:
    bench.dicom("a", seed=1)
    bench.output.mkdir(mode=0o755)
    bench.output.chmod(0o755)
    (bench.output / "private").mkdir()
    (bench.output / "private").chmod(0o755)
    (bench.output / "job-17.out").write_text("started", encoding="utf-8")
    run = bench()
    assert run.status == 0 and stat.S_IMODE(bench.output.stat().st_mode) == 0o755
    assert stat.S_IMODE((bench.output / "private").stat().st_mode) == 0o700


def test_each_log_is_that_of_its_own_ct(bench: BatchBench) -> None:
    bench.dicom("a", seed=1, slices=4)
    bench.dicom("b", seed=2, slices=5)
    run = bench()
    sizes = set()
    for case_id in run.outcomes:
        log = (run.folder / case_id / "log.txt").read_text(encoding="utf-8")
        sizes |= set(re.findall(r"CT of (\d+) x 16 x 18", log))
        assert log.count("CT of") == 1
    assert sizes == {"4", "5"}
