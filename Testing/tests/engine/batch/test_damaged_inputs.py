"""Files without a readable header: none of them vanishes, and none counts as a copy of another patient's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from batch_bench import BatchBench
from pydicom.uid import generate_uid
from series_support import chest, write_series

MR = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}
LOCALIZER = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"cut": content[:300], "empty": b"", "zeroed": bytes(len(content))}[kind])


@pytest.mark.parametrize("beside", [LOCALIZER, MR])
@pytest.mark.parametrize("kind", ["cut", "empty", "zeroed"])
@pytest.mark.parametrize("name", ["IM{:03d}", "IM{:03d}.dcm"])
def test_damaged_slices_beside_other_images_fail(bench: BatchBench, beside: dict, kind: str, name: str) -> None:
    folder = bench.dicom("a", seed=1, slices=5)
    for number, path in enumerate(sorted(folder.iterdir())):
        damage(path, kind)
        path.rename(folder / name.format(number))
    write_series(folder, chest(2, 1), name.replace("{:03d}", "9{:02d}"), SeriesInstanceUID=generate_uid(), **beside)
    run = bench()
    assert (run.status, run.codes) == (1, ["INPUT_SLICE_UNUSABLE"])
    assert f"  {folder}" in run.err and "other files" not in run.err


def test_a_damaged_slice_of_an_mr_is_no_ct(bench: BatchBench) -> None:
    bench.dicom("ct", seed=1)
    bench.inputs.joinpath("mr").mkdir()
    write_series(bench.inputs / "mr", chest(2, 4), "IM{:03d}.dcm", **MR)
    path = bench.inputs / "mr" / "IM001.dcm"
    content = path.read_bytes()
    uid = content.index(b"\x20\x00\x0e\x00")
    path.write_bytes(content[: uid + 90])
    run = bench()
    assert (run.status, len(run.outcomes)) == (0, 1)


@pytest.mark.parametrize(("name", "content"), [("ct.dcm", b""), ("ct.nii.gz", b""), ("ct.nii.gz", bytes(5000))])
def test_equal_broken_files_are_no_copies(bench: BatchBench, name: str, content: bytes) -> None:
    for patient in ("a", "b", "c"):
        (bench.inputs / patient).mkdir()
        (bench.inputs / patient / name).write_bytes(content)
    run = bench()
    assert run.status == 1 and len(run.outcomes) == 1 and len(run.inputs) == 3
    assert "copies" not in run.err and "Not read: 2 paths" in run.out
    assert all(str(bench.inputs / patient) in run.err for patient in ("a", "b", "c"))


def test_a_folder_that_was_copied_anew_is_no_failure_any_more(bench: BatchBench) -> None:
    folder = bench.dicom("a", seed=1)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    for path in whole:
        damage(path, "cut")
    assert bench().codes == ["INPUT_SLICE_UNUSABLE"]
    for path, content in whole.items():
        path.write_bytes(content)
    run = bench()
    assert (run.status, run.segmented, len(run.inputs), run.codes) == (0, 1, 1, [])


def test_paths_that_are_no_utf_8_stay_in_the_table(bench: BatchBench) -> None:
    path = bench.image("a.nii.gz", seed=1)
    bench.image("b.nii.gz", seed=2)
    latin = path.with_name(os.fsdecode(b"M\xfcller.nii.gz"))
    path.rename(latin)
    sys.stderr.reconfigure(errors="backslashreplace")  # as Python's own; pytest's stand-in is strict
    run = bench()
    assert (run.status, run.segmented, len(run.inputs)) == (0, 2, 2)
    other = bench.image("other/c.nii.gz", seed=3)
    run = bench(inputs=[other])
    assert {row["path"] for row in run.inputs} == {str(latin), str(bench.inputs / "b.nii.gz"), str(other)}


@pytest.mark.parametrize("content", [b"\0" * 100, b"no,table\n1,2\n", None])
def test_a_damaged_table_is_put_aside(bench: BatchBench, content: bytes | None) -> None:
    bench.image("a.nii.gz", seed=1)
    table = bench().folder / "private" / "inputs.csv"
    content = table.read_bytes()[:-80] if content is None else content
    for number in ("", "2"):
        table.write_bytes(content)
        run = bench()
        assert (run.status, run.segmented, len(run.inputs)) == (0, 0, 1)
        assert f"inputs.csv.damaged{number} now" in run.err
        assert table.with_name(f"inputs.csv.damaged{number}").read_bytes() == content
    assert "damaged" not in bench().err
