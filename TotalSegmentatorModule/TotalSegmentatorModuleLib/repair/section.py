"""The repairs of the Review section: says below the remarks what would change, and applies it when the user agrees."""

from __future__ import annotations

from collections.abc import Callable

from TotalSegmentatorWire.tables.review_rules import RULES

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.repair.name_repair import NameRepair
from TotalSegmentatorModuleLib.repair.new_names import new_names
from TotalSegmentatorModuleLib.repair.texts import changed_meanwhile_text, offer_title, offer_tool_tip
from TotalSegmentatorModuleLib.review.details import RepairOffer
from TotalSegmentatorModuleLib.review.judgements import Action
from TotalSegmentatorModuleLib.review.rows import ReviewRow
from TotalSegmentatorModuleLib.tags.review_flags import ShownFlag


class RepairSection:
    """The widgets of ReviewRepair.ui. ``on_repaired`` gets what was done, and the key of the row to go to."""

    def __init__(self, ui: Widgets, on_repaired: Callable[[Action, str], None]) -> None:
        self._ui = ui
        self._on_repaired = on_repaired
        self._proposal: NameRepair | None = None
        ui.applyRepairButton.connect("clicked(bool)", self._on_apply)
        ui.cancelRepairButton.connect("clicked(bool)", self.end)
        self.end()

    def offer(self, node, row: ReviewRow, shown: ShownFlag) -> RepairOffer | None:
        """The button beside a remark (details.OfferRepair)."""
        if shown.is_repaired or not row.has_segment:
            return None
        flag = shown.flag
        moves = new_names(node, flag)
        if moves is None:
            return None
        kind = RULES[flag.rule].repair
        return RepairOffer(
            offer_title(kind), offer_tool_tip(kind), lambda: self._propose(NameRepair(node, moves, flag.rule))
        )

    def end(self) -> None:
        """Nothing is repaired; no preview stays."""
        self._proposal = None
        self._ui.repairFrame.setVisible(False)

    def _propose(self, proposal: NameRepair) -> None:
        self._proposal = proposal
        self._show(proposal.text, True)

    def _show(self, text: str, can_apply: bool) -> None:
        self._ui.repairLabel.setText(text)
        self._ui.applyRepairButton.setVisible(can_apply)
        self._ui.repairFrame.setVisible(True)

    def _on_apply(self) -> None:
        proposal, self._proposal = self._proposal, None
        if proposal is None:
            return
        action = proposal.apply()
        if action is None:
            self._show(changed_meanwhile_text(), False)
            return
        self.end()
        self._on_repaired(action, action.key)
