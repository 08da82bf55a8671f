"""Folders as archives export them: the one CT is found, several are listed, and anything else does not disturb."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from series_support import (
    SegmentCommand,
    change,
    chest,
    pixels_of,
    series_uid,
    write_page,
    write_pdf_object,
    write_series,
)
from TotalSegmentatorEngine.cli.main import main

LOCALIZER = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}


def clutter(folder: Path) -> None:
    """What lies in any export: nothing of it is a CT."""
    folder.mkdir(parents=True, exist_ok=True)
    write_series(folder, chest(9, 2), "TOPO{:02d}.dcm", SeriesNumber=1, SeriesDescription="Topogram", **LOCALIZER)
    write_page(folder / "DOSE.dcm", Modality="CT", SeriesNumber=501, SeriesDescription="Dose Report")
    write_page(folder / "SC01.dcm", Modality="OT")
    write_pdf_object(folder / "REPORT.dcm")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4 a report")
    for name in ("DICOMDIR", ".DS_Store", "Thumbs.db", "desktop.ini", "readme.txt", "VIEWER.EXE", "index.html"):
        (folder / name).write_bytes(b"something of a viewer " * 20)
    (folder / "empty.txt").write_bytes(b"")


@pytest.mark.parametrize("is_flat", [True, False], ids=["one folder", "a folder for each series"])
def test_the_only_ct_is_chosen_among_everything_else(tmp_path: Path, segment: SegmentCommand, is_flat: bool) -> None:
    root = tmp_path / "export"
    clutter(root if is_flat else root / "others")
    files = write_series(root if is_flat else root / "S0004", chest(), SeriesNumber=4, SeriesDescription="THORAX")
    run = segment(root)
    assert (run.status, run.warnings) == (0, [])
    assert run.note.startswith("8 slices of series 4 THORAX from -100.0 to -86.0 mm; passed over: ")
    assert "4 images of 3 other series" in run.note
    np.testing.assert_array_equal(run.array, pixels_of(files))
    assert np.array_equal(segment(files[5]).array, run.array)  # a file stands for its series


def three_series(root: Path) -> dict[str, list[Path]]:
    """Three CTs, one of which has two phases, with all the clutter."""
    clutter(root / "OTHER")
    first = write_series(
        root / "A" / "1", chest(1), SeriesNumber=2, SeriesDescription="THORAX 1.0", ConvolutionKernel="B31f"
    )
    second = write_series(
        root / "A" / "2", chest(2), SeriesNumber=3, SeriesDescription="THORAX 1.0", ConvolutionKernel="B70f"
    )
    third = write_series(root / "B", chest(3), "IM{}", SeriesNumber=7, SeriesDescription="ABDOMEN")
    phases = {"SeriesNumber": 9, "SeriesDescription": "LIVER dynamic", "SeriesInstanceUID": generate_uid()}
    arterial = write_series(root / "C", chest(4), "A{:02d}", AcquisitionNumber=4, AcquisitionTime="100211", **phases)
    venous = write_series(root / "C", chest(5), "B{:02d}", AcquisitionNumber=5, AcquisitionTime="100302", **phases)
    study = generate_uid()
    for path in (*first, *second, *third, *arterial, *venous):
        change(path, StudyInstanceUID=study)
    shutil.copy(first[3], root / "A" / "1" / "Copy of CT003.dcm")
    shutil.copytree(root / "B", root / "B broken copy")
    for path in (root / "B broken copy").iterdir():
        path.write_bytes(path.read_bytes()[:180])
    return {"1": first, "2": second, "3": third, "4.1": arterial, "4.2": venous}


def test_several_series_and_phases_are_listed_and_chosen(tmp_path: Path, segment: SegmentCommand) -> None:
    root = tmp_path / "export"
    files = three_series(root)
    run = segment(root)
    assert (run.code, run.status) == ("INPUT_SEVERAL_SERIES", 23)
    assert "5 CT series, acquisitions or phases" in run.err
    assert run.rows == list(files)
    lines = {line.split()[0]: line for line in run.err.splitlines() if line and line[0].isdecimal()}
    assert "2 THORAX 1.0" in lines["1"] and "B31f" in lines["1"] and "B70f" in lines["2"]
    assert "acquisition 4" in lines["4.1"] and "acquired at 10:02:11" in lines["4.1"]
    assert all(line.split()[-4:] == ["8", "-100.0", "-86.0", "2.00"] for line in lines.values())
    for row, own in files.items():
        chosen = segment(root, "--series", row)
        assert chosen.status == 0, row
        np.testing.assert_array_equal(chosen.array, pixels_of(own))
    by_uid = segment(root, "--series", series_uid(files["3"][0]))
    np.testing.assert_array_equal(by_uid.array, pixels_of(files["3"]))


def test_a_series_with_parts_is_no_choice_unless_they_fit_together(tmp_path: Path, segment: SegmentCommand) -> None:
    files = three_series(tmp_path / "export")
    for name in ("4", series_uid(files["4.1"][0])):
        run = segment(tmp_path / "export", "--series", name)
        assert (run.code, run.rows) == ("INPUT_SEVERAL_SERIES", ["4.1", "4.2"])
    run = segment(files["4.2"][0])  # numbered within the folder of the file
    assert (run.code, run.rows) == ("INPUT_SEVERAL_SERIES", ["1.1", "1.2"])
    np.testing.assert_array_equal(segment(files["4.1"][0], "--series", "1.2").array, pixels_of(files["4.2"]))


def test_a_choice_that_is_not_there_is_answered_by_the_list(tmp_path: Path, segment: SegmentCommand) -> None:
    three_series(tmp_path / "export")
    for name in ("8", "4.3", "1.2.840.1"):
        run = segment(tmp_path / "export", "--series", name)
        assert (run.code, run.rows) == ("INPUT_SERIES_UNKNOWN", ["1", "2", "3", "4.1", "4.2"])


def test_the_order_of_the_list_does_not_depend_on_file_names(tmp_path: Path, segment: SegmentCommand) -> None:
    files = three_series(tmp_path / "export")
    before = segment(tmp_path / "export").err
    for number, path in enumerate(path for own in reversed(files.values()) for path in own):
        path.rename(path.with_name("{:05d}".format(number)))
    (tmp_path / "export" / "A").rename(tmp_path / "export" / "Z")
    after = segment(tmp_path / "export").err
    assert [line for line in before.splitlines() if line[:1].isdecimal()] == [
        line for line in after.splitlines() if line[:1].isdecimal()
    ]


def test_a_patient_is_never_named(tmp_path: Path, segment: SegmentCommand) -> None:
    root = tmp_path / "export"
    for number in (1, 2):
        write_series(
            root,
            chest(number),
            "S" + str(number) + "-{:03d}.dcm",
            SeriesNumber=number,
            SeriesDescription="MILLER\nTHORAX 4711007 {}".format(number),
            PatientName="Miller^Anna",
            PatientID="4711007",
        )
    log, events = tmp_path / "log.txt", tmp_path / "events.jsonl"
    refused = segment(root, "--log", str(log), "--events", str(events))
    chosen = segment(root, "--series", "2", "--log", str(log), "--events", str(events))
    assert refused.rows == ["1", "2"] and chosen.status == 0
    said = refused.err + chosen.err + log.read_text() + events.read_text()
    assert "THORAX" in refused.err
    assert not any(word in said.lower() for word in ("miller", "anna", "4711007"))


def test_plan_prints_json_alone_and_the_note_beside_it(tmp_path: Path, monkeypatch, capsys) -> None:
    files = three_series(tmp_path / "export")
    from series_support import SegmentCommand
    from TotalSegmentatorEngine.pipeline import run_job
    from TotalSegmentatorWire.messages.plan import Plan

    SegmentCommand(tmp_path, monkeypatch, capsys)
    plan = Plan(["fake"], {"fake": "nnunet"}, "cpu", "eager", "exact", [], None, 1, None)
    planned = []
    monkeypatch.setattr("TotalSegmentatorEngine.cli.main.plan_page", lambda plan: "page")
    monkeypatch.setattr(run_job, "plan", lambda volume, prepared: planned.append(volume) or plan)
    monkeypatch.setattr("command_line_support.FakeModel.warnings", (), raising=False)
    words = ["plan", str(tmp_path / "export"), "--model", "m"]
    assert main([*words, "--series", "3", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["models"] == ["fake"]
    assert "CT: 8 slices of series 7 ABDOMEN" in printed.err
    np.testing.assert_array_equal(planned[0].array, pixels_of(files["3"]))
    assert main([*words, "--json"]) == 23
    printed = capsys.readouterr()
    assert printed.out == "" and "4.2" in printed.err


def test_a_folder_without_images_an_archive_and_an_unknown_file(tmp_path: Path, segment: SegmentCommand) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert segment(empty).code == "INPUT_NO_IMAGES"
    (empty / "notes.txt").write_text("nothing")
    run = segment(empty)
    assert run.code == "INPUT_NO_IMAGES" and "other kinds: 1" in run.err
    write_series(tmp_path / "ct", chest())
    archives = [shutil.make_archive(str(tmp_path / "ct"), kind, tmp_path / "ct") for kind in ("zip", "tar", "gztar")]
    assert [segment(Path(path)).code for path in archives] == ["INPUT_ARCHIVE"] * 3
    (tmp_path / "ct.docx.txt").write_text("words " * 100)
    run = segment(tmp_path / "ct.docx.txt")
    assert run.code == "INPUT_FORMAT_UNKNOWN" and ".txt" in run.err
    assert segment(tmp_path / "ct.docx.txt", "--series", "1").code == "INPUT_SERIES_UNKNOWN"


def test_links_in_a_circle_and_pipes_do_not_hang(tmp_path: Path, segment: SegmentCommand) -> None:
    import os

    root = tmp_path / "export"
    files = write_series(root / "a" / "b", chest())
    (root / "a" / "b" / "up").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    os.mkfifo(root / "pipe.dcm")
    run = segment(root)
    assert run.status == 0
    np.testing.assert_array_equal(run.array, pixels_of(files))


@pytest.mark.parametrize("syntax", ["implicit", "explicit"])
def test_files_without_a_preamble_are_recognised(tmp_path: Path, segment: SegmentCommand, syntax: str) -> None:
    files = write_series(tmp_path / "ct", chest())
    expected = pixels_of(files)
    for path in files:
        dataset = pydicom.dcmread(path)
        dataset.file_meta, dataset.preamble = pydicom.dataset.FileMetaDataset(), None
        with path.open("wb") as stream:
            pydicom.filewriter.dcmwrite(
                stream, dataset, implicit_vr=syntax == "implicit", little_endian=True, enforce_file_format=False
            )
        assert path.read_bytes()[:4] == b"\x08\x00\x08\x00"
    run = segment(tmp_path / "ct")
    assert run.status == 0, run.err
    np.testing.assert_array_equal(run.array, expected)
    files[7].rename(tmp_path / "ct" / "the last one, without any ending")
    np.testing.assert_array_equal(segment(tmp_path / "ct").array, expected)


@pytest.mark.parametrize("name", ["a/CT000.dcm", "b/CT005.dcm"])
def test_a_file_stands_for_its_series_in_the_folders_beside_its_own(
    tmp_path: Path, segment: SegmentCommand, name: str
) -> None:
    root = tmp_path / "disc"
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
    files = write_series(root, chest())
    moved = [path.rename(root / ("a" if number < 5 else "b") / path.name) for number, path in enumerate(files)]
    write_series(root / "c", chest(2))
    run = segment(root / name)
    assert run.note.startswith("8 slices"), run.err
    np.testing.assert_array_equal(run.array, pixels_of(moved))


@pytest.mark.parametrize("name", ["part2/CT006.dcm", "CT000.dcm"])
def test_a_file_stands_for_its_series_in_the_folder_above(tmp_path: Path, segment: SegmentCommand, name: str) -> None:
    files = write_series(tmp_path / "ct", chest())
    (tmp_path / "ct" / "part2").mkdir()
    for path in files[5:]:
        path.rename(tmp_path / "ct" / "part2" / path.name)
    assert segment(tmp_path / "ct" / name).array.shape == (8, 16, 18)


def test_series_of_several_patients_and_days_are_told_apart_without_names(
    tmp_path: Path, segment: SegmentCommand
) -> None:
    for number, (patient, day) in enumerate([("Meier", "20250102"), ("Meier", "20260203"), ("Schulz", "20260203")]):
        write_series(
            tmp_path / "ct" / str(number), chest(number), PatientID=patient, StudyDate=day, SeriesDescription="CT"
        )
    run = segment(tmp_path / "ct")
    assert run.rows == ["1", "2", "3"]
    assert "patient 1, study of 20250102" in run.err and "patient 2, study of 20260203" in run.err
    assert "Meier" not in run.err and "Schulz" not in run.err


def test_images_that_watch_the_contrast_medium_are_no_ct(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    write_series(
        tmp_path / "ct",
        chest(3, 12),
        "MON{:02d}.dcm",
        AcquisitionNumber=lambda n: n + 2,
        ImagePositionPatient=[-20, -20, -95],
    )
    run = segment(tmp_path / "ct")
    assert run.status == 0, run.err
    assert "12 images of 1 other series" in run.note
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_copies_in_the_folder_beside_do_not_disturb_a_file(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "disc" / "a", chest())
    shutil.copytree(tmp_path / "disc" / "a", tmp_path / "disc" / "windowed")
    for path in (tmp_path / "disc" / "windowed").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PixelData = bytes(len(dataset.PixelData))
        dataset.save_as(path)
    (tmp_path / "disc" / "0 link").symlink_to(tmp_path / "disc" / "a")
    for path in (files[0], tmp_path / "disc" / "0 link" / "CT003.dcm"):
        run = segment(path)
        assert run.note == "8 slices from -100.0 to -86.0 mm", run.err
        np.testing.assert_array_equal(run.array, pixels_of(files))
    assert segment(tmp_path / "disc").code == "INPUT_SEVERAL_SERIES"
