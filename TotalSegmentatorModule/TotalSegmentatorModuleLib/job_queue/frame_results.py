"""The files of frames' results stay until the sequence of segmentations, in the scene alone till then, is saved."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from TotalSegmentatorModuleLib.job_queue.queued_ct import QueuedCt
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker

LOOK_MS = 5000


class FrameResults:
    """``on_released`` is called with a line of the queue whose files are not needed any more."""

    def __init__(self, on_released: Callable[[QueuedCt], None]) -> None:
        self._on_released = on_released
        self._kept: dict[str, tuple[QueuedCt, list[Callable[[], None]]]] = {}
        self._ticker = Ticker(self._look)

    def keep(self, item: QueuedCt, discard: Callable[[], None]) -> None:
        """``discard`` removes the files of one frame's result."""
        self._kept.setdefault(item.id, (item, []))[1].append(discard)
        item.is_unsaved = True
        self._ticker.start()

    def release(self, item: QueuedCt) -> None:
        """Nobody misses them: the sequence is saved, or was not wanted."""
        _item, discards = self._kept.pop(item.id, (item, []))
        for discard in discards:
            discard()
        if item.is_unsaved:
            item.is_unsaved = False
            self._on_released(item)

    def release_all(self) -> None:
        for item, _discards in list(self._kept.values()):
            self.release(item)

    def close(self) -> None:
        """The application quits. What the user did not save is not wanted; what is not finished is for the next one."""
        self._ticker.dispose()
        for item, _discards in list(self._kept.values()):
            if not item.is_pending:
                self.release(item)

    def _look(self) -> int | None:
        for item, _discards in list(self._kept.values()):
            target = slicer.mrmlScene.GetNodeByID(item.target_id)
            if not item.is_pending and (target is None or _is_stored(target)):
                self.release(item)
        return LOOK_MS if self._kept else None


def _is_stored(sequence) -> bool:
    """Whether Slicer has written or read the file of the sequence since it was last changed."""
    storage = sequence.GetStorageNode()
    return storage is not None and bool(storage.GetStoredTime().GetMTime()) and not sequence.GetModifiedSinceRead()
