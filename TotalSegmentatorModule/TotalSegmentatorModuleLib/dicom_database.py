"""Adds what was exported to Slicer's DICOM database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import ctk
import slicer


def has_database() -> bool:
    """Whether there is a database to add to: the DICOM module may be switched off, or no folder chosen for it."""
    database = getattr(slicer, "dicomDatabase", None)
    return database is not None and bool(database.isOpen) and hasattr(ctk, "ctkDICOMIndexer")


def add_to_database(paths: Sequence[Path]) -> bool:
    """Add DICOM files, or all files of folders; False where that failed, with the reason in Slicer's log.

    The database keeps copies, so that what was exported can be moved or removed afterwards. The patient, study and
    series appear in Slicer's DICOM browser at once.
    """
    files = [str(file) for path in paths for file in (sorted(path.rglob("*.dcm")) if path.is_dir() else [path])]
    if not has_database():
        return False
    try:
        indexer = ctk.ctkDICOMIndexer()
        indexer.addListOfFiles(slicer.dicomDatabase, files, True)
        indexer.waitForImportFinished()
    except Exception:
        logging.exception("The export could not be added to the DICOM database")
        return False
    return True
