"""What batch finds in folders, patterns and lists: every CT once, every bad one by its code, nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from batch_bench import GRID, BatchBench
from pydicom.uid import generate_uid
from series_support import AXIAL, chest, write_page, write_pdf_object, write_series
from TotalSegmentatorEngine.batch.inputs import image_kinds
from TotalSegmentatorEngine.dicom_series import headers


def test_patients_series_and_acquisitions_are_told_apart(bench: BatchBench) -> None:
    bench.dicom("erika/one", seed=1)
    bench.dicom("erika/two", seed=2)
    mixed = bench.dicom("max", seed=3)  # two series in one folder
    write_series(mixed, chest(4, 4), "B{:03d}.dcm", SeriesInstanceUID=generate_uid())
    uid = generate_uid()
    phases = bench.dicom("phases", seed=5, SeriesInstanceUID=uid)
    write_series(phases, chest(6, 4), "B{:03d}.dcm", SeriesInstanceUID=uid, AcquisitionNumber=2)
    ct_variants.write_enhanced_dicom(bench.inputs / "enhanced.dcm", chest(7, 4), AXIAL)
    run = bench()
    assert (run.status, run.segmented) == (0, 7)
    assert {array.tobytes() for array in bench.seen} == {chest(seed, 4).tobytes() for seed in range(1, 8)}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"])
def test_image_files(bench: BatchBench, suffix: str) -> None:
    path = bench.image("images/a" + suffix, seed=1)
    run = bench()
    assert (run.status, run.segmented) == (0, 1) and run.outcome_of(path).is_done
    (bench.inputs / "images" / "b.raw").write_bytes(b"no image")
    assert bench().segmented == 0


def test_the_voxels_beside_a_header_count_as_its_own(bench: BatchBench) -> None:
    path = bench.image("images/a.mhd", seed=1)
    first = bench().outcome_of(path)
    raw = next(path.parent.glob("*raw"))
    content = bytearray(raw.read_bytes())
    shutil.rmtree(bench.inputs / "images")
    path = bench.image("images/a.mhd", seed=2)
    assert content != raw.read_bytes()
    run = bench()
    assert run.segmented == 1 and run.outcome_of(path).id != first.id
    assert set(run.outcomes) == {run.outcome_of(path).id}  # what the file held before is no result of it any more


def test_what_is_no_ct_is_passed_over_and_counted(bench: BatchBench) -> None:
    folder = bench.dicom("ct", seed=1)
    study = str(pydicom.dcmread(next(folder.iterdir())).StudyInstanceUID)
    uid = generate_uid()
    write_page(folder / "page.dcm")
    write_pdf_object(folder / "report.dcm")
    write_series(
        folder, chest(2, 1), "scout{}.dcm", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesInstanceUID=uid
    )
    write_series(folder, chest(3, 2), "bolus{}.dcm", SeriesInstanceUID=generate_uid(), StudyInstanceUID=study)
    write_series(bench.inputs, chest(4, 4), "mr{}.dcm", Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    labels = (chest(5, 4) > 300).astype(np.uint8)
    ct_variants.write_image(bench.inputs / "labels.nii.gz", labels, GRID)
    ct_variants.write_image(bench.inputs / "liver_seg.nrrd", labels.astype(np.int16), GRID)
    (bench.inputs / "notes.txt").write_text("nothing", encoding="utf-8")
    run = bench()
    assert (run.status, run.segmented, len(run.outcomes)) == (0, 1, 1)
    assert (
        "passed over: 2 segmentations, 3 localizers and single images, 1 series that are no CT, "
        "1 DICOM objects without an image, 1 other files"
    ) in run.err
    again = bench(inputs=[run.folder], output=bench.folder / "other")
    assert again.segmented == 0 and "BATCH_NOTHING_FOUND" in again.err  # the results of a run are no CTs


def test_every_bad_ct_is_named_with_its_code(bench: BatchBench) -> None:
    bench.dicom("good", seed=1)
    missing = bench.dicom("missing", seed=2, slices=8)
    (missing / "CT004.dcm").unlink()
    cut = bench.dicom("cut", seed=3, slices=8)
    path = cut / "CT002.dcm"
    path.write_bytes(path.read_bytes()[:300])
    bench.dicom("single", seed=4, slices=1)
    own_uids = bench.dicom("own", seed=5, SeriesInstanceUID=lambda number: generate_uid())
    broken = bench.inputs / "broken.nii.gz"
    broken.write_bytes(bench.image("a.nii.gz", seed=6).read_bytes()[:-100])
    (bench.inputs / "alone").mkdir()
    (bench.inputs / "alone" / "x.dcm").write_bytes(path.read_bytes()[:200])
    (bench.inputs / "empty").mkdir()
    (bench.inputs / "empty" / "y.dcm").touch()
    run = bench()
    assert (run.status, run.segmented) == (1, 2)
    assert run.outcome_of(missing).error.code == "INPUT_MISSING_SLICES"
    assert run.outcome_of(cut).error.code == run.outcome_of(own_uids).error.code == "INPUT_SLICE_UNUSABLE"
    assert run.outcome_of(broken).error.code == "INPUT_DAMAGED"
    assert run.codes == [
        *("INPUT_DAMAGED", "INPUT_MISSING_SLICES", "INPUT_SLICE_UNUSABLE", "INPUT_SLICE_UNUSABLE"),
        *("INPUT_SLICE_UNUSABLE", "INPUT_SLICE_UNUSABLE", "INPUT_TOO_FEW_SLICES"),
    ]
    for folder in ("missing", "cut", "single", "own", "alone", "empty"):
        assert f"  {bench.inputs / folder}" in run.err
    assert "7 failed" in run.out


def test_the_same_ct_in_several_places_is_done_once(bench: BatchBench) -> None:
    folder = bench.dicom("a", seed=1)
    shutil.copytree(folder, bench.inputs / "b" / "copy")
    image = bench.image("c.nii.gz", seed=2)
    (bench.inputs / "d").mkdir()
    shutil.copy(image, bench.inputs / "d" / "other-name.nii.gz")
    run = bench(inputs=[bench.inputs, image, bench.inputs])
    assert (run.segmented, len(run.outcomes)) == (2, 2)
    assert len({row["id"] for row in run.inputs if row["path"].endswith(".nii.gz")}) == 1


def test_one_uid_for_several_series(bench: BatchBench) -> None:
    """All patients got the same UIDs; a series lies there twice, once incomplete; another is spread over folders."""
    uids = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "FrameOfReferenceUID": "1.2.4"}
    for seed in (1, 2):
        bench.dicom(f"patient{seed}", seed=seed, **uids)
    whole = bench.dicom("whole", seed=3, slices=8)
    partial = bench.inputs / "partial"
    shutil.copytree(whole, partial)
    (partial / "CT004.dcm").unlink()
    spread = bench.dicom("disc/one", seed=4, slices=8)
    (spread.parent / "two").mkdir()
    for number in range(4, 8):
        (spread / f"CT{number:03d}.dcm").rename(spread.parent / "two" / f"CT{number:03d}.dcm")
    bench.dicom("studies", seed=5, StudyInstanceUID=lambda number: f"1.3.{number + 1}")  # one of each file
    run = bench()
    assert (run.status, run.segmented, run.codes) == (1, 5, ["INPUT_MISSING_SLICES"])
    expected = {
        chest(5, 4).tobytes(),
        chest(1, 4).tobytes(),
        chest(2, 4).tobytes(),
        chest(3, 8).tobytes(),
        chest(4, 8).tobytes(),
    }
    assert {array.tobytes() for array in bench.seen} == expected
    assert run.outcome_of(partial).error.code == "INPUT_MISSING_SLICES"


def test_folders_that_cannot_be_looked_into_and_links_in_a_circle(bench: BatchBench, monkeypatch) -> None:
    bench.dicom("a", seed=1)
    closed = bench.inputs / "closed"
    closed.mkdir()
    (bench.inputs / "a" / "up").symlink_to(bench.inputs)
    (bench.inputs / "gone.nii.gz").symlink_to(bench.folder / "nowhere")
    real = os.scandir

    def scandir(folder):
        if str(folder) == str(closed):
            raise PermissionError(folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    run = bench()
    assert (run.status, run.segmented, len(run.outcomes)) == (1, 1, 1)
    assert f"({closed})" in run.err and "gone.nii.gz)" in run.err and "Not read: 2 paths" in run.out


def test_the_output_folder_inside_the_input_folder_is_not_read(bench: BatchBench) -> None:
    bench.dicom("a", seed=1)
    output = bench.inputs / "results"
    assert bench("--export", "rtstruct,seg", output=output).segmented == 1
    (output / "ct.nii.gz").write_bytes(bench.image("b.nii.gz", seed=2).read_bytes())
    run = bench("--export", "rtstruct,seg", output=output)
    assert (run.status, run.segmented, len(run.outcomes)) == (0, 1, 2)


def test_patterns_and_single_files(bench: BatchBench) -> None:
    folder = bench.dicom("a/ct", seed=1)
    write_series(folder, chest(9, 4), "B{:03d}.dcm", SeriesInstanceUID=generate_uid())
    for seed in (2, 3):
        bench.image(f"images/{seed}.nii.gz", seed=seed)
    assert bench(inputs=[bench.inputs / "images" / "*.nii.gz"]).segmented == 2
    assert bench(inputs=[bench.inputs / "**" / "ct"], output=bench.folder / "2").segmented == 2
    one = bench(inputs=sorted(folder.glob("CT*.dcm")), output=bench.folder / "3")
    assert one.segmented == 1 and np.array_equal(bench.seen[-1], chest(1, 4))  # the files' own series alone
    nothing = bench(inputs=[bench.inputs / "*.mha"], output=bench.folder / "4")
    assert "error INPUT_NOT_FOUND" in nothing.err and nothing.status not in (0, 1, 2)


def test_lists(bench: BatchBench) -> None:
    folder = bench.dicom("a", seed=1)
    uid = generate_uid()
    write_series(folder, chest(2, 4), "B{:03d}.dcm", SeriesInstanceUID=uid)
    bench.image("b.nii.gz", seed=3)
    table = bench.inputs / "list.csv"
    table.write_text(f"name,path,series\nx,a,{uid}\ny,b.nii.gz,\nz,gone.nii.gz,\nw,a,77\n", encoding="utf-8")
    run = bench(inputs=[table])
    assert (run.status, run.segmented) == (1, 2)
    assert "error INPUT_NOT_FOUND" in run.err and "error INPUT_SERIES_UNKNOWN" in run.err
    assert {array.tobytes() for array in bench.seen} == {chest(seed, 4).tobytes() for seed in (2, 3)}
    listed = bench.inputs / "list.json"
    listed.write_text(json.dumps(["b.nii.gz", {"path": str(folder)}]), encoding="utf-8")
    assert bench(inputs=[listed], output=bench.folder / "2").segmented == 3


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", "file\nx\n"), ("a.json", "{"), ("b.json", '{"path": 1}'), ("c.json", "[1]")]
)
def test_lists_that_are_none(bench: BatchBench, name: str, text: str) -> None:
    path = bench.folder / name
    path.write_text(text, encoding="utf-8")
    run = bench(inputs=[path])
    assert f"error BATCH_LIST_INVALID: The list of CTs {name} cannot" in run.err and run.status == 121


def test_json_beside_images_is_no_list(bench: BatchBench) -> None:
    bench.image("x.nii.gz", seed=1).with_name("x.json").write_text('{"Modality": "CT"}', encoding="utf-8")
    run = bench(inputs=[bench.inputs / "x.*"])
    assert (run.status, run.segmented) == (0, 1) and "1 other files" in run.err
    gone = bench(inputs=[bench.inputs, bench.inputs / "gone"])
    assert f"There is no {bench.inputs / 'gone'}\n" in gone.err and "error INPUT_NOT_FOUND" in gone.err


def test_voxels_of_label_images_are_read_once(bench: BatchBench, monkeypatch) -> None:
    """A run's next call, and each share of an array, would else read whole archives of them again."""
    read: list[Path] = []
    real = image_kinds.voxels_of
    monkeypatch.setattr(image_kinds, "voxels_of", lambda path: (read.append(path), real(path))[1])
    labels, wide = bench.inputs / "labels.nii.gz", bench.inputs / "wide.nii.gz"
    ct_variants.write_image(labels, (chest(1, 4) > 300).astype(np.uint8), GRID)
    ct_variants.write_image(wide, chest(2, 4).astype(np.float64), GRID)
    first = bench()
    assert sorted(read) == [labels, wide] and first.segmented == 1 and "1 segmentations" in first.err
    again = bench("--force")
    assert len(read) == 2 and again.segmented == 1 and "1 segmentations" in again.err
    ct_variants.write_image(labels, chest(3, 5).astype(np.float64), GRID)
    assert bench().segmented == 1 and read[2:] == [labels]  # what is another file now is looked at again
    assert str(bench.inputs) not in (first.folder / "private" / "image_kinds.csv").read_text(encoding="utf-8")


def test_headers_are_read_once_for_the_search_and_once_for_the_job(bench: BatchBench, monkeypatch) -> None:
    """Not again for each series: an archive has thousands of files."""
    for seed in range(4):
        bench.dicom(f"patient{seed}", seed=seed)
    read: list[Path] = []
    real = headers.read_to_pixels
    monkeypatch.setattr(headers, "read_to_pixels", lambda path, tags: (read.append(path), real(path, tags))[1])
    assert bench().segmented == 4
    assert len(read) == 2 * 16
