"""The remarks on the chosen structure: each in words, with the place to look at and the repair if there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.table.icons import icon
from TotalSegmentatorModuleLib.review.table.rows import Kind, ReviewRow
from TotalSegmentatorModuleLib.review.table.texts import kind_title, row_title, sentence
from TotalSegmentatorModuleLib.tags.review_flags import ShownFlag

_ICON_PIXELS = 16


@dataclass(frozen=True)
class RepairOffer:
    """A way to mend what a flag is about, as a button beside it."""

    title: str
    tool_tip: str
    start: Callable[[], None]


OfferRepair = Callable[[object, ReviewRow, ShownFlag], RepairOffer | None]
"""Called with the vtkMRMLSegmentationNode, the row and the flag; None where nothing can mend it."""


def no_repair(_node, _row: ReviewRow, _shown: ShownFlag) -> RepairOffer | None:
    """For as long as nothing else is set."""
    return None


class RemarkList:
    """Shows the flags of a structure in ``uis``, a copy of ReviewRemark.ui each; ``title_label`` stands above them.

    ``on_show`` is called with the place of a flag whose *Show* was clicked.
    """

    def __init__(
        self, title_label, uis: Sequence[Widgets], on_show: Callable[[tuple[float, float, float]], None]
    ) -> None:
        self._title_label = title_label
        self._uis = uis
        self._on_show = on_show
        self._flags: tuple[ShownFlag, ...] = ()
        self._offers: list[RepairOffer | None] = []
        bold = title_label.font
        bold.setBold(True)
        title_label.setFont(bold)
        for number, ui in enumerate(uis):
            ui.showButton.connect("clicked(bool)", lambda _checked, number=number: self._show_place(number))
            ui.repairButton.connect("clicked(bool)", lambda _checked, number=number: self._repair(number))
        self.show(None, None, no_repair)

    def show(self, node, row: ReviewRow | None, offer_repair: OfferRepair) -> None:
        """Show the flags of ``row`` of ``node``; None shows nothing."""
        self._flags = row.flags if row is not None else ()
        self._offers = [offer_repair(node, row, shown) for shown in self._flags]
        self._title_label.setVisible(row is not None)
        self._title_label.setText(row_title(row) if row is not None else "")
        texts = [sentence(shown) for shown in self._flags]
        if row is not None and not texts and row.kind == Kind.CLEAR:
            texts = [_("The check for likely faults has no remark on this structure.")]
        if len(texts) > len(self._uis):  # the last place takes all that are left
            texts = [*texts[: len(self._uis) - 1], " ".join(texts[len(self._uis) - 1 :])]
        for number, ui in enumerate(self._uis):
            ui.remarkFrame.setVisible(number < len(texts))
            if number < len(texts):
                self._fill(ui, number, texts[number])

    def _fill(self, ui: Widgets, number: int, text: str) -> None:
        shown = self._flags[number] if number < len(self._flags) else None
        kind = shown.flag.level if shown is not None else Kind.CLEAR
        ui.levelLabel.setPixmap(icon(kind).pixmap(qt.QSize(_ICON_PIXELS, _ICON_PIXELS)))
        ui.levelLabel.setToolTip(kind_title(kind))
        ui.levelLabel.setAccessibleName(kind_title(kind))
        ui.remarkLabel.setText(text)
        ui.showButton.setVisible(shown is not None and shown.flag.place_ras_mm is not None)
        offer = self._offers[number] if shown is not None else None
        ui.repairButton.setVisible(offer is not None)
        if offer is not None:
            ui.repairButton.setText(offer.title)
            ui.repairButton.setToolTip(offer.tool_tip)

    def _show_place(self, number: int) -> None:
        place = self._flags[number].flag.place_ras_mm
        if place is not None:
            self._on_show(place)

    def _repair(self, number: int) -> None:
        offer = self._offers[number]
        if offer is not None:
            offer.start()
