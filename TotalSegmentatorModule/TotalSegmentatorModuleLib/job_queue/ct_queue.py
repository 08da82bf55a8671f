"""The queue itself: which CT is next, and what becomes of each. It knows the session and the scene, but no widgets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import slicer
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, ignore
from TotalSegmentatorModuleLib.job_queue.choices import order_of
from TotalSegmentatorModuleLib.job_queue.ct_origin import find_loaded, load_again
from TotalSegmentatorModuleLib.job_queue.frame_results import FrameResults
from TotalSegmentatorModuleLib.job_queue.queue_file import KeptQueue
from TotalSegmentatorModuleLib.job_queue.queue_list import QueueList
from TotalSegmentatorModuleLib.job_queue.queued_ct import QueuedCt, QueueState
from TotalSegmentatorModuleLib.job_queue.sequence_job import SequenceJob
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.segment.job_types import JobBusyError
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession

STOPPING = {"ENGINE_MISSING", "ENGINE_START_FAILED", "PROTOCOL_MISMATCH", "MODEL_MISSING", "DISK_FULL"}
"""With these the next CT would fail as well: the queue stops, and the CT waits on."""
_GONE = {"INPUT_REMOVED", "QUEUE_CT_GONE", "QUEUE_FILE_GONE", "QUEUE_SERIES_NOT_LOADED"}


@dataclass(frozen=True)
class QueueCallbacks:
    on_changed: Callable[[], None] = ignore
    """Something about the lines, or whether the queue runs."""
    on_stopped: Callable[[Problem, JobOrder], None] = ignore
    """The queue has stopped for a reason that has nothing to do with one CT; the order would start it again."""
    on_note: Callable[[str], None] = ignore
    on_log: Callable[[str], None] = ignore
    defer: Callable[[JobOrder], bool] = lambda _order: False
    """Whether something has to be installed first; ``start`` follows when it is there."""


class CtQueue:
    """One job at a time, in the session that the panel's own jobs run in."""

    def __init__(self, session: SegmentationSession, work_folder: Path, callbacks: QueueCallbacks) -> None:
        self._session = session
        self._callbacks = callbacks
        self.items = QueueList(work_folder, callbacks.on_changed, callbacks.on_note)
        self._frames = FrameResults(lambda _item: self.items.changed())
        self._ticker = Ticker(self._tick)
        self._sequence_job: SequenceJob | None = None
        self._is_closed = False
        self._former_job = ""
        """Of the session before the CT that runs: it tells progress already when it has no new one yet."""
        self.current: QueuedCt | None = None
        """The CT whose job runs; None, too, while the panel or a script runs one of its own."""
        self.is_running = False
        """Whether a next CT is begun when nothing else runs."""

    # -- what the user asks for ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with the first CT that waits, as soon as no other job runs."""
        self.is_running = True
        self._callbacks.on_changed()
        self._ticker.start()

    def pause(self) -> None:
        """Begin no further CT; the one that runs is finished."""
        self.is_running = False
        self._callbacks.on_changed()

    def cancel(self, item: QueuedCt) -> None:
        """Stop it where it runs, or leave it out where it waits; the queue goes on."""
        if item is self.current:
            self._session.cancel()
        elif item.state is QueueState.WAITING:
            item.state = QueueState.CANCELLED
            self.items.changed()

    def queue_again(self, item: QueuedCt) -> None:
        """What has ended, or is gone, waits again; it is loaded again where that is needed and possible."""
        if not item.is_pending:
            item.begin_again()
            self.items.changed()

    def resume(self, kept: KeptQueue) -> None:
        """Take over what an earlier Slicer left, and go on with it."""
        self.items.take_over(kept)
        self.start()

    # -- what happens around it ----------------------------------------------------------------------------------------

    def session_is_free(self) -> None:
        """A job of somebody else has ended."""
        if self.is_running:
            self._ticker.start()

    def show_progress(self, fraction: float) -> None:
        """``fraction``: 0..1 of the job that runs. Its id is kept as soon as there is one: by it a result is found that
        was finished and not imported."""
        item = self.current
        if item is None:
            return
        frame, job = item.next_frame or 0, self._session.job_id
        if job not in ("", self._former_job, item.jobs.get(frame)):
            item.jobs[frame] = job
            self.items.save()
        if int(item.fraction * 100) != int(fraction * 100):
            item.fraction = fraction
            self._callbacks.on_changed()

    def keeps(self, discard: Callable[[], None]) -> bool:
        """Take charge of ``discard``, which removes the files of the result that has just arrived, where it is a
        frame's; False for any other."""
        if self._sequence_job is not None:
            self._frames.keep(self._sequence_job.item, discard)
        return self._sequence_job is not None

    def result_imported(self, job_id: str) -> None:
        """A finished result was imported by itself: its CT needs no other."""
        for item in self.items:
            if item is not self.current and item.is_pending and not item.is_sequence and job_id in item.jobs.values():
                item.state = QueueState.DONE
                self.items.changed()

    def node_removed(self, node_id: str) -> None:
        """A node has left the scene."""
        for item in self.items:
            if item.node_id == node_id:
                item.node_id = ""
                if item.is_pending:
                    item.state = QueueState.GONE
                    self.items.changed()
                if item is self.current and item.is_sequence:
                    self._session.cancel()

    def scene_closing(self) -> None:
        """What is loaded goes: the queue stops. Series that were not loaded yet wait on."""
        self.is_running = False
        self._frames.release_all()
        for item in self.items:
            if item.node_id and item.is_pending:
                item.state = QueueState.GONE
            item.node_id = item.result_id = item.target_id = ""
        self.items.changed()

    def close(self) -> None:
        """The application quits or the module is reloaded; what waits is offered at the next start."""
        self._is_closed = True
        self._ticker.dispose()
        self._end_sequence_job()
        self._frames.close()
        self.items.save()

    # -- one CT after the other ----------------------------------------------------------------------------------------

    def _tick(self) -> int | None:
        if not self.is_running or self._session.is_busy:
            return None
        item = next(iter(self.items.waiting), None)
        if item is None:
            self.pause()
            return None
        self._begin(item)
        return 0 if self.current is None and self.is_running else None

    def _begin(self, item: QueuedCt) -> None:
        frame = item.next_frame or 0
        job = item.jobs.get(frame, "")
        is_finished = bool(job) and self._session.has_unimported(job)
        try:
            node = self._loaded(item, is_optional=is_finished and bool(item.origin.series_instance_uid))
            if not is_finished and self._callbacks.defer(order_of(item.choices, node)):
                self.pause()
                return
            self._run(item, frame, node, job if is_finished else "")
        except SegmentationError as error:
            self._end(item, error.problem)
        except Exception as error:  # a reader of Slicer's or an extension's: the next CT may be none the worse
            logging.exception("A CT of the queue could not be begun")
            self._end(item, Problem("INTERNAL_ERROR", {"kind": type(error).__name__}))

    def _loaded(self, item: QueuedCt, is_optional: bool):
        """The volume or the sequence of ``item``, which is loaded where it is not. A result that is finished can do
        without where it knows its series: else it might be put on another CT of the same grid. Raises
        SegmentationError."""
        node = slicer.mrmlScene.GetNodeByID(item.node_id) if item.node_id else None
        if node is None:
            try:
                node = find_loaded(item.origin) or load_again(item.origin)
            except SegmentationError:
                if not is_optional:
                    raise
                return None
            item.node_id, item.title = node.GetID(), node.GetName()
        return node

    def _run(self, item: QueuedCt, frame: int, node, finished_job: str) -> None:
        """Raises SegmentationError."""
        ct, arrival = node, None
        if item.is_sequence:
            self._sequence_job = SequenceJob(item, frame, node)
            ct, arrival = self._sequence_job.volume, self._sequence_job.arrival
        item.state, item.fraction, self.current = QueueState.RUNNING, 0.0, item
        self._former_job = self._session.job_id
        try:
            if finished_job:
                self._session.import_saved_result(finished_job, ct, self._on_end, arrival)
            else:
                self._session.apply(order_of(item.choices, ct, arrival), self._on_end)
        except JobBusyError:  # a script was faster; the queue is told when it has ended
            item.state, self.current = QueueState.WAITING, None
            self._end_sequence_job()
            self.is_running = True
        self.items.changed()

    def _on_end(self, end: TaskEnd) -> None:
        item = self.current
        if self._is_closed or item is None:
            return
        if end.result is not None:
            node, _header = end.result
            item.result_id = node.GetID()
            self._end(item, None)
        elif end.problem is not None:
            self._end(item, end.problem)
        else:
            if item.state is QueueState.RUNNING:
                item.state = QueueState.CANCELLED
            self._end(item, None, has_result=False)
        self._ticker.start()

    def _end(self, item: QueuedCt, problem: Problem | None, has_result: bool = True) -> None:
        """The job of one frame has ended: with a result, with a problem, or with neither."""
        frame = item.next_frame or 0
        self.current, item.fraction = None, 0.0
        self._end_sequence_job()
        if problem is not None:
            self._failed(item, frame, problem)
        elif has_result:
            item.done.append(frame)
            self._settle(item)
        self.items.changed()

    def _failed(self, item: QueuedCt, frame: int, problem: Problem) -> None:
        if problem.code in STOPPING:
            item.state, self.is_running = QueueState.WAITING, False
            node = slicer.mrmlScene.GetNodeByID(item.node_id) if item.node_id else None
            if node is not None:
                self._callbacks.on_stopped(problem, order_of(item.choices, node))
            return
        self._log(item, frame, problem)
        if problem.code in _GONE:
            item.state, item.problem = QueueState.GONE, problem
        elif item.is_sequence and item.state is not QueueState.GONE:
            item.failed[frame] = problem
            self._settle(item)
        elif item.state is not QueueState.GONE:
            item.state, item.problem = QueueState.FAILED, problem

    def _settle(self, item: QueuedCt) -> None:
        """After a frame: the next one waits, or the whole has ended."""
        item.state = QueueState.WAITING if item.next_frame is not None else QueueState.DONE
        if item.next_frame is None and item.failed:
            values = {"failed": len(item.failed), "frames": item.frames, "first": min(item.failed) + 1}
            item.state, item.problem = QueueState.FAILED, Problem("QUEUE_FRAMES_FAILED", values)

    def _log(self, item: QueuedCt, frame: int, problem: Problem) -> None:
        place = "Queue, line {}".format(self.items.index(item) + 1)
        place += ", frame {}".format(frame + 1) if item.is_sequence else ""
        self._callbacks.on_log("{}: {}: {} {}\n".format(place, problem.code, problem.what, problem.todo))

    def _end_sequence_job(self) -> None:
        job, self._sequence_job = self._sequence_job, None
        if job is not None:
            job.close()
