"""The row about what an earlier Slicer left: a finished result that was not imported, a review that was not saved.

Slicer crashed, or the scene was closed before the result arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets


@dataclass(frozen=True)
class Offer:
    """Something that the user may take or have deleted."""

    created: str
    """ISO 8601, UTC."""
    text: str
    accept: str
    """On the button."""
    tool_tip: str
    question: str
    """Before it is deleted."""
    on_accept: Callable[[], None]
    on_delete: Callable[[], None]


class UnimportedResultsSection:
    """Makes one offer at a time, queues first, then the latest. ``results``, ``reviews`` and ``queues`` are lists of
    their own, so that each can be told anew."""

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        self._results: list[Offer] = []
        self._reviews: list[Offer] = []
        self._queues: list[Offer] = []
        ui.importButton.connect("clicked(bool)", self._on_accept_clicked)
        ui.discardButton.connect("clicked(bool)", self._on_delete_clicked)
        self._show()

    def show_results(self, offers: Sequence[Offer]) -> None:
        self._results = list(offers)
        self._show()

    def show_reviews(self, offers: Sequence[Offer]) -> None:
        self._reviews = list(offers)
        self._show()

    def show_queues(self, offers: Sequence[Offer]) -> None:
        self._queues = list(offers)
        self._show()

    def set_enabled(self, is_enabled: bool) -> None:
        self._ui.resultFrame.setEnabled(is_enabled)

    @property
    def _latest(self) -> Offer | None:
        latest = max((*self._results, *self._reviews), key=lambda offer: offer.created, default=None)
        return self._queues[0] if self._queues else latest

    def _show(self) -> None:
        offer = self._latest
        self._ui.resultFrame.setVisible(offer is not None)
        if offer is not None:
            self._ui.resultLabel.setText(offer.text)
            self._ui.importButton.setText(offer.accept)
            self._ui.importButton.setToolTip(offer.tool_tip)

    def _take(self) -> Offer | None:
        offer = self._latest
        for offers in (self._results, self._reviews, self._queues):
            if offer in offers:
                offers.remove(offer)
        self._show()
        return offer

    def _on_accept_clicked(self) -> None:
        offer = self._take()
        if offer is not None:
            offer.on_accept()

    def _on_delete_clicked(self) -> None:
        offer = self._latest
        if offer is not None and slicer.util.confirmOkCancelDisplay(offer.question, windowTitle=_("TotalSegmentator")):
            self._take()
            offer.on_delete()
