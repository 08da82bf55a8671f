"""The queue's place in the panel: what the other sections hear of it, and what it hears of them."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.agreement.texts import agreement_text
from TotalSegmentatorModuleLib.job_queue.queue_file import KeptQueue
from TotalSegmentatorModuleLib.job_queue.section import QueueSection, SectionCallbacks
from TotalSegmentatorModuleLib.job_queue.texts import cancelled_text
from TotalSegmentatorModuleLib.panel.earlier_work import EarlierWork
from TotalSegmentatorModuleLib.panel.messages import MessagesSection
from TotalSegmentatorModuleLib.panel.offers import offer_of_queue
from TotalSegmentatorModuleLib.panel.orders import Orders
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.recovery.review_recovery import ReviewRecovery
from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession
from TotalSegmentatorModuleLib.setup.section import SetupSection
from TotalSegmentatorModuleLib.views.kept_views import is_shown, show_volume


class QueuedJobs:
    """Owns the Queue section. ``on_running`` is called when the queue begins or stops; ``review`` chooses a
    vtkMRMLSegmentationNode in its section, which it opens."""

    def __init__(
        self,
        ui: Widgets,
        session: SegmentationSession,
        orders: Orders,
        messages: MessagesSection,
        earlier: EarlierWork,
        setup: SetupSection,
        on_running: Callable[[], None],
        review: Callable[[object], None],
    ) -> None:
        self._session = session
        self._messages = messages
        self._earlier = earlier
        self._orders = orders
        self._setup = setup
        self._review = review
        self.section = QueueSection(
            ui,
            session,
            settings.work_folder(),
            SectionCallbacks(
                order=orders.for_queue,
                defer=setup.defer,
                on_running=on_running,
                review=self._show_and_review,
                on_stopped=self._show_stop,
                show_text=messages.show_text,
                add_note=messages.add_note,
                add_log=messages.add_log,
            ),
        )
        self._queue = self.section.queue

    @property
    def is_running(self) -> bool:
        return self._queue.is_running

    @property
    def runs_job(self) -> bool:
        """Whether the job that runs is one of the queue's."""
        return self._queue.current is not None

    @property
    def cancelled_text(self) -> str:
        """Of a job that was cancelled, of whoever's."""
        return cancelled_text(self.runs_job and self.is_running and bool(self._queue.items.waiting))

    def start(self, order: JobOrder) -> None:
        """What an order needs is installed by now."""
        if order.is_queued:
            self._queue.start()
        else:
            self._orders.start_where_chosen(order)

    def result_arrived(self, node, header: ResultHeader) -> None:
        """A result of the queue is in the scene. It does not cover what the views show of another CT."""
        ct = reference_volume(node)
        if ct is not None and not is_shown(ct) and node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(False)
        text = _("Finished: {name}.").format(name=node.GetName())
        agreement = agreement_of(header.agreement)
        self._messages.show_text(text if agreement is None else " ".join((text, agreement_text(agreement))))

    def call_when_safe(self, node, action: Callable[[], None], recovery: ReviewRecovery) -> None:
        """``recovery`` saves single segmentations; frames of sequences the queue looks after."""
        if not self._queue.keeps(action):
            recovery.call_when_safe(node, action)

    def offer(self) -> None:
        """Offer what an earlier Slicer could not finish."""
        kept = [] if self._queue.is_running else self._queue.items.offers()
        self._earlier.offer_queues([offer_of_queue(each, self._resume, self._discard) for each in kept])

    def _show_stop(self, problem: Problem, order: JobOrder) -> None:
        self._messages.show_error(problem)
        if problem.code == "ENGINE_MISSING" and not settings.engine_packages_folder():
            self._setup.engine_failed(order)

    def _resume(self, kept: KeptQueue) -> None:
        self._messages.clear()
        servers = {item.choices.server_address for item in kept.items if item.is_kept} - {""}
        if all(self._orders.may_send(address) for address in servers):
            self._queue.resume(kept)
            self.section.open()
        else:
            self.offer()

    def _discard(self, kept: KeptQueue) -> None:
        self._queue.items.discard(kept)
        self._session.look_for_unimported_results()  # those of the queue are offered by themselves now

    def _show_and_review(self, node) -> None:
        """Turn the views to a result and its CT."""
        ct = reference_volume(node)
        if ct is not None and not is_shown(ct):
            for other in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
                if other is not node and other.GetDisplayNode() is not None and reference_volume(other) is not ct:
                    other.GetDisplayNode().SetVisibility(False)
            show_volume(ct)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetVisibility(True)
        self._review(node)
