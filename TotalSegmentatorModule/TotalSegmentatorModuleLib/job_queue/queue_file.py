"""The queue on disk, so that it outlasts a crash.

::

    queues/<id>/queue.json     what is in the queue, readable by this user alone
    queues/<id>/owner.json     the Slicer process whose queue it is

No name of a patient or a volume is kept. A queue in which nothing waits any more is removed.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.job_folder import (
    create_owned_folder,
    new_id,
    queues_folder,
    read_owner,
    remove_folder,
)
from TotalSegmentatorWire.process_identity import is_alive, this_process

from TotalSegmentatorModuleLib.job_queue.queued_ct import (
    CtOrigin,
    QueuedChoices,
    QueuedCt,
    QueueState,
    problem_from_json,
    problem_to_json,
)

QUEUE_FILE = "queue.json"
_VERSION = 1


@dataclass(frozen=True)
class KeptQueue:
    """A queue that its Slicer could not finish."""

    folder: Path
    written: str
    """ISO 8601, UTC"""
    items: list[QueuedCt]

    @property
    def left(self) -> int:
        return sum(item.is_kept for item in self.items)


class QueueFile:
    """The file of one running Slicer's queue. Its folder is made when there is something to keep."""

    def __init__(self, work_folder: Path) -> None:
        self._parent = queues_folder(work_folder)
        self._folder: Path | None = None

    def save(self, items: Sequence[QueuedCt]) -> None:
        """Keep ``items``, or nothing at all where none has to outlast a crash. Raises OSError."""
        if not any(item.is_kept for item in items):
            self.remove()
            return
        if self._folder is None or not self._folder.is_dir():
            self._folder = create_owned_folder(self._parent, new_id())
        content = {
            "version": _VERSION,
            "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "items": [_item_to_json(item) for item in items],
        }
        _write_whole(self._folder / QUEUE_FILE, json.dumps(content))

    def remove(self) -> None:
        if self._folder is not None:
            remove_folder(self._folder)
            self._folder = None

    def is_of(self, kept: KeptQueue) -> bool:
        return kept.folder == self._folder


def kept_queues(work_folder: Path) -> list[KeptQueue]:
    """Those whose Slicer has ended with something still waiting, oldest first; also what this very process has left,
    whose module was reloaded. What cannot be read is left to the sweep."""
    parent, found = queues_folder(work_folder), []
    for folder in parent.iterdir() if parent.is_dir() else ():
        owner = read_owner(folder)
        if owner is None or (owner != this_process() and is_alive(owner)):
            continue
        kept = _read(folder)
        if kept is not None and kept.left:
            found.append(kept)
    return sorted(found, key=lambda kept: kept.written)


def _write_whole(path: Path, text: str) -> None:
    """Replace the file as a whole, so that there is always one that can be read; for this user alone. Not forced onto
    the disk, for which Slicer would have to wait: it outlasts a killed process, not a power cut."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


def _read(folder: Path) -> KeptQueue | None:
    try:
        content = json.loads((folder / QUEUE_FILE).read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            return None
        return KeptQueue(folder, str(content["written"]), [_item_from_json(fields) for fields in content["items"]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _item_to_json(item: QueuedCt) -> dict[str, Any]:
    return {
        "id": item.id,
        "origin": dataclasses.asdict(item.origin),
        "choices": dataclasses.asdict(item.choices),
        "state": item.state.value,
        "problem": problem_to_json(item.problem),
        "jobs": {str(frame): job for frame, job in item.jobs.items()},
        "done": item.done,
        "is_unsaved": item.is_unsaved,
        "failed": {str(frame): problem_to_json(problem) for frame, problem in item.failed.items()},
    }


def _item_from_json(fields: dict[str, Any]) -> QueuedCt:
    origin = CtOrigin(**fields["origin"])
    failed = {int(frame): problem_from_json(problem) for frame, problem in fields["failed"].items()}
    return QueuedCt(
        id=str(fields["id"]),
        origin=dataclasses.replace(origin, shape=tuple(origin.shape), ijk_to_ras=tuple(origin.ijk_to_ras)),
        choices=QueuedChoices(**fields["choices"]),
        state=QueueState(fields["state"]),
        problem=problem_from_json(fields["problem"]),
        jobs={int(frame): str(job) for frame, job in fields["jobs"].items()},
        done=[int(frame) for frame in fields["done"]],
        is_unsaved=bool(fields["is_unsaved"]),
        failed={frame: problem for frame, problem in failed.items() if problem is not None},
    )
