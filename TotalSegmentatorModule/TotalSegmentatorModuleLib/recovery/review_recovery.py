"""What the panel knows of saved reviews: those of an earlier Slicer, offered and restored, and those of this one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.recovery.autosave import ReviewAutosave
from TotalSegmentatorModuleLib.recovery.restoration import ct_of_review, restored_review
from TotalSegmentatorModuleLib.recovery.saved_review import UnsavedReview, unsaved_reviews
from TotalSegmentatorModuleLib.scene.segment_notices import SegmentNotices


@dataclass(frozen=True)
class RecoveryCallbacks:
    on_offers: Callable[[list[UnsavedReview]], None]
    """Reviews that an earlier Slicer could not finish, oldest first."""
    on_restored: Callable[[Any, Any], None]
    """The vtkMRMLSegmentationNode, and the vtkMRMLScalarVolumeNode on which it was put, or None."""
    on_failed: Callable[[Problem], None]
    on_note: Callable[[str], None]
    on_changed: Callable[[], None]
    """A restoration has begun or ended."""


class ReviewRecovery:
    """Lives as long as the panel. ``work_folder``: private to the user; several Slicers may share it."""

    def __init__(self, work_folder: Path, callbacks: RecoveryCallbacks) -> None:
        self._work_folder = work_folder
        self._callbacks = callbacks
        self._autosave = ReviewAutosave(work_folder, callbacks.on_note)
        self._notices = SegmentNotices()
        self._runner = TaskRunner(
            Ticker, work_folder, lambda _busy, _cancelling: callbacks.on_changed(), self._notices.step
        )
        self._restoring: UnsavedReview | None = None

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def look(self) -> None:
        """Report which reviews can be restored."""
        unsaved = [] if self.is_busy else unsaved_reviews(self._work_folder)
        self._callbacks.on_offers([each for each in unsaved if not self._autosave.is_being_removed(each)])

    def lacks_ct(self, unsaved: UnsavedReview, ct) -> bool:
        """Whether it was made on a CT that is not in the scene. ``ct`` as for ``restore``."""
        return unsaved.review.ct is not None and ct_of_review(unsaved, ct) is None

    def restore(self, unsaved: UnsavedReview, ct) -> None:
        """Put it on ``ct`` (vtkMRMLScalarVolumeNode or None) if its grid fits, else on the volume whose grid does. What
        was saved is kept if this fails."""
        if not self.is_busy:
            self._restoring = unsaved
            self._runner.start(restored_review(unsaved, ct, self._notices), self._on_end)

    def discard(self, unsaved: UnsavedReview) -> None:
        self._autosave.discard(unsaved)

    def call_when_safe(self, node, action: Callable[[], None]) -> None:
        """Call ``action`` once ``node`` (vtkMRMLSegmentationNode) is saved as it is now, or not wanted any more."""
        self._autosave.call_when_safe(node, action)

    def scene_closing(self) -> None:
        self._runner.stop()

    def close(self) -> None:
        """The application quits or the module is reloaded."""
        self._runner.dispose()
        self._notices.finish()
        self._autosave.close()

    def _on_end(self, end: TaskEnd) -> None:
        unsaved, self._restoring = self._restoring, None
        if end.problem is not None:
            self.look()
            self._callbacks.on_failed(end.problem)
        elif not end.is_cancelled:
            node, ct = end.result
            try:
                self._autosave.adopt(node, unsaved)
            except OSError as error:  # it is saved anew in a folder of its own
                logging.warning("The folder of a restored review could not be taken over: %s", type(error).__name__)
            self._callbacks.on_restored(node, ct)
