"""A full disk is reported before the job, a result that cannot be written is kept elsewhere, and the input stays."""

from __future__ import annotations

import errno
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import ct_variants
import numpy as np
import pytest
from command_line_support import GRID, result_with_a_spleen
from hu_models import make_hu_model
from places import DEMO_MODEL
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.job import result_file
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError

SHAPE = (8, 20, 24)


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    hu = np.full(SHAPE, -1000, np.int16)
    hu[1:7, 3:17, 3:20] = 40
    folder = tmp_path / "in"
    folder.mkdir()
    return ct_variants.write_image(folder / "ct.nii.gz", hu, GRID)


@pytest.fixture
def segmented(monkeypatch) -> list[str]:
    """Stands for the networks; notes each call."""
    calls: list[str] = []

    def found(volume, prepared, _cache, _reporter, _on_preview=None) -> SegmentationResult:
        calls.append("segment")
        return result_with_a_spleen(volume, prepared)

    monkeypatch.setattr(pipeline, "segment", found)
    monkeypatch.setattr(pipeline, "prefetch_weights", lambda *_args: None)
    return calls


@pytest.fixture
def places(tmp_path: Path, monkeypatch) -> SimpleNamespace:
    """Folders of a user; the disks of those in ``full`` have no room, of those in ``nearly_full`` just for a file."""
    made = SimpleNamespace(out=tmp_path / "out", temporary=tmp_path / "tmp", home=tmp_path / "home")
    made.full, made.nearly_full = set(), set()
    for folder in (made.out, made.temporary, made.home):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(made.temporary))
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("USERPROFILE", str(made.home))
    real = shutil.disk_usage

    def usage(path):
        is_full = any(folder == Path(path) or folder in Path(path).parents for folder in made.full)
        return SimpleNamespace(free=0, total=1, used=1) if is_full else real(path)

    def write(stream, *arguments):
        if any(folder in Path(stream.name).parents for folder in made.full - made.nearly_full):
            raise OSError(errno.ENOSPC, "no space left on device")
        return real_write(stream, *arguments)

    real_write = result_file.write_nrrd
    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(result_file, "write_nrrd", write)
    return made


def segment(ct: Path, output: Path, *options: str) -> int:
    return main(["segment", str(ct), str(output), "--model", str(DEMO_MODEL), "--device", "cpu", *options])


def kept_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# -- a full disk -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "export"),
    [
        ("rs", "rtstruct"),
        ("seg", "seg"),
        ("m", "sr"),
        ("l.nii.gz", "nifti"),
        ("l.nrrd", "nrrd"),
        ("stl", "stl"),
        ("v.csv", "volumes"),
    ],
)
def test_a_full_disk_is_reported_before_the_job(ct, segmented, places, capsys, name: str, export: str):
    places.full.add(places.out)
    assert segment(ct, places.out / name, "--export", export) == ERRORS["DISK_FULL"].exit_code
    assert "DISK_FULL" in capsys.readouterr().err
    assert segmented == []
    assert segment(ct, places.out / "labels.seg.nrrd") == ERRORS["DISK_FULL"].exit_code
    assert segmented == []
    assert kept_in(places.out) == []


def test_a_disk_with_too_little_room_for_this_ct_is_reported_before_the_job(ct, segmented, places, monkeypatch, capsys):
    spare = 16 << 20
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=spare + 100))
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == ERRORS["DISK_FULL"].exit_code
    assert "DISK_FULL" in capsys.readouterr().err
    assert segmented == []


def test_room_is_asked_for_the_layers_of_all_models(ct, segmented, places, monkeypatch, capsys, tmp_path):
    """As contours 0.2 bytes a voxel of each model's structures, beside 2 of the CT as a series."""
    for model, structure in (("104-3mm", "heart_atrium_left"), ("117-3mm", "spinal_cord")):
        make_hu_model(tmp_path / "models", model, {structure: 40})
    spare, voxels = 16 << 20, math.prod(SHAPE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=spare + int(2.3 * voxels)))
    words = ["--quality", "fast", "--models-folder", str(tmp_path / "models"), "--export", "rtstruct", "--structures"]
    for names, runs in (("heart_atrium_left", ["segment"]), ("heart_atrium_left,spinal_cord", [])):
        segmented.clear()
        main(["segment", str(ct), str(places.out / "rs"), "--device", "cpu", *words, names])
        assert segmented == runs
    assert "DISK_FULL" in capsys.readouterr().err


# -- a result that cannot be written -----------------------------------------------------------------------------------


def full_when_exporting(places, monkeypatch, *full: Path) -> None:
    def fail(*_args, **_kwargs):
        places.full.update(full)
        raise SegmentationError("DISK_FULL", needed_mb=100.0, free_mb=0.0)

    monkeypatch.setattr("TotalSegmentatorEngine.export.commands.export", fail)


def test_it_is_kept_next_to_the_output_where_there_is_room(ct, segmented, places, monkeypatch, capsys):
    full_when_exporting(places, monkeypatch)
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == ERRORS["DISK_FULL"].exit_code
    told = capsys.readouterr().err
    assert "warning EXPORT_RESULT_KEPT" in told and "saved next to the output as rs.seg.nrrd" in told
    assert str(places.out / "rs.seg.nrrd") in told
    assert (places.out / "rs.seg.nrrd").read_bytes().startswith(b"NRRD")


def test_else_in_a_folder_for_temporary_files_that_only_the_user_can_read(ct, segmented, places, monkeypatch, capsys):
    full_when_exporting(places, monkeypatch, places.out)
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == ERRORS["DISK_FULL"].exit_code
    told = capsys.readouterr().err
    (kept,) = kept_in(places.temporary)
    assert kept.name == "rs.seg.nrrd" and kept.read_bytes().startswith(b"NRRD")
    assert kept.parent.stat().st_mode & 0o077 == 0
    assert "warning RESULT_KEPT_TEMPORARY" in told and str(kept) in told
    assert kept_in(places.out) == []


def test_else_in_the_home_folder(ct, segmented, places, monkeypatch, capsys):
    full_when_exporting(places, monkeypatch, places.out, places.temporary)
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == ERRORS["DISK_FULL"].exit_code
    told = capsys.readouterr().err
    assert "warning RESULT_KEPT_HOME" in told and str(places.home / "rs.seg.nrrd") in told
    assert list(places.temporary.iterdir()) == [], "the empty folder is gone"


def test_where_no_disk_has_room_that_is_said_and_the_reason_stays_the_exports(
    ct, segmented, places, monkeypatch, capsys
):
    full_when_exporting(places, monkeypatch, places.out, places.temporary, places.home)
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == ERRORS["DISK_FULL"].exit_code
    told = capsys.readouterr().err
    assert "warning RESULT_NOT_KEPT" in told and "error DISK_FULL" in told


def test_a_disk_that_has_just_room_for_the_compressed_labels_is_the_last_resort(
    ct, segmented, places, monkeypatch, capsys
):
    full_when_exporting(places, monkeypatch, places.out, places.temporary, places.home)
    places.nearly_full.add(places.home)
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == ERRORS["DISK_FULL"].exit_code
    assert "warning RESULT_KEPT_HOME" in capsys.readouterr().err
    assert (places.home / "rs.seg.nrrd").is_file()


def test_a_file_of_labels_whose_disk_fills_during_the_job_is_kept_too(ct, segmented, places, monkeypatch, capsys):
    real = pipeline.segment

    def segment_and_fill(*arguments):
        result = real(*arguments)
        places.full.add(places.out)
        return result

    monkeypatch.setattr(pipeline, "segment", segment_and_fill)
    assert segment(ct, places.out / "organs.nii.gz") == ERRORS["DISK_FULL"].exit_code
    assert "warning RESULT_KEPT_TEMPORARY" in capsys.readouterr().err
    (kept,) = kept_in(places.temporary)
    assert kept.name == "organs.seg.nrrd"


def test_a_cancelled_export_keeps_nothing(ct, segmented, places, monkeypatch):
    def cancelled(*_args, **_kwargs):
        raise SegmentationError("CANCELLED")

    monkeypatch.setattr("TotalSegmentatorEngine.export.commands.export", cancelled)
    assert segment(ct, places.out / "rs", "--export", "rtstruct") == 130
    assert [*kept_in(places.out), *kept_in(places.temporary), *kept_in(places.home)] == []


# -- output = input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["itself", "hard", "symbolic"])
@pytest.mark.parametrize("options", [(), ("--export", "nifti")])
def test_the_input_is_not_replaced_and_that_is_said(ct, segmented, capsys, link: str, options):
    output = ct if link == "itself" else ct.with_name("organs.nii.gz")
    if link == "hard":
        output.hardlink_to(ct)
    elif link == "symbolic":
        output.symlink_to(ct)
    before = ct.read_bytes()
    assert segment(ct, output, *options) == ERRORS["OUTPUT_IS_INPUT"].exit_code == 102
    assert "error OUTPUT_IS_INPUT: The output is the input" in capsys.readouterr().err
    assert ct.read_bytes() == before
    assert segmented == []


def test_a_slice_of_the_series_is_not_replaced(tmp_path: Path, segmented, capsys):
    hu = np.full(SHAPE, -1000, np.int16)
    hu[1:7, 3:17, 3:20] = 40
    series = ct_variants.write_dicom_series(tmp_path / "series", *ct_variants.reordered(hu, GRID, "LPS"))
    first, second, *_rest = sorted(series.iterdir())
    (tmp_path / "rs.dcm").hardlink_to(second)
    for source, output in ((series, second), (series, tmp_path / "rs.dcm"), (first, second)):
        assert segment(source, output, "--export", "rtstruct") == ERRORS["OUTPUT_IS_INPUT"].exit_code
        assert "OUTPUT_IS_INPUT" in capsys.readouterr().err
    assert segmented == []


def test_a_log_over_the_ct_is_refused(ct, segmented, tmp_path: Path, capsys):
    before = ct.read_bytes()
    assert segment(ct, tmp_path / "organs.nrrd", "--log", str(ct)) == ERRORS["OUTPUT_IS_INPUT"].exit_code
    assert "error OUTPUT_IS_INPUT: The log is the input" in capsys.readouterr().err
    assert ct.read_bytes() == before
