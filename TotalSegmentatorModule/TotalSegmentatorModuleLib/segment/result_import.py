"""A result that was read becomes a segmentation of the scene, without a step that a user would notice.

The segmentation is prepared out of sight. One step puts it into the scene, whole; from then on nothing can be lost.
What follows is a matter of display, and is made up for at any time.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.scene.computed_structures import keep_computed
from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice
from TotalSegmentatorModuleLib.scene.segment_notices import SegmentNotices
from TotalSegmentatorModuleLib.scene.segmentation_import import (
    ImportTarget,
    LabelImage,
    add_to_scene,
    prepared_segmentation,
    review_of,
)
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import release_images
from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
from TotalSegmentatorModuleLib.segment.older_results import hide_result, older_results
from TotalSegmentatorModuleLib.segment.progress_text import absent_text, ct_not_found_text
from TotalSegmentatorModuleLib.segment.result_name import result_name

WORK_SECONDS = 0.005
_REST_MS = 5
"""Between two steps, so that Slicer can draw and take a click."""


class ResultImport:
    """``task`` imports one result; ``step`` and ``finish`` do what follows, for the last one that was imported."""

    def __init__(self, callbacks: JobCallbacks, clock: Callable[[], float] = time.monotonic) -> None:
        self._callbacks = callbacks
        self._clock = clock
        self._older: deque[str] = deque()
        self._notices = SegmentNotices()

    def task(
        self,
        header: ResultHeader,
        images: Sequence[LabelImage],
        find_target_ct: Callable[[], Any],
        choice: OutputChoice,
        computed: str,
        on_imported: Callable[[Any], None],
    ) -> Generator[int, None, tuple[Any, ResultHeader]]:
        """A part of a background task (see task_runner): returns the vtkMRMLSegmentationNode and the header.

        Ended early, it has not touched the scene. ``images``: of each layer. ``find_target_ct`` and ``choice`` are
        asked in the step that does; ``on_imported`` gets the node in it as soon as the segmentation is in the scene.
        ``computed``: the structures as ``computed_to_json`` packs them, to be kept with the segmentation; empty where
        there are none.
        """
        segmentation = yield from self._prepared(header, images)
        ct = find_target_ct()
        is_lost, output = choice.is_lost, choice.resolve()
        name = result_name(ct.GetName() if ct is not None else "", header)
        self.finish()  # of the result before
        node, former = add_to_scene(segmentation, ImportTarget(ct, output, name), review_of(header))
        choice.taken_by(node)
        on_imported(node)
        keep_computed(node, computed)
        self._older.extend(each for each in older_results(node) if each != choice.kept_id)
        self._notices.add(node, former)
        self._tell_where_it_went(header, ct, is_lost, output is None)
        return node, header

    def _prepared(self, header: ResultHeader, images: Sequence[LabelImage]) -> Generator[int, None, Any]:
        segmentation = yield from prepared_in_steps(header, images, self._clock)
        try:
            yield _REST_MS  # the scene's turn is a step of its own
        except BaseException:
            release_images(segmentation)
            raise
        return segmentation

    def _tell_where_it_went(self, header: ResultHeader, ct, is_output_lost: bool, is_new: bool) -> None:
        if ct is None:
            self._callbacks.on_note(ct_not_found_text())
        if is_output_lost:
            self._callbacks.on_note(
                _("The output segmentation was edited or removed in the meantime, so a new one was created.")
                if is_new
                else _(
                    "The output segmentation was edited or removed in the meantime, so the result is in the one of the "
                    "preview."
                )
            )
        if absent_text(header):
            self._callbacks.on_log(absent_text(header) + "\n")

    # -- what follows --------------------------------------------------------------------------------------------------

    def step(self) -> int | None:
        """Do a part of what follows; returns for how many milliseconds the next one can wait, None when there is none
        left."""
        try:
            if self._older:
                hide_result(self._older.popleft())
                return _REST_MS
            return self._notices.step()
        except Exception:
            logging.exception("A result could not be shown everywhere")  # nothing of it is lost, and no job may suffer
            return _REST_MS

    def finish(self) -> None:
        """Do all that is left, at once."""
        while self._older:
            hide_result(self._older.popleft())
        self._notices.finish()


def prepared_in_steps(
    header: ResultHeader, images: Sequence[LabelImage], clock: Callable[[], float] = time.monotonic
) -> Generator[int, None, Any]:
    """The vtkSegmentation of a result, a few segments at a time; yields for how many milliseconds to rest."""
    preparation = prepared_segmentation(images, header)
    deadline = clock() + WORK_SECONDS
    try:
        while True:
            try:
                next(preparation)
            except StopIteration as stop:
                return stop.value
            if clock() >= deadline:
                yield _REST_MS
                deadline = clock() + WORK_SECONDS
    finally:
        preparation.close()
