"""Approving at once what needs no look: asked once, and remembered."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_with_option
from TotalSegmentatorModuleLib.review.table.rows import Kind, ReviewRow
from TotalSegmentatorModuleLib.review.table.texts import together_question


class TogetherOffer:
    """Which of ``rows`` can be approved together: those that nobody has looked at or edited yet, and on which the check
    has no remark; then those whose only remark is that the scan cuts them."""

    def __init__(self, rows: Sequence[ReviewRow]) -> None:
        waiting = [row for row in rows if row.state is ReviewState.UNREVIEWED and row.has_segment]
        self._clear = [row for row in waiting if row.kind == Kind.CLEAR]
        self._cut = [row for row in waiting if row.kind == Level.CUT]

    @property
    def is_empty(self) -> bool:
        return not self._clear and not self._cut

    @property
    def title(self) -> str:
        """Of the button."""
        if self.is_empty:
            return _("Approve all without remarks...")
        if len(self._clear) == 1:
            return _("Approve the one without remarks...")
        if self._clear:
            return _("Approve all {count} without remarks...").format(count=len(self._clear))
        if len(self._cut) == 1:
            return _("Approve the one cut by the scan...")
        return _("Approve all {count} cut by the scan...").format(count=len(self._cut))

    def accepted(self) -> list[ReviewRow]:
        """Ask; returns what the user wants to be approved."""
        title, accept = _("Approve without looking?"), _("Approve")
        rows = self._clear or self._cut
        option = ""
        if self._clear and self._cut:
            option = _("Also the {count} that are only cut by the scan").format(count=len(self._cut))
        is_accepted, is_with_cut = confirm_with_option(together_question(len(rows)), title, accept, option)
        if not is_accepted:
            return []
        return [*self._clear, *self._cut] if is_with_cut else rows
