"""Adds what was exported to Slicer's DICOM database, while Slicer can be used."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import ctk
import slicer

from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError
from TotalSegmentatorModuleLib.scene.dicom.database import open_database

_WAITING_MS, _CHECKING_MS = 50, 5
_WORK_SECONDS = 0.012
_SOP_INSTANCE_UID = "0008,0018"


def has_database() -> bool:
    """Whether there is a database to add to: the DICOM module may be switched off, or no folder chosen for it."""
    return open_database() is not None and hasattr(ctk, "ctkDICOMIndexer")


def add_to_database(paths: Sequence[Path]) -> Generator[int, None, bool]:
    """A task (see task_runner) that adds DICOM files, or all ``.dcm`` files of folders; cancelled, it adds no more.

    Returns whether the database has every file now; the reason against it is in Slicer's log. The database keeps
    copies, so that what was exported can be moved or removed afterwards. Slicer's DICOM browser shows the patient,
    study and series at once: the database watches its own file.
    """
    files = [str(file) for path in paths for file in (sorted(path.rglob("*.dcm")) if path.is_dir() else [path])]
    if not files or not has_database():
        return False
    try:
        yield from _index(files)
        missing = yield from _count_missing(files)
    except Exception:
        logging.exception("The export could not be added to the DICOM database")
        return False
    if missing:
        logging.error("The DICOM database did not take %d of %d exported files", missing, len(files))
    return not missing


def _index(files: list[str]) -> Generator[int, None, None]:
    """CTK's indexer reads and copies in a thread of its own. Without ``backgroundImportEnabled`` it would run an event
    loop inside of the call until all files are in.

    ``importing`` turns false when the thread has closed its connection to the database.
    """
    indexer = ctk.ctkDICOMIndexer()
    indexer.backgroundImportEnabled = True
    indexer.addListOfFiles(slicer.dicomDatabase, files, True)
    while indexer.importing:
        try:
            yield _WAITING_MS
        except TaskCancelledError:
            indexer.cancel()


def _count_missing(files: list[str]) -> Generator[int, None, int]:
    """The indexer does not report which files it refused; it only logs them."""
    missing = 0
    until = time.perf_counter() + _WORK_SECONDS
    for file in files:
        uid = slicer.dicomDatabase.fileValue(file, _SOP_INSTANCE_UID)
        missing += not (uid and slicer.dicomDatabase.fileForInstance(uid))
        if time.perf_counter() >= until:
            with contextlib.suppress(TaskCancelledError):  # they are in already
                yield _CHECKING_MS
            until = time.perf_counter() + _WORK_SECONDS
    return missing
