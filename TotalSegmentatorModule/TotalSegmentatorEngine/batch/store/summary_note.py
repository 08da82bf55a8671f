"""``private/summarized.txt``: when the files over all CTs began to be written, and whether they hold names.

Their own times of change say less: a record that was written while they were is older than they are, but not in them.
"""

from __future__ import annotations

from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.input_table import INPUT_TABLE
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file

_NOTE = "summarized.txt"


def note_summary(folder: BatchFolder, began: float, keep_names: bool) -> None:
    """``began``: by ``BatchFolder.now``. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    with atomic_file(folder.private / _NOTE) as stream:
        stream.write(f"{began!r} {keep_names}".encode("ascii"))


def is_unchanged(folder: BatchFolder, keep_names: bool) -> bool:
    """Whether no record and no input has changed since the files began to be written; False where nobody knows."""
    try:
        began, with_names = (folder.private / _NOTE).read_text(encoding="ascii").split()
        changed = [(folder.private / INPUT_TABLE).stat().st_mtime]
        changed += [folder.recorded_at(case_id) for case_id in folder.case_ids()]
        return with_names == str(keep_names) and max(changed) < float(began)
    except (OSError, ValueError):
        return False
