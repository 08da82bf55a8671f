"""The table and the report over 1,000 CTs: size, seconds to write them, and seconds until a browser shows the page."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from batch_outcomes import large_cohort
from environment import SetupError
from phantom_faults.random_phantoms import random_phantom
from TotalSegmentatorEngine.batch.report.thumbnail import thumbnail_jpeg
from TotalSegmentatorEngine.batch.report.write_report import write_report
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.batch.table.write_tables import write_tables
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import structure_table

from benchmarks.inputs.workload import Workload

CTS, SMALL_CTS = 1000, 40
DRAWN = 10
"""Phantoms with their own noise; each is the picture of several CTs."""
MEGABYTES, OPEN_SECONDS = 30.0, 2.0
_NOISE_HU = 30.0
"""Beside that of the phantom: as in thin slices, and the pictures are as large as they get."""
_BROWSER_SECONDS = 300


def measure(workload: Workload) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        raise SetupError("chromium is not installed")
    count = SMALL_CTS if workload.small else CTS
    with TemporaryDirectory(prefix="cohort-report-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "run"
        folder.mkdir()
        outcomes = large_cohort(count)
        pictures = _write_pictures(folder, outcomes)
        page, tables, report = _written(folder, outcomes, workload.repeat)
        megabytes = page.stat().st_size / 1e6
        workload.report.table(
            ("1,000 CTs with 104 structures" if count == CTS else f"{count} CTs", ""),
            [
                ("pictures, kB each", statistics.mean(pictures) / 1e3),
                ("structures.parquet, MB", (folder / "structures.parquet").stat().st_size / 1e6),
                ("structures.csv, MB", (folder / "structures.csv").stat().st_size / 1e6),
                ("report.html, MB", megabytes),
                ("processor seconds for the tables", tables),
                ("processor seconds for the report", report),
            ],
        )
        workload.report.ratio("megabytes of the report over 1,000 CTs", megabytes, MEGABYTES)
        _open(browser, page, Path(scratch), workload)


def _write_pictures(folder: Path, outcomes: list[Outcome]) -> list[int]:
    """Returns their sizes."""
    drawn = [_picture(seed) for seed in range(min(DRAWN, len(outcomes)))]
    sizes = []
    for number, outcome in enumerate(outcomes):
        (folder / outcome.id).mkdir()
        if outcome.structures:
            picture = _told_apart(drawn[number % len(drawn)], number)
            (folder / outcome.id / "thumbnail.jpg").write_bytes(picture)
            sizes.append(len(picture))
    return sizes


def _picture(seed: int) -> bytes:
    names = {structure.label: structure.name for structure in structure_table("structures_104")}
    found = random_phantom(seed, spacing_mm=4.0)
    noise = np.random.default_rng(seed).normal(0.0, _NOISE_HU, found.ct.shape)
    labels = found.labels.astype(np.uint8)
    structures = [FoundStructure(label, names[label], 1, [0] * 6) for label in np.unique(labels)[1:].tolist()]
    noisy = Volume((found.ct + noise).astype(np.int16), Geometry(labels.shape, found.ijk_to_ras))
    return thumbnail_jpeg(noisy, labels, structures)


def _told_apart(jpeg: bytes, number: int) -> bytes:
    """With a comment: a browser decodes equal pictures once."""
    comment = f"CT {number:06d}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _written(folder: Path, outcomes: list[Outcome], repeat: int) -> tuple[Path, float, float]:
    """The page, and medians of the processor seconds for tables and page."""
    tables, reports = [], []
    for _ in range(repeat):
        started = time.process_time()
        write_tables(folder, outcomes)
        tables.append(time.process_time() - started)
        started = time.process_time()
        page = write_report(folder, outcomes)
        reports.append(time.process_time() - started)
    return page, statistics.median(tables), statistics.median(reports)


def _open(browser: str, page: Path, scratch: Path, workload: Workload) -> None:
    """In turns with an empty page, which shows what the browser's own start takes; the least of each counts, as other
    programs can only delay it."""
    empty = scratch / "empty.html"
    empty.write_text("<!DOCTYPE html><title>empty</title>", encoding="utf-8")
    found: dict[Path, list[tuple[float, float]]] = {empty: [], page: []}
    for _ in range(max(3, workload.repeat)):
        for each, seconds in found.items():
            seconds.append(_seconds(browser, each, scratch))
    rows = []
    for name, each in (("empty page", empty), ("report", page)):
        waited, computed = (list(some) for some in zip(*found[each], strict=True))
        rows.append((name, min(waited), max(waited), statistics.median(computed)))
    heads = ("seconds until chromium has painted it", "least", "most", "of the processor")
    workload.report.table(heads, rows)
    workload.report.ratio("seconds to open the report, beyond an empty page", rows[1][1] - rows[0][1], OPEN_SECONDS)


def _seconds(browser: str, page: Path, scratch: Path) -> tuple[float, float]:
    """By the clock, and of the processor for all of the browser's processes that have ended."""
    picture = scratch / "page.png"
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,1500", f"--user-data-dir={scratch}/u"]
    command = [browser, *words, f"--screenshot={picture}", page.as_uri()]
    before, started = os.times(), time.monotonic()
    subprocess.run(command, check=True, capture_output=True, timeout=_BROWSER_SECONDS)
    after = os.times()
    computed = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, computed
