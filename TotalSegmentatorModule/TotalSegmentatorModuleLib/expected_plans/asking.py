"""Keeps what the panel shows of a job's time and memory before Apply up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from TotalSegmentatorModuleLib.expected_plans.questions import ExpectedPlan, PlanQuestions
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scene.ct_source import VolumeCtSource
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession


class PlanAsking:
    """Asks the ``session``'s worker about orders that may be started. ``listeners`` get each answer while it is still
    of interest, from the event loop or from ``ask``."""

    def __init__(self, session: SegmentationSession, *listeners: Callable[[ExpectedPlan], None]) -> None:
        self._session = session
        self._listeners = listeners
        self._questions = PlanQuestions(self._tell)
        self._ticker = Ticker(self._tick)

    def ask(self, orders: Sequence[JobOrder]) -> None:
        """These may be started, all on the same CT, the first of them by Apply; what was asked before is of no interest
        any more. Nothing happens while a job runs, and no engine is started."""
        if self._session.is_busy:
            return
        if orders:
            ct = VolumeCtSource(orders[0].ct)
            self._questions.ask(ct.node_id, ct, [order.settings for order in orders])
        else:
            self._questions.forget(self._session.manager)
        self._ticker.start()

    def job_begins(self) -> None:
        """The worker has other work now, and this machine is another one afterwards."""
        self._questions.forget(self._session.manager)
        self._ticker.stop()

    def close(self) -> None:
        self.job_begins()
        self._ticker.dispose()

    def _tell(self, expected: ExpectedPlan) -> None:
        for listener in self._listeners:
            listener(expected)

    def _tick(self) -> int | None:
        return None if self._session.is_busy else self._questions.step(self._session.manager)
