"""The private folders of jobs, workers, results, reviews and queues: names, owners, removal.

::

    <work folder>/jobs/<job id>/            events.jsonl, cancel, ct.json, ct.raw, owner.json
    <work folder>/jobs/worker-<id>/         events.jsonl (Hello, Bye), worker.log, owner.json
    <work folder>/results/<job id>/         labels.raw, result.json, computed.json, owner.json
    <work folder>/reviews/<id>/             review.json, owner.json, <digest>.z (voxels, and what the model computed)
    <work folder>/queues/<id>/              queue.json, owner.json

The owner of a folder is the Slicer process that asked for it. A folder in ``jobs`` dies with its owner; a finished
result waits for its import, a review that was not saved for its restoration, and a queue for being resumed, each at
most RESULT_DAYS.
"""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from TotalSegmentatorWire.process_identity import (
    ProcessIdentity,
    is_alive,
    is_here,
    read_identity,
    this_process,
    write_identity,
)

EVENTS_FILE = "events.jsonl"
CANCEL_FILE = "cancel"
CT_HEADER = "ct.json"
CT_VOXELS = "ct.raw"
RESULT_HEADER = "result.json"
RESULT_LABELS = "labels.raw"
RESULT_COMPUTED = "computed.json"
OWNER_FILE = "owner.json"
WORKER_LOG = "worker.log"
RESULT_DRAFT = "result"
"""Folder inside a job's folder in which the worker prepares the result before it renames it into ``results``."""

RESULT_DAYS = 7
"""A result that nobody imported or declined, a review that nobody restored, and a queue that nobody resumed, is removed
after so many days."""
_ORPHAN_SECONDS = 3600.0  # a folder without a readable owner is left alone for so long: it may be just in the making
_DAY = 86400.0
_WORKER_PREFIX = "worker-"
_NEW_PREFIX = "new-"
_OURS = re.compile("^(?:{})?(?:{})?[0-9a-f]{{32}}$".format(_NEW_PREFIX, _WORKER_PREFIX))


def new_id() -> str:
    """A fresh id of 32 hexadecimal digits."""
    return uuid.uuid4().hex


def jobs_folder(work_folder: Path) -> Path:
    return work_folder / "jobs"


def results_folder(work_folder: Path) -> Path:
    return work_folder / "results"


def reviews_folder(work_folder: Path) -> Path:
    return work_folder / "reviews"


def queues_folder(work_folder: Path) -> Path:
    return work_folder / "queues"


def worker_folder_name() -> str:
    """Name of a new worker's own folder below ``jobs``."""
    return _WORKER_PREFIX + new_id()


def create_private_folder(parent: Path, name: str) -> Path:
    """Make ``parent/name``, readable by this user only (mode 0700; on Windows the profile's own rights guard it).

    Missing parents are made alike. Raises FileExistsError when the folder exists, other OSError when it cannot be made.
    """
    if not parent.is_dir():
        for missing in [folder for folder in reversed([parent, *parent.parents]) if not folder.exists()]:
            missing.mkdir(mode=0o700, exist_ok=True)
    folder = parent / name
    folder.mkdir(mode=0o700)
    return folder


def create_owned_folder(parent: Path, name: str, owner: ProcessIdentity | None = None) -> Path:
    """A private folder with its ``owner.json``; it appears under its name only when it is complete.

    So nobody who sweeps ever sees a living owner's folder without its owner. Raises OSError.
    """
    draft = create_private_folder(parent, _NEW_PREFIX + name)
    write_owner(draft, owner or this_process())
    return draft.rename(parent / name)


def write_owner(folder: Path, owner: ProcessIdentity) -> None:
    """Write ``owner.json``. Raises OSError."""
    write_identity(folder / OWNER_FILE, owner)


def read_owner(folder: Path) -> ProcessIdentity | None:
    """The owner of a folder, None when its file does not say."""
    return read_identity(folder / OWNER_FILE)


def remove_folder(folder: Path, attempts: int = 5) -> bool:
    """Remove a folder with all that is in it; True when it is gone.

    Tried again a few times, because a process that was just killed may still add a file (all systems) or hold one open
    (Windows). What cannot be removed now is left to the next sweep.
    """
    for attempt in range(attempts):
        if attempt:
            time.sleep(0.02)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return True
    return False


def sweep(work_folder: Path) -> int:
    """Remove what nobody owns any more; returns the number of folders removed.

    In ``jobs``: folders whose owner has ended. In ``results``, ``reviews`` and ``queues``: those in which nothing was
    written for RESULT_DAYS. The reviews, queues and jobs of a living owner, younger results, and anything whose name
    this program would not have given are never touched.
    """
    now = time.time()
    doomed = [folder for folder in _folders(jobs_folder(work_folder)) if _is_abandoned(folder, now)]
    doomed += [folder for folder in _folders(results_folder(work_folder)) if _is_old(folder, now)]
    for parent in (reviews_folder(work_folder), queues_folder(work_folder)):
        doomed += [folder for folder in _folders(parent) if _is_old(folder, now) and _is_abandoned(folder, now)]
    return sum(remove_folder(folder, attempts=1) for folder in doomed)


def _folders(parent: Path) -> Iterator[Path]:
    try:
        entries = list(parent.iterdir())
    except OSError:
        return
    for entry in entries:
        if _OURS.match(entry.name) and entry.is_dir() and not entry.is_symlink():
            yield entry


def _is_abandoned(folder: Path, now: float) -> bool:
    owner = read_owner(folder)
    if owner is None:
        return _age(folder, now) > _ORPHAN_SECONDS
    if not is_here(owner):  # a home folder shared with another computer: only its age counts
        return _is_old(folder, now)
    return not is_alive(owner)


def _is_old(folder: Path, now: float) -> bool:
    return _age(folder, now) > RESULT_DAYS * _DAY


def _age(folder: Path, now: float) -> float:
    """Seconds since something in the folder was last written; 0 when that is unknown."""
    try:
        return now - max([folder.stat().st_mtime, *(entry.stat().st_mtime for entry in folder.iterdir())])
    except OSError:
        return 0.0
