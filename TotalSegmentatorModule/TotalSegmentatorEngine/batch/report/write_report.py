"""Writes the report over all CTs of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path

from TotalSegmentatorEngine.batch.report.contents import gather
from TotalSegmentatorEngine.batch.report.page import report_page
from TotalSegmentatorEngine.batch.report.pictures import Pictures
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file

REPORT = "report.html"


def write_report(
    folder: Path,
    outcomes: Iterable[Outcome],
    passed_over: Mapping[str, int] | None = None,
    copies: int = 0,
    known_ids: Collection[str] = (),
) -> Path:
    """``folder``: of the run, with a folder for each CT, from which the pictures are read. ``outcomes``: as
    ``BatchFolder.outcomes`` gives them. ``passed_over``, ``copies``: as FoundInputs has them. ``known_ids``: of all CTs
    that belong to the run, done or not. Returns the file.

    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    contents = gather(outcomes, passed_over, copies, known_ids)
    page = report_page(contents, Pictures(folder), date.today()).encode("utf-8")
    path = folder / REPORT
    with atomic_file(path, len(page)) as stream:
        stream.write(page)
    return path
