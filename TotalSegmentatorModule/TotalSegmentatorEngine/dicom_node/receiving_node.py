"""The node: listens, watches, segments what is complete, sends, deletes what is old."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable

from TotalSegmentatorWire.command.command_run import sentence_without_text
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import IncomingFolder
from TotalSegmentatorEngine.dicom_node.incoming.series_state import FAILED, PASSED_OVER, WAITING
from TotalSegmentatorEngine.dicom_node.incoming.watch_folder import WatchFolder
from TotalSegmentatorEngine.dicom_node.node_folder import NodeFolder
from TotalSegmentatorEngine.dicom_node.sending.outgoing_folder import OutgoingFolder
from TotalSegmentatorEngine.dicom_node.sending.sender import Sender
from TotalSegmentatorEngine.dicom_node.series_work import SeriesResult, SeriesWork, exports_of
from TotalSegmentatorEngine.dicom_node.settings.node_settings import NodeSettings
from TotalSegmentatorEngine.job.error_boundary import problem_of

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_WATCHES = 2.0
_WATCH_PAUSE = 20
"""Between two looks, in times that one takes: a folder with many files costs no more than a twentieth of the time."""
_SECONDS_BETWEEN_SWEEPS = 600.0
_SECONDS_AFTER_TROUBLE, _LONGEST_PAUSE = 60.0, 3600.0
"""Before a series is tried again that failed for another reason than itself, such as a full disk; at first, and when
it has failed again and again."""
_SECONDS_TO_SEND = 10.0
"""At the end, for the object that is on its way."""
_DAY = 86400.0

_log = logging.getLogger(__name__)


class ReceivingNode:
    """``say`` tells the operator, in a line without patient data. ``folder`` is prepared and held by the caller."""

    def __init__(self, settings: NodeSettings, folder: NodeFolder, task: CaseTask, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._stop = threading.Event()
        self._incoming = IncomingFolder(folder.incoming, settings.limits)
        self._results = BatchFolder(folder.results)
        self._outgoing = OutgoingFolder(folder.outgoing)
        self._work = SeriesWork(task, self._results, self._stop.is_set)
        self._sender = Sender(settings, self._outgoing, say) if settings.destinations else None
        self._watch: WatchFolder | None = None
        if settings.watch is not None:
            self._watch = WatchFolder(settings.watch, folder.watched, self._incoming, settings.times.quiet_seconds)
        self._listener = None
        if settings.listens:
            from TotalSegmentatorEngine.dicom_node.network.listener import Listener

            self._listener = Listener(settings.listening, settings.limits, self._incoming)
        self._not_before: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        """In seconds; of the series in ``_not_before``."""
        self._watch_due = self._swept_at = float("-inf")

    @property
    def port(self) -> int | None:
        """On which it listens, once it runs."""
        return None if self._listener is None else self._listener.port

    def stop(self) -> None:
        """Has ``run`` end soon; may be called by a signal handler."""
        self._stop.set()

    def run(self, started: Callable[[], None]) -> None:
        """Until ``stop``. ``started`` is called when everything that can be refused was accepted.

        Raises SegmentationError: RECEIVE_PORT_UNAVAILABLE, RECEIVE_TLS_UNUSABLE, and what every CT would fail with.
        """
        self._results.create()
        if self._listener is not None:
            self._listener.start()
        try:
            lost = self._outgoing.revive(one.name for one in self._settings.destinations)
            if lost:
                self._say(f"results that are not sent, as the settings do not name their destination any more: {lost}")
            if self._sender is not None:
                self._sender.start()
            started()
            while not self._stop.is_set():
                try:
                    has_worked = self._look()
                except OSError:
                    _log.exception("the folder of the node cannot be written to")
                    self._say("the folder of the node cannot be written to; it is tried again in a minute")
                    self._stop.wait(_SECONDS_AFTER_TROUBLE)
                    continue
                if not has_worked:
                    self._stop.wait(_SECONDS_BETWEEN_LOOKS)
        finally:
            if self._listener is not None:
                self._listener.stop()
            if self._sender is not None:
                self._sender.stop(_SECONDS_TO_SEND)

    def _look(self) -> bool:
        """One round; True where there was a series to segment."""
        now = time.monotonic()
        if self._listener is not None:
            self._listener.end_lost_transfers()
        if self._watch is not None and now >= self._watch_due:
            self._watch.look(self._stop.is_set)
            ended = time.monotonic()
            self._watch_due = ended + max(_SECONDS_BETWEEN_WATCHES, _WATCH_PAUSE * (ended - now))
        for series in self._incoming.incomplete(self._settings.times.incomplete_minutes):
            self._incoming.note(series, is_reported=True)
            problem = Problem("RECEIVE_INCOMPLETE")
            self._say(f"series {series}, {self._incoming.count(series)} images: {problem.code}: {problem.what}")
        if now - self._swept_at >= _SECONDS_BETWEEN_SWEEPS:
            self._swept_at = now
            self._delete_old()
        complete = self._incoming.complete(self._settings.times.quiet_seconds)
        due = [series for series in complete if self._not_before.get(series, now) <= now]
        if due and not self._stop.is_set():
            self._segment(due[0])
        return bool(due)

    # -- a series ------------------------------------------------------------------------------------------------------

    def _segment(self, series: str) -> None:
        seen, count = self._incoming.changes(series), self._incoming.count(series)
        self._say(f"series {series}, {count} images: complete")
        try:
            result = self._work.segment(
                self._incoming.objects_folder(series), lambda case: self._add_case(series, case)
            )
            if self._incoming.changes(series) != seen:  # the result is out of date
                self._say(f"series {series}: more came meanwhile; it is segmented again")
                return
            self._have_sent(result)
        except OSError:
            _log.exception("a file of series %s cannot be read or written", series)
            self._put_off(series, "a file in the folder of the node cannot be read or written.")
            return
        except SegmentationError as error:  # of what would fail for every series
            if error.code != "CANCELLED":
                self._put_off(series, f"{error.code}: {sentence_without_text(error.problem)}")
            return
        except Exception as error:  # noqa: BLE001 - one series never ends the node
            result = SeriesResult(FAILED, problem_of(error).code, ())
        self._not_before.pop(series, None)
        self._pauses.pop(series, None)
        self._incoming.note(series, seen, work=result.work, code=result.code)
        self._report(series, result)

    def _add_case(self, series: str, case: str) -> None:
        """Notes a CT as one of the series, also of what the series was before more of it came: what is written of it
        is deleted with the series."""
        cases = self._incoming.states()[series].cases
        if case not in cases:
            self._incoming.note(series, cases=(*cases, case))

    def _put_off(self, series: str, reason: str) -> None:
        """Has the others go first."""
        pause = min(2 * self._pauses[series], _LONGEST_PAUSE) if series in self._pauses else _SECONDS_AFTER_TROUBLE
        self._pauses[series] = pause
        self._not_before[series] = time.monotonic() + pause
        self._say(f"series {series}: {reason} It is tried again.")

    def _have_sent(self, result: SeriesResult) -> None:
        destinations = self._settings.destinations
        for outcome in result.outcomes:
            if outcome.is_done and destinations:
                name = f"{outcome.id}-{outcome.options_digest[:8]}"
                self._outgoing.add(name, exports_of(outcome, self._results), destinations)

    def _report(self, series: str, result: SeriesResult) -> None:
        if result.work == PASSED_OVER:
            self._say(f"series {series}: no CT volume, passed over")
        for outcome in result.outcomes:
            if outcome.error is None:
                self._say(f"series {series}: {outcome.id} done, {len(outcome.structures)} structures")
        if result.code:
            self._say(f"series {series}: failed, {result.code}")

    # -- what is old ---------------------------------------------------------------------------------------------------

    def _delete_old(self) -> None:
        """Series on which nothing happened for the set time, with their results; not those that wait for something."""
        days = self._settings.times.keep_days
        if days is None:
            return
        due = time.time() - days * _DAY
        unsent = self._outgoing.waiting_cases()
        for series, state in self._incoming.states().items():
            waits = state.is_open or (state.work == WAITING and not state.is_cut_off)
            if state.last > due or waits or not unsent.isdisjoint(state.cases):
                continue
            for case in state.cases:
                self._outgoing.remove(case)
                shutil.rmtree(self._results.case_folder(case), ignore_errors=True)
            self._incoming.remove(series)
            self._say(f"series {series}: deleted after {days:g} days")
