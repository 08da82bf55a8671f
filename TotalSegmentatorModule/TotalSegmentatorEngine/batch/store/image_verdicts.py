"""``private/image_kinds.csv``: which image files are segmentations, so that no later run reads all their voxels again.

It holds no paths, only the stamps of files. It can be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from TotalSegmentatorWire.tables.csv_table import read_csv

from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.private_table import write_private_table

RULES = 1
"""To be raised where image_kinds.py judges otherwise than before: files are then judged anew."""

_COLUMNS = ("stamp", f"is_segmentation_by_rules_{RULES}")
_WORDS = {"no": False, "yes": True}


def read_verdicts(folder: BatchFolder) -> dict[str, bool]:
    """By stamp (digests.py); none in a new folder, and where the table cannot be read or is of other rules."""
    try:
        rows = read_csv(_file(folder), _COLUMNS)
    except (OSError, ValueError):
        return {}
    return {row["stamp"]: _WORDS[row[_COLUMNS[1]]] for row in rows if row[_COLUMNS[1]] in _WORDS}


def record_verdicts(folder: BatchFolder, verdicts: Mapping[str, bool]) -> None:
    """Adds to those that are there. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    if verdicts.items() <= read_verdicts(folder).items():
        return
    with folder.claim("inputs"):
        rows = read_verdicts(folder) | dict(verdicts)
        words = {verdict: word for word, verdict in _WORDS.items()}
        write_private_table(_file(folder), _COLUMNS, ((stamp, words[verdict]) for stamp, verdict in rows.items()))


def _file(folder: BatchFolder) -> Path:
    return folder.private / "image_kinds.csv"
