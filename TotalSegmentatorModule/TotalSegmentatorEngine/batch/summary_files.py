"""The files over all CTs of a run: who writes them, and when."""

from __future__ import annotations

from TotalSegmentatorEngine.batch.inputs.case import FoundInputs
from TotalSegmentatorEngine.batch.report.write_report import REPORT, write_report
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.input_table import read_inputs
from TotalSegmentatorEngine.batch.store.summary_note import is_unchanged, note_summary
from TotalSegmentatorEngine.batch.table.write_tables import CSV, PARQUET, write_tables

SECONDS_BETWEEN = 300.0
"""So often do shares that others follow write the files: a thousand of them would else read all records a thousand
times, one after the other."""


def write_summaries(folder: BatchFolder, found: FoundInputs, keep_names: bool, is_share: bool) -> int:
    """Writes table and report over all that is done, by whomever.

    A share leaves files that are not SECONDS_BETWEEN old as they are while CTs of other shares are missing; whoever
    does the last CT writes them. It also leaves those in which everything is already. ``found``: in all shares.
    Returns how many CTs are missing where the files were left for others, else 0.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    if is_share and (missing := _missing(folder, found)) and _is_recent(folder):
        return missing
    with folder.claim("tables"):
        if is_share:  # another one may have written them meanwhile
            missing = _missing(folder, found)
            if _is_recent(folder) if missing else _has_everything(folder, keep_names):
                return missing
        began = folder.now()
        rows = read_inputs(folder)
        uids = {row.id: row.series for row in rows if row.series} if keep_names else {}
        write_tables(folder.path, folder.outcomes(), uids)
        known = {row.id for row in rows}
        write_report(folder.path, folder.outcomes(), found.passed_over, found.copies, known)
        note_summary(folder, began, keep_names)
    return 0


def _missing(folder: BatchFolder, found: FoundInputs) -> int:
    """Of the CTs that are there now: ``inputs.csv`` also has those that were there once, and nobody can do them."""
    return sum(not folder.recorded_at(case.id) for case in found.cases)


def _has_everything(folder: BatchFolder, keep_names: bool) -> bool:
    """Whether all files are there, and written since the last record and the last input."""
    are_there = all((folder.path / name).exists() for name in (CSV, PARQUET, REPORT))
    return are_there and is_unchanged(folder, keep_names)


def _is_recent(folder: BatchFolder) -> bool:
    """By the clock of the file system."""
    try:
        return folder.now() - (folder.path / REPORT).stat().st_mtime < SECONDS_BETWEEN
    except OSError:
        return False
