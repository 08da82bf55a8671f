"""Saves the reviews of the scene in the background, and forgets them when they are saved or closed.

What was computed by this module is looked at now and then. A segmentation that differs from what Slicer has stored is
saved as soon as nobody changes it for a moment. Once Slicer has stored it (with the scene or alone), the node has left
the scene, or the application quits, after which nobody misses it, the saved review is removed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.job_folder import create_owned_folder, new_id, reviews_folder, write_owner
from TotalSegmentatorWire.process_identity import this_process

from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.recovery.saved_review import UnsavedReview
from TotalSegmentatorModuleLib.recovery.snapshot import MODEL_TAG, Written, save_review
from TotalSegmentatorModuleLib.scene.output_segmentation import change_stamp
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tags.result_mark import is_result
from TotalSegmentatorModuleLib.tags.review_flags import REVIEW_ATTRIBUTE
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag

LOOK_MS = 1000
_LATEST_SECONDS = 15.0
"""What is changed without a pause is saved after so long."""
RETRY_SECONDS = 60.0


@dataclass
class _Watched:
    """One segmentation node."""

    node_id: str
    stored: int
    """When Slicer stored it last, as VTK counts; 0: never."""
    settled: Hashable = None
    """Its stamp when it was stored or saved here."""
    seen: Hashable = None
    """Its stamp when it was looked at last."""
    changed_at: float = 0.0
    """When it was first seen to differ."""
    created: str = ""
    folder: Path | None = None
    written: Written = field(default_factory=Written)
    when_safe: list[Callable[[], None]] = field(default_factory=list)


class ReviewAutosave:
    """``on_note`` gets a sentence for the user where reviews cannot be saved."""

    def __init__(self, work_folder: Path, on_note: Callable[[str], None], clock=time.monotonic) -> None:
        self._parent = reviews_folder(work_folder)
        self._on_note = on_note
        self._clock = clock
        self._removal = FolderRemoval()
        self._watched: dict[str, _Watched] = {}
        self._saving: Generator[int, None, bool] | None = None
        self._of: _Watched | None = None
        self._stamp: Hashable = None
        self._retry_at = 0.0
        self._just_read: set[str] = set()
        self._observed = slicer.mrmlScene
        events = {
            slicer.vtkMRMLScene.EndImportEvent: self._on_import,
            slicer.vtkMRMLScene.EndCloseEvent: self._on_close,
        }
        self._tags = [self._observed.AddObserver(event, function) for event, function in events.items()]
        self._ticker = Ticker(self._tick)
        self._ticker.start()

    def call_when_safe(self, node, action: Callable[[], None]) -> None:
        """Call ``action`` once ``node`` (vtkMRMLSegmentationNode) is saved as it is now, or not wanted any more."""
        watched = self._watch(node)
        watched.when_safe.append(action)
        watched.settled = None

    def adopt(self, node, unsaved: UnsavedReview) -> None:
        """``node`` was restored from ``unsaved``, whose folder is its own from now on. Raises OSError."""
        write_owner(unsaved.folder, this_process())
        watched = self._watch(node)
        if watched.folder is not None:  # a look has come first
            self._remove_saved(watched)
            watched.settled = None
        watched.folder, watched.created, watched.written = unsaved.folder, unsaved.review.created, Written()

    def discard(self, unsaved: UnsavedReview) -> None:
        self._removal.add(unsaved.folder)
        self._ticker.start()

    def is_being_removed(self, unsaved: UnsavedReview) -> bool:
        return unsaved.folder in self._removal

    def close(self) -> None:
        """The application quits or the module is reloaded: what the user did not save is not wanted."""
        for tag in self._tags:
            self._observed.RemoveObserver(tag)
        self._ticker.dispose()
        self._end_saving()
        for node_id in list(self._watched):
            self._forget(node_id)
        self._removal.finish()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _tick(self) -> int | None:
        try:
            removal_ms = self._removal.step()
            wait_ms = self._save_some() if self._saving is not None else self._look()
        except Exception as error:  # noqa: BLE001 - a ticker whose tick raises rests: nothing would be saved any more
            self._end_saving()
            if self._clock() >= self._retry_at:  # not in every look
                self._failed(error)
            return LOOK_MS
        return wait_ms if removal_ms is None else min(wait_ms, removal_ms)

    def _on_close(self, scene, _event) -> None:
        """Nodes of the next scene get the ids of those that have gone."""
        for node_id in [each for each in self._watched if scene.GetNodeByID(each) is None]:
            self._forget(node_id)

    def _on_import(self, scene, _event) -> None:
        """What was just read is as it was stored, although Slicer itself goes on to change it for a moment."""
        nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene)
        self._just_read |= {node.GetID() for node in nodes if node.GetID() not in self._watched}

    def _look(self) -> int:
        """Find what has to be saved or forgotten; begins to save one segmentation."""
        scene = slicer.mrmlScene
        if scene.IsImporting() or scene.IsClosing() or scene.IsBatchProcessing():
            return LOOK_MS
        nodes = {node.GetID(): node for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")}
        for node_id in [each for each in self._watched if each not in nodes]:
            self._forget(node_id)
        for node in nodes.values():
            if _is_ours(node) and node.GetSegmentation().GetSourceRepresentationName() == BINARY_LABELMAP:
                self._look_at(node)
                if self._saving is not None:
                    return 0
        self._just_read.clear()
        return LOOK_MS

    def _look_at(self, node) -> None:
        watched, stamp, now = self._watch(node), _stamp(node), self._clock()
        stored = _stored_time(node)
        if stored != watched.stored:
            watched.stored = stored
            if not node.GetModifiedSinceRead():  # else somebody drew after it was stored
                watched.settled = stamp
                self._remove_saved(watched)
        if stamp == watched.settled:
            watched.seen = stamp
            return
        if watched.seen == watched.settled:
            watched.changed_at = now
        is_quiet, watched.seen = stamp == watched.seen, stamp
        if (is_quiet or now - watched.changed_at >= _LATEST_SECONDS) and now >= self._retry_at:
            self._begin(watched, stamp)

    def _watch(self, node) -> _Watched:
        watched = self._watched.get(node.GetID())
        if watched is None:
            watched = self._watched[node.GetID()] = _Watched(node.GetID(), _stored_time(node))
            if watched.stored and (node.GetID() in self._just_read or not node.GetModifiedSinceRead()):
                watched.settled = watched.seen = _stamp(node)
        return watched

    def _begin(self, watched: _Watched, stamp: Hashable) -> None:
        try:
            if watched.folder is None:
                watched.created = watched.created or datetime.now(timezone.utc).isoformat()
                watched.folder = create_owned_folder(self._parent, new_id())
                watched.written = Written()
        except OSError as error:
            self._failed(error)
            return
        self._of, self._stamp = watched, stamp
        self._saving = save_review(watched.node_id, watched.folder, watched.created, watched.written)

    def _save_some(self) -> int:
        try:
            return next(self._saving)
        except StopIteration as end:
            watched, is_saved = self._of, end.value
            self._end_saving()
            if is_saved:
                watched.settled = self._stamp
                _call_all(watched)
        except OSError as error:
            self._end_saving()
            self._failed(error)
        return LOOK_MS

    def _end_saving(self) -> None:
        saving, self._saving, self._of = self._saving, None, None
        if saving is not None:
            saving.close()

    def _failed(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) else ""  # no path, no values
        logging.warning("The review could not be saved: %s: %s", type(error).__name__, reason)
        if not self._retry_at:
            self._on_note(
                _(
                    "The review cannot be saved in the background, probably for want of disk space. Save the scene "
                    "from time to time."
                )
                if isinstance(error, OSError)
                else _("The review cannot be saved in the background. Save the scene from time to time.")
            )
        self._retry_at = self._clock() + RETRY_SECONDS

    def _forget(self, node_id: str) -> None:
        watched = self._watched.pop(node_id)
        if watched is self._of:
            self._end_saving()
        _call_all(watched)
        self._remove_saved(watched)

    def _remove_saved(self, watched: _Watched) -> None:
        if watched is self._of:
            self._end_saving()
        if watched.folder is not None:
            self._removal.add(watched.folder)
            watched.folder = None
        _call_all(watched)


def _call_all(watched: _Watched) -> None:
    actions, watched.when_safe = watched.when_safe, []
    for action in actions:
        action()


def _is_ours(node) -> bool:
    """Whether a vtkMRMLSegmentationNode holds a result of this module; one that was opened from its own file has lost
    the attributes of its node, but not the tags of its segments."""
    segmentation = node.GetSegmentation()
    return is_result(node) or any(read_tag(segmentation.GetSegment(each), MODEL_TAG) for each in all_segments(node))


def _stored_time(node) -> int:
    """Of the last time that Slicer wrote or read the node's file, as VTK counts; 0: never."""
    storage = node.GetStorageNode()
    return storage.GetStoredTime().GetMTime() if storage is not None else 0


def _stamp(node) -> Hashable:
    return change_stamp(node), node.GetAttribute(REVIEW_ATTRIBUTE)
