"""The report over all CTs of a run: one file that asks for nothing, in which every CT can be reached."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
from collections import Counter
from datetime import date
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from batch_bench import PATIENT, BatchBench
from batch_outcomes import cut_flag, failed, flag, id_of, outcome, structure
from PIL import Image
from TotalSegmentatorEngine.batch.report.contents import gather
from TotalSegmentatorEngine.batch.report.page import report_page
from TotalSegmentatorEngine.batch.report.pictures import Pictures
from TotalSegmentatorEngine.batch.report.write_report import write_report
from TotalSegmentatorEngine.batch.store.outcome import Outcome, OutcomeError
from TotalSegmentatorWire.errors.problem import WARNINGS
from TotalSegmentatorWire.messages.review import Level

MAGENTA = (230, 0, 230)


def thumbnail(colour: tuple[int, int, int] = MAGENTA) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (400, 200), colour).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def remarks(count: int, level: str) -> tuple[dict, ...]:
    names = ("liver", "spleen", "pancreas", "aorta", "colon")
    return tuple(flag("wrong_side", level, name, distance_mm=10 + place) for place, name in enumerate(names[:count]))


def body(number: int, liver_ml: float, flags: tuple[dict, ...] = (), **fields: object) -> Outcome:
    return outcome(number, (structure("liver", liver_ml), structure("kidney_left", 150.0)), flags=flags, **fields)


def cohort() -> list[Outcome]:
    """CT 3 has most remarks that are serious, then CT 6; the liver of CT 9 is an outlier."""
    made = [body(number, 1500.0 + 10 * number) for number in range(3)]
    made += [body(3, 1490.0, remarks(5, Level.WRONG)), body(4, 1510.0, remarks(1, Level.CHECK))]
    made += [body(5, 1480.0, (cut_flag("kidney_left", "feet"),)), body(6, 1520.0, remarks(2, Level.WRONG))]
    made += [failed(7, "INPUT_MISSING_SLICES", missing=3, position_mm=12.0), failed(8, "INPUT_UNREADABLE")]
    made += [body(9, 300.0, warnings=("INPUT_UIDS_SHARED",))]
    made += [body(10, 1505.0, state="failed", error=OutcomeError("EXPORT_NOTHING_SELECTED"))]
    made += [failed(11, "INPUT_MISSING_SLICES", missing=1, position_mm=40.0)]
    return sorted(made, key=lambda each: each.id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run, with a picture of each CT that was segmented."""
    for each in cohort():
        (tmp_path / each.id).mkdir()
        if each.structures:
            (tmp_path / each.id / "thumbnail.jpg").write_bytes(thumbnail())
    return tmp_path


def page_of(folder: Path, *words: object, **fields: object) -> str:
    return write_report(folder, *(words or (cohort(),)), **fields).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|svg).*?</\1>", "", page, flags=re.DOTALL)))


def section(page: str, anchor: str) -> str:
    return page.split(f'<h2 id="{anchor}">')[1].split("<h2 ")[0]


def test_one_file_that_asks_for_nothing(folder: Path):
    page = page_of(folder)
    assert not re.search(r"<script|<link|<iframe|@import|url\((?!#)", page)
    addresses = re.findall(r"""\b(?:src|href)=["']([^"']+)""", page)
    assert addresses and all(each.startswith(("#", "data:image/jpeg;base64,")) for each in addresses)
    anchors = Counter(re.findall(r'\bid="([^"]+)"', re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)))
    assert {each[1:] for each in addresses if each.startswith("#ct-")} <= set(anchors)
    assert [anchors[f"ct-{each.id}"] for each in cohort()] == [1] * 12, "every CT can be reached by its id"
    pictures = [base64.b64decode(each.split(",")[1]) for each in addresses if each.startswith("data:")]
    assert pictures == [thumbnail()] * 9


def test_the_ct_with_most_serious_remarks_comes_first(folder: Path):
    page = page_of(folder)
    shown = re.findall(r'<div class="card" id="ct-(\w+)"', section(page, "remarks"))
    assert shown == [id_of(3), id_of(6), id_of(4)]
    first = section(page, "remarks").split('<div class="card"')[1]
    assert "2 structures, 5 likely wrong" in first and "<summary>2 more</summary>" in first
    assert "Liver lies on the wrong side of the body, 10 mm beyond the middle." in first
    others = re.findall(r'<div class="card" id="ct-(\w+)"', section(page, "others"))
    assert set(others) == {id_of(number) for number in (0, 1, 2, 5, 9, 10)}


def test_the_head_counts(folder: Path):
    page = page_of(folder, cohort(), {"MR": 4, "structure set": 1}, 2)
    counts = {what: int(number) for number, what in re.findall(r"<tr><td>(\d+)</td><td>([^<]+)</td>", page)}
    assert (counts["CTs"], counts["done"]) == (12, 8)
    assert (counts["failed: INPUT_MISSING_SLICES"], counts["failed: INPUT_UNREADABLE"]) == (2, 1)
    assert (counts["passed over: MR"], counts["passed over: structure set"]) == (4, 1)
    assert counts["found twice, done once"] == 2
    assert (counts["with structures likely wrong"], counts["with structures to check"]) == (2, 1)
    assert counts["model 104-3mm, pipeline nnunet, engine 0.1.0 (nnunetv2 2.6.2, torch 2.8.0)"] == 9


def test_outliers_lead_to_their_ct(folder: Path):
    volumes = section(page_of(folder), "volumes")
    assert volumes.count("<svg") == 1, "organs"
    linked = re.findall(r'xlink:href="#ct-(\w+)"', volumes)
    assert linked.count(id_of(9)) == 2, "few CTs: each is a point in each row"
    (row,) = re.findall(r"<tr><td>liver</td>(?:(?!</tr>).)*300\.0.*?</tr>", volumes.split("Furthest from")[1])
    assert f'href="#ct-{id_of(9)}"' in row and ">0.2<" in row and ">1505<" in row
    figures = volumes.split("<summary>Figures of all structures</summary>")[1]
    (row,) = re.findall(r"<tr><td>kidney left</td>.*?</tr>", figures)
    assert '<td class="number">9</td>' in row


def test_failures_are_explained_by_code(folder: Path):
    text = " ".join(text_of(section(page_of(folder), "failed")).split())
    assert "INPUT_MISSING_SLICES 2 Slices are missing: [...] in total, the first after position [...] mm" in text
    assert f"{id_of(7)}: Slices are missing: 3 in total, the first after position 12.0 mm" in text
    assert "INPUT_UNREADABLE 1 The image could not be read: [...] is damaged" in text
    warning = WARNINGS["INPUT_UIDS_SHARED"].what.split("{")[0]
    assert f"INPUT_UIDS_SHARED 1 {warning}" in text and text.endswith(id_of(9))


def test_cts_without_a_picture_or_folder_are_said(folder: Path):
    shutil.rmtree(folder / id_of(0))
    (folder / id_of(1) / "thumbnail.jpg").unlink()
    (folder / id_of(2) / "thumbnail.jpg").write_bytes(thumbnail()[:300])
    (folder / id_of(3) / "thumbnail.jpg").write_bytes(b"<script>")
    page = page_of(folder, known_ids=[id_of(1), "0123456789ab"])
    said = dict(re.findall(r'id="ct-(\w+)"><p class="none">(.*?)</p>', page))
    assert set(said) == {id_of(number) for number in range(4)} and "moved or deleted" in said[id_of(0)]
    assert all("thumbnail.jpg is missing" in said[id_of(number)] for number in (1, 2, 3))
    assert "without a result: 1." in page and "0123456789ab" in page


def test_pictures_beyond_the_limit_are_left_in_their_folders(folder: Path):
    size = len(thumbnail())
    page = report_page(gather(cohort()), Pictures(folder, 3 * size), date(2026, 11, 30))
    assert page.count("data:image/jpeg") == 3 == section(page, "remarks").count("data:image/jpeg")
    assert section(page, "others").count('/thumbnail.jpg">') == 6


def test_cts_beyond_the_limit_are_rows_that_can_be_reached(folder: Path):
    page = report_page(gather(cohort()), Pictures(folder), date(2026, 11, 30), most_cards=5)
    anchors = Counter(re.findall(r'\bid="ct-(\w+)"', page))
    assert anchors == dict.fromkeys([each.id for each in cohort()], 1)
    assert len(re.findall(r'<div class="card" id="ct-', page)) == 5
    assert "4 more are in the table of all CTs." in section(page, "others")
    assert len(re.findall(r'<span class="id" id="ct-', section(page, "all"))) == 4


def test_nothing_that_a_record_holds_becomes_markup(tmp_path: Path):
    odd = "<b>evil</b>"
    strange = flag("wrong_side", Level.WRONG, "liver", distance_mm=1) | {"structure": odd, "rule": "of a later version"}
    made = [body(1, 1500.0, (strange,), model=odd, warnings=(odd,)), failed(2, odd)]
    page = page_of(tmp_path, made)
    assert odd not in page and page.count("&lt;b&gt;evil&lt;/b&gt;") >= 4
    assert "A code of another version of this program." in page


def test_an_empty_run_has_a_page(tmp_path: Path):
    page = page_of(tmp_path, [])
    assert "No structure is whole in any CT." in page and "No CT has failed." in page


def test_the_command_writes_a_report_that_names_no_patient(bench: BatchBench):
    bench.dicom("erika/ct", seed=1)
    bench.dicom("max/ct", seed=2)
    (bench.inputs / "damaged.nii.gz").write_bytes(b"no image")
    run = bench("--keep-names")
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 2 and all(f'id="ct-{case_id}"' in page for case_id in run.outcomes)
    private = {value for row in run.inputs for name, value in row.items() if name in ("path", "series", "patient_name")}
    assert PATIENT in private and not [value for value in private if value and value in page]
    assert run.codes[0] in section(page, "failed")


def test_a_share_of_a_run_reports_on_all_and_says_what_has_gone(bench: BatchBench):
    images = [bench.image(f"{number}.nii.gz", seed=number) for number in range(3)]
    kept, gone, _ = (bench().outcome_of(image).id for image in images)
    shutil.rmtree(bench.output / gone)
    os.utime(bench.output / "report.html", (0, 0))
    run = bench("--shard", f"{int(kept, 16) % 997 + 1}/997")
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert run.segmented == 0 and len(run.outcomes) == 2
    assert all(f'id="ct-{case_id}"' in page for case_id in run.outcomes)
    assert f'id="ct-{gone}"' not in page and re.search(rf"without a result: 1\. .*{gone}", page)
    rows = (run.folder / "structures.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == set(run.outcomes)


def test_shares_leave_fresh_files_to_the_one_that_does_the_last_ct(bench: BatchBench):
    for number in range(4):
        bench.image(f"{number}.nii.gz", seed=number)
    written = bench.output / "report.html"
    first = bench("--shard", "1/2")
    mine = len(first.outcomes)
    assert 0 < mine < 4 and f"without a result: {4 - mine}." in written.read_text(encoding="utf-8")
    before = written.stat().st_mtime_ns
    again = bench("--shard", "1/2", "--force")
    assert again.segmented == mine and f"not done: {4 - mine}." in again.err
    assert written.stat().st_mtime_ns == before
    os.utime(written, ns=(before, before - 301 * 10**9))
    bench("--shard", "1/2")
    assert written.stat().st_mtime_ns >= before, "it was old"
    last = bench("--shard", "2/2")
    page = written.read_text(encoding="utf-8")
    assert all(f'id="ct-{case_id}"' in page for case_id in last.outcomes) and len(last.outcomes) == 4
    assert "without a result" not in page


def test_a_ct_that_is_no_more_keeps_no_share_from_writing_the_last_table(bench: BatchBench):
    images = [bench.image(f"{number}.nii.gz", seed=number) for number in range(4)]
    bench("--find-only")
    images[0].unlink()
    shares = [bench("--shard", f"{share}/2") for share in (1, 2)]
    rows = (bench.output / "structures.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == set(shares[1].outcomes) and len(shares[1].outcomes) == 3
    assert all(share.segmented for share in shares) and "left as they are" not in shares[1].err


def test_a_finished_array_that_is_submitted_again_writes_only_what_has_changed(bench: BatchBench):
    for number in range(4):
        bench.image(f"{number}.nii.gz", seed=number)

    def written(*words: str) -> int:
        """When the table was, after both shares."""
        runs = [bench("--shard", f"{share}/2", *words) for share in (1, 2)]
        assert [run.status for run in runs] == [0, 0]
        return (bench.output / "structures.csv").stat().st_mtime_ns

    first = written()
    assert written() == first
    late = next(bench.output.glob("*/done.json"))
    os.utime(late)  # done after the table had begun, before it was there
    os.utime(bench.output / "structures.csv")
    later = (bench.output / "structures.csv").stat().st_mtime_ns
    assert written() > later
    kept = written()
    assert written("--keep-names") > kept


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_shows_the_pictures_of_the_cts_with_remarks(folder: Path):
    page_of(folder)
    picture = folder / "page.png"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,900"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}", f"file://{folder / 'report.html'}"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    seen = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    magenta = np.abs(seen - MAGENTA).max(axis=2) < 30
    columns = magenta.any(axis=0)
    assert np.count_nonzero(np.diff(columns.astype(int)) == 1) == 3, "three CTs with remarks side by side"
    assert magenta.sum() == pytest.approx(3 * 345 * 345 / 2, rel=0.1), "as wide as a third of the page, half as high"
