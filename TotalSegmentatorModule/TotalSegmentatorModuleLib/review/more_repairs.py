"""The button with the repairs that no single remark asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt

from TotalSegmentatorModuleLib.review.details import RepairOffer
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow

OfferMoreRepairs = Callable[[object, ReviewRow, Sequence[ReviewRow]], Sequence[RepairOffer]]
"""Called with the vtkMRMLSegmentationNode, the row, and all rows."""


def no_more_repairs(_node, _row: ReviewRow, _rows: Sequence[ReviewRow]) -> Sequence[RepairOffer]:
    """For as long as nothing else is set."""
    return ()


class MoreRepairs:
    """A QPushButton with a menu; off where there is nothing to choose."""

    def __init__(self, button) -> None:
        self._button = button
        self._menu = qt.QMenu(button)
        self._menu.setToolTipsVisible(True)
        self._offers: tuple[RepairOffer, ...] = ()
        button.setMenu(self._menu)
        button.setEnabled(False)

    def show(self, offers: Sequence[RepairOffer]) -> None:
        shown = [offer.title for offer in self._offers]
        self._offers = tuple(offers)
        self._button.setEnabled(bool(offers))
        if shown == [offer.title for offer in offers]:
            return
        self._menu.clear()
        for number, offer in enumerate(offers):
            action = self._menu.addAction(offer.title)
            action.setToolTip(offer.tool_tip)
            action.connect("triggered(bool)", lambda _checked, number=number: self._offers[number].start())
