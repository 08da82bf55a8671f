"""The repairs of the Review section: shows below the remarks what would change, and applies it when the user agrees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.review_rules import RULES, Repair

from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease
from TotalSegmentatorModuleLib.changes.history import Action
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.scrolling import scroll_into_sight
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.repair.name_repair import NameRepair
from TotalSegmentatorModuleLib.repair.new_names import new_names
from TotalSegmentatorModuleLib.repair.preview import Preview
from TotalSegmentatorModuleLib.repair.program_order import ProgramOrder, program_order
from TotalSegmentatorModuleLib.repair.program_runner import ProgramRunner
from TotalSegmentatorModuleLib.repair.row_repairs import row_orders
from TotalSegmentatorModuleLib.repair.second_check import SecondCheck
from TotalSegmentatorModuleLib.repair.texts import (
    changed_meanwhile_text,
    largest_piece_title,
    largest_piece_tool_tip,
    merge_title,
    merge_tool_tip,
    offer_title,
    offer_tool_tip,
    working_text,
)
from TotalSegmentatorModuleLib.repair.voxel_repair import VoxelRepair
from TotalSegmentatorModuleLib.review.details import RepairOffer
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.tags.review_flags import ShownFlag
from TotalSegmentatorModuleLib.texts.errors import problem_texts
from TotalSegmentatorModuleLib.views.structure_place import to_world
from TotalSegmentatorModuleLib.views.view_jump import jump_slices

_SCROLLS = 3
_SETTLING_MS = 30
"""Between them: the frame gets the height of its text only when the text has been wrapped."""


class RepairSection:
    """The widgets of ReviewRepair.ui. ``on_repaired`` gets what was done, and the key of the row to go to;
    ``on_changed`` is called when the program starts or has ended; ``lease_for`` a CT gives the worker that
    holds it."""

    def __init__(
        self,
        ui: Widgets,
        on_repaired: Callable[[Action, str], None],
        on_changed: Callable[[], None],
        lease_for: Callable[[Any], WorkerLease | None],
    ) -> None:
        self._ui = ui
        self._on_repaired = on_repaired
        self._proposal: NameRepair | VoxelRepair | None = None
        self._preview = Preview()
        self._runner = ProgramRunner(self._on_progress, self._on_outcome, self._on_failed, on_changed)
        self._second_check = SecondCheck(on_changed, lease_for)
        self._scroller = Ticker(self._scroll)
        self._scrolls = 0
        ui.applyRepairButton.connect("clicked(bool)", self._on_apply)
        ui.cancelRepairButton.connect("clicked(bool)", self.end)
        self.end()

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy or self._second_check.is_busy

    def offer(self, node, row: ReviewRow, shown: ShownFlag) -> RepairOffer | None:
        """The button beside a remark (details.OfferRepair)."""
        if shown.is_repaired or not row.has_segment:
            return None
        flag = shown.flag
        moves, order = new_names(node, flag), program_order(node, flag)
        if moves is not None:
            start = lambda: self._propose(NameRepair(node, moves, flag.rule))  # noqa: E731
        elif order is not None:
            start = lambda: self._work_out(order)  # noqa: E731
        else:
            return None
        kind = RULES[flag.rule].repair
        return RepairOffer(offer_title(kind), offer_tool_tip(kind), start)

    def offer_more(self, node, row: ReviewRow, rows: Sequence[ReviewRow]) -> list[RepairOffer]:
        """What else can be done with the structure of ``row`` (details.OfferMoreRepairs); ``rows``: all of ``node``."""
        return [self._offer_of(node, order) for order in row_orders(node, row, rows)]

    def check_again(self, node, segment_ids: Collection[str]) -> None:
        """Replace the remarks on ``node`` (vtkMRMLSegmentationNode), of which these segments have changed."""
        self._second_check.start(node, segment_ids)

    def end(self, *_arguments) -> None:
        """Nothing is repaired; no preview stays."""
        self._proposal = None
        self._runner.cancel()
        self._preview.remove()
        self._ui.repairFrame.setVisible(False)

    def close(self) -> None:
        """The application quits or the module is reloaded."""
        self.end()
        self._runner.close()
        self._scroller.dispose()
        self._second_check.close()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _offer_of(self, node, order: ProgramOrder) -> RepairOffer:
        start = lambda: self._work_out(order)  # noqa: E731
        if order.kind == Repair.LARGEST_PIECE:
            return RepairOffer(largest_piece_title(), largest_piece_tool_tip(), start)
        name = node.GetSegmentation().GetSegment(order.other_id).GetName()
        return RepairOffer(merge_title(name), merge_tool_tip(), start)

    def _work_out(self, order: ProgramOrder) -> None:
        self.end()
        self._runner.start(order)
        if self._runner.is_busy:
            self._show(working_text(0.0), False)

    def _propose(self, proposal: NameRepair | VoxelRepair) -> None:
        self.end()
        self._proposal = proposal
        self._show(proposal.text, True)

    def _show(self, text: str, can_apply: bool) -> None:
        self._ui.repairLabel.setText(text)
        self._ui.applyRepairButton.setVisible(can_apply)
        is_over = not can_apply and not self._runner.is_busy
        if is_over or can_apply or self._ui.repairFrame.isHidden():
            self._scrolls = _SCROLLS
            self._scroller.start()
        self._ui.cancelRepairButton.setText(_("Close") if is_over else _("Cancel"))
        self._ui.repairFrame.setVisible(True)

    def _scroll(self) -> int | None:
        scroll_into_sight(self._ui.repairFrame)
        self._scrolls -= 1
        return _SETTLING_MS if self._scrolls > 0 else None

    def _on_progress(self, fraction: float) -> None:
        self._show(working_text(fraction), False)

    def _on_outcome(self, repair: VoxelRepair) -> None:
        if not repair.is_current:
            self._show(changed_meanwhile_text(), False)
            return
        if not repair.voxels:
            self._show(repair.text, False)
            return
        self._propose(repair)
        self._preview.show(repair.voxels, repair.node)
        jump_slices(to_world(repair.ct, repair.place_ras_mm))

    def _on_failed(self, problem_text: str) -> None:
        self._show(problem_text, False)

    def _on_apply(self) -> None:
        proposal = self._proposal
        if proposal is None:
            return
        self.end()
        try:
            action = proposal.apply()
        except SegmentationError as error:
            self._show(_problem_text(error.problem), False)
            return
        if action is None:
            self._show(changed_meanwhile_text(), False)
            return
        self._on_repaired(action, action.key)


def _problem_text(problem: Problem) -> str:
    return " ".join(problem_texts(problem))
