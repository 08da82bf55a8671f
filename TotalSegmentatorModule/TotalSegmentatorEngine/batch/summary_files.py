"""The files over all CTs of a run: who writes them, and when."""

from __future__ import annotations

from TotalSegmentatorEngine.batch.inputs.case import FoundInputs
from TotalSegmentatorEngine.batch.report.write_report import REPORT, write_report
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.input_table import InputRow, read_inputs
from TotalSegmentatorEngine.batch.table.write_tables import write_tables

SECONDS_BETWEEN = 300.0
"""So often do shares that others follow write the files: a thousand of them would else read all records a thousand
times, one after the other."""


def write_summaries(folder: BatchFolder, found: FoundInputs, keep_names: bool, is_share: bool) -> int:
    """Writes table and report over all that is done, by whomever.

    A share leaves files that are not SECONDS_BETWEEN old as they are while CTs of other shares are missing; whoever
    does the last CT writes them. Returns how many CTs are missing where the files were left, else 0.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    rows = read_inputs(folder)
    if is_share and (missing := _missing(folder, rows)) and _is_recent(folder):
        return missing
    with folder.claim("tables"):
        if is_share and (missing := _missing(folder, rows)) and _is_recent(folder):  # another one wrote them meanwhile
            return missing
        uids = {row.id: row.series for row in rows if row.series} if keep_names else {}
        write_tables(folder.path, folder.outcomes(), uids)
        known = {row.id for row in rows}
        write_report(folder.path, folder.outcomes(), found.passed_over, found.copies, known)
    return 0


def _missing(folder: BatchFolder, rows: list[InputRow]) -> int:
    return sum(not folder.recorded_at(case_id) for case_id in {row.id for row in rows})


def _is_recent(folder: BatchFolder) -> bool:
    """By the clock of the file system."""
    try:
        return folder.now() - (folder.path / REPORT).stat().st_mtime < SECONDS_BETWEEN
    except OSError:
        return False
