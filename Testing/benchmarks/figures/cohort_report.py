"""The table and the report over 1,000 CTs: size, seconds to write them, and seconds until a browser shows the page."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from batch_outcomes import large_cohort
from phantom_faults.random_phantoms import random_phantom
from TotalSegmentatorEngine.batch.report.thumbnail import thumbnail_jpeg
from TotalSegmentatorEngine.batch.report.write_report import write_report
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.batch.table.write_tables import write_tables
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import structure_table

from benchmarks.inputs.workload import Workload
from benchmarks.measuring.browser import page_times

CTS, SMALL_CTS = 1000, 40
DRAWN = 10
"""Phantoms with their own noise; each is the picture of several CTs."""
MEGABYTES, PAINT_SECONDS, LOADED_SECONDS = 30.0, 0.3, 2.0
_NOISE_HU = 30.0
"""Beside that of the phantom: as in thin slices, and the pictures are as large as they get."""


def measure(workload: Workload) -> None:
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
        _open(page, Path(scratch), workload)


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
    return thumbnail_jpeg(noisy, [labels], structures)


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


def _open(page: Path, scratch: Path, workload: Workload) -> None:
    """The least of each counts, as other programs can only delay it."""
    found = page_times(page, max(3, workload.repeat), scratch)
    paint, loaded = ([getattr(each, name) for each in found] for name in ("first_paint", "loaded"))
    rows = [("first paint", min(paint), max(paint)), ("loaded", min(loaded), max(loaded))]
    workload.report.table(("seconds after opening it in chromium", "least", "most"), rows)
    workload.report.ratio("seconds until the report is seen", min(paint), PAINT_SECONDS)
    workload.report.ratio("seconds until the report is loaded", min(loaded), LOADED_SECONDS)
