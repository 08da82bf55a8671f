"""What an earlier Slicer left: finished results, reviews that were not saved, and queues, as offers in the panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.panel.messages import MessagesSection
from TotalSegmentatorModuleLib.panel.offers import load_ct_text, no_ct_question, offer_of_result, offer_of_review
from TotalSegmentatorModuleLib.panel.unimported_results import Offer, UnimportedResultsSection
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.recovery.review_recovery import ReviewRecovery
from TotalSegmentatorModuleLib.recovery.saved_review import UnsavedReview
from TotalSegmentatorModuleLib.segment.job_types import JobBusyError
from TotalSegmentatorModuleLib.segment.session import SegmentationSession


class EarlierWork:
    """``chosen_ct`` gives the vtkMRMLScalarVolumeNode that is chosen in the panel, or None. The other parts, which call
    this one, follow with ``connect``."""

    def __init__(self, ui: Widgets, messages: MessagesSection, chosen_ct: Callable[[], Any]) -> None:
        self._section = UnimportedResultsSection(ui)
        self._messages = messages
        self._chosen_ct = chosen_ct
        self._session: SegmentationSession | None = None
        self._recovery: ReviewRecovery | None = None
        self._claims: Callable[[str], bool] | None = None

    def connect(self, session: SegmentationSession, recovery: ReviewRecovery, claims: Callable[[str], bool]) -> None:
        """``claims``: whether the result of this job is imported by the queue."""
        self._session, self._recovery, self._claims = session, recovery, claims

    def offer_results(self, headers: list[ResultHeader]) -> None:
        own = [header for header in headers if not self._claims(header.job_id)]
        self._section.show_results(
            [offer_of_result(header, self._import_result, self._session.discard_result) for header in own]
        )

    def offer_reviews(self, reviews: list[UnsavedReview]) -> None:
        self._section.show_reviews(
            [offer_of_review(each, self._restore_review, self._recovery.discard) for each in reviews]
        )

    def offer_queues(self, offers: Sequence[Offer]) -> None:
        self._section.show_queues(offers)

    def enable(self) -> None:
        """While something else is under way nothing is taken up."""
        self._section.set_enabled(not self._session.is_busy and not self._recovery.is_busy)

    def _import_result(self, job_id: str) -> None:
        self._messages.clear()
        try:
            self._session.import_saved_result(job_id, self._chosen_ct())
        except JobBusyError as error:
            self._messages.show_text(str(error))

    def _restore_review(self, unsaved: UnsavedReview) -> None:
        self._messages.clear()
        ct = self._chosen_ct()
        if self._recovery.lacks_ct(unsaved, ct):
            title, accept, decline = _("Restore without the CT?"), _("Restore without it"), _("Load the CT first")
            if not confirm_loss(no_ct_question(), title, accept, decline):
                self._recovery.look()
                self._messages.show_text(load_ct_text())
                return
        self._recovery.restore(unsaved, ct)
