"""The lines of the queue and their order, kept on disk with every change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from slicer.i18n import tr as _
from TotalSegmentatorWire.job_folder import new_id, remove_folder

from TotalSegmentatorModuleLib.job_queue.queue_file import KeptQueue, QueueFile, kept_queues
from TotalSegmentatorModuleLib.job_queue.queued_ct import CtOrigin, QueuedChoices, QueuedCt, QueueState
from TotalSegmentatorModuleLib.job_queue.texts import title_of


class QueueList:
    """``on_changed`` is called after each change; ``on_note`` gets a sentence where the queue cannot be kept."""

    def __init__(self, work_folder: Path, on_changed: Callable[[], None], on_note: Callable[[str], None]) -> None:
        self._work_folder = work_folder
        self._on_changed = on_changed
        self._on_note = on_note
        self._file = QueueFile(work_folder)
        self._has_failed = False
        self._items: list[QueuedCt] = []

    def __iter__(self):
        return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def index(self, item: QueuedCt) -> int:
        return self._items.index(item)

    @property
    def waiting(self) -> list[QueuedCt]:
        return [item for item in self._items if item.state is QueueState.WAITING]

    # -- changes -------------------------------------------------------------------------------------------------------

    def add(self, origin: CtOrigin, choices: QueuedChoices, title: str, node_id: str = "") -> bool:
        """Put a CT at the end; False where the same one waits already for the same. ``node_id``: the volume or the
        sequence, where it is loaded."""
        for item in self._items:
            if item.is_pending and (item.origin, item.choices, item.node_id) == (origin, choices, node_id):
                return False
        self._items.append(QueuedCt(new_id(), origin, choices, title, node_id=node_id))
        self.changed()
        return True

    def move(self, item: QueuedCt, step: int) -> None:
        """Up (-1) or down (+1) by one line."""
        place = self._items.index(item)
        if 0 <= place + step < len(self._items):
            self._items.insert(place + step, self._items.pop(place))
            self.changed()

    def remove(self, item: QueuedCt) -> None:
        """Its result, if there is one, stays."""
        self._items.remove(item)
        self.changed()

    def changed(self) -> None:
        """Something about a line is another."""
        self.save()
        self._on_changed()

    def save(self) -> bool:
        """Whether what has to outlast a crash is on disk."""
        try:
            self._file.save(self._items)
        except OSError as error:
            logging.warning("The queue could not be kept on disk: %s", type(error).__name__)
            if not self._has_failed:
                self._on_note(
                    _("The queue cannot be kept on disk, probably for want of space. After a crash, it would be lost.")
                )
            self._has_failed = True
            return False
        self._has_failed = False
        return True

    # -- what an earlier Slicer left -----------------------------------------------------------------------------------

    def offers(self) -> list[KeptQueue]:
        """Queues that an earlier Slicer could not finish, oldest first."""
        return [kept for kept in kept_queues(self._work_folder) if not self._file.is_of(kept)]

    def take_over(self, kept: KeptQueue) -> None:
        """Its lines come after those that are here."""
        for number, item in enumerate(kept.items, start=1):
            item.title = title_of(item.origin, number)
            item.revive()
        self._items += kept.items
        if self.save():
            remove_folder(kept.folder)
        self._on_changed()

    def discard(self, kept: KeptQueue) -> None:
        remove_folder(kept.folder)

    def claims(self, job_id: str) -> bool:
        """Whether a finished result belongs to a line that waits here, or in a queue that is offered."""
        lists = [self._items, *(kept.items for kept in self.offers())]
        return any(item.is_kept and job_id in item.jobs.values() for items in lists for item in items)
