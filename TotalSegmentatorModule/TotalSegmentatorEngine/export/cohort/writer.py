"""Writes the report of a comparison of many pairs: the page and, beside it, its figures as CSV and as Parquet."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from pathlib import Path

from TotalSegmentatorEngine.export.cohort.outcome import Cohort
from TotalSegmentatorEngine.export.cohort.page import cohort_page
from TotalSegmentatorEngine.export.cohort.tables import COLUMNS, rows_of
from TotalSegmentatorEngine.export.files.data_table import TableWriter
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file


def companions(report: Path) -> dict[str, Path]:
    """What is written beside the page, by what it is called."""
    return {"table": report.with_suffix(".csv"), "Parquet table": report.with_suffix(".parquet")}


def write_report(report: Path, cohort: Cohort, today: date) -> list[Path]:
    """All files appear, or none. Returns them. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    page = cohort_page(cohort, today).encode("utf-8")
    csv_path, parquet_path = companions(report).values()
    with ExitStack() as files:
        tables = [files.enter_context(atomic_file(path)) for path in (csv_path, parquet_path)]
        with TableWriter(*tables, COLUMNS) as table:
            table.write(rows_of(cohort))
        files.enter_context(atomic_file(report, len(page))).write(page)
    return [report, csv_path, parquet_path]
