"""The panel's Review section: wires the table, the views, the judgements and the keys to one segmentation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.changes.history import Action, History, names_besides
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.details import OfferRepair, RemarkList, no_repair
from TotalSegmentatorModuleLib.review.editing import Editing, NoEditing
from TotalSegmentatorModuleLib.review.judgements import Judgement, is_restorable, restored
from TotalSegmentatorModuleLib.review.keys import ReviewKeys
from TotalSegmentatorModuleLib.review.more_repairs import MoreRepairs, OfferMoreRepairs, no_more_repairs
from TotalSegmentatorModuleLib.review.segmentation_watch import SegmentationWatch
from TotalSegmentatorModuleLib.review.table.filters import ReviewFilters
from TotalSegmentatorModuleLib.review.table.review_table import ReviewTable
from TotalSegmentatorModuleLib.review.table.rows import Kind, ReviewRow, next_open, rows_of
from TotalSegmentatorModuleLib.review.table.texts import (
    also_edited_text,
    headline,
    new_result_text,
    nothing_fits_text,
    nothing_left_text,
    progress_text,
)
from TotalSegmentatorModuleLib.review.times.structure_times import StructureTimes
from TotalSegmentatorModuleLib.review.together import TogetherOffer
from TotalSegmentatorModuleLib.review.viewing import StructureView
from TotalSegmentatorModuleLib.tags.preview_mark import is_preview
from TotalSegmentatorModuleLib.texts.errors import problem_texts

CheckAgain = Callable[[object, Collection[str]], None]
"""Gets a vtkMRMLSegmentationNode, and the ids of its segments that have changed."""


class ReviewSection:
    """The section of Review.ui; ``remark_uis`` are copies of ReviewRemark.ui, one for each remark that is shown,
    ``times_ui`` is ReviewTimes.ui."""

    def __init__(self, ui: Widgets, remark_uis: Sequence[Widgets], times_ui: Widgets) -> None:
        self._ui = ui
        self._parameters: SegmentationParameters | None = None
        self._node = None
        self._is_entered = False
        self._offer_repair: OfferRepair = no_repair
        self._end_repair: Callable[[], None] = lambda: None
        self._offer_more: OfferMoreRepairs = no_more_repairs
        self._more_repairs = MoreRepairs(ui.moreRepairsButton)
        self._export_sheet: Callable[[object], None] = lambda node: None
        self._check_again: CheckAgain = lambda node, segment_ids: None
        self._editing: Editing = NoEditing()
        self._on_rows: Callable[[object, Sequence[ReviewRow]], None] = lambda _node, _rows: None
        self._view = StructureView()
        self._history = History()
        self._watch = SegmentationWatch(self._on_segments)
        self._table = ReviewTable(ui.structuresTree, self._on_chosen)
        self._filters = ReviewFilters(ui, self._filter)
        self._remarks = RemarkList(ui.structureLabel, remark_uis, self._on_show_place)
        self._times = StructureTimes(times_ui)
        self._keys = ReviewKeys(
            ui.collapsibleButton,
            ui.reviewWidget,
            ui.structuresTree,
            {
                "N": ui.nextButton,
                "P": ui.previousButton,
                "A": ui.approveButton,
                "R": ui.rejectButton,
                "M": ui.laterButton,
                "E": ui.editButton,
                "H": ui.aloneButton,
                "Ctrl+Z": ui.undoButton,
            },
        )
        bold = ui.headlineLabel.font
        bold.setBold(True)
        ui.headlineLabel.setFont(bold)
        ui.segmentationSelector.setMRMLScene(slicer.mrmlScene)
        ui.collapsibleButton.connect("contentsCollapsed(bool)", self._on_collapsed)
        ui.nextButton.connect("clicked(bool)", lambda: self._go(1))
        ui.previousButton.connect("clicked(bool)", lambda: self._go(-1))
        ui.approveButton.connect("clicked(bool)", lambda: self._judge(ReviewState.APPROVED))
        ui.rejectButton.connect("clicked(bool)", lambda: self._judge(ReviewState.REJECTED))
        ui.laterButton.connect("clicked(bool)", lambda: self._judge(ReviewState.NEEDS_ATTENTION))
        ui.editButton.connect("clicked(bool)", lambda: self._edit(self._editing.start))
        ui.pointsButton.connect("clicked(bool)", lambda: self._edit(self._editing.start_points))
        ui.aloneButton.connect("toggled(bool)", self._on_alone)
        ui.undoButton.connect("clicked(bool)", self._on_undo)
        ui.restoreButton.connect("clicked(bool)", self._on_restore)
        ui.approveAllButton.connect("clicked(bool)", self._on_approve_all)
        ui.sheetButton.connect("clicked(bool)", self._on_sheet)
        ui.tg263Button.connect("toggled(bool)", self._show_rows)
        self._hint("")
        self._show_node()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def set_repairs(
        self,
        offer_repair: OfferRepair,
        end_repair: Callable[[], None] = lambda: None,
        offer_more: OfferMoreRepairs = no_more_repairs,
    ) -> None:
        """Ask ``offer_repair`` for the button beside each remark from now on, and ``offer_more`` for what else can be
        done with a structure; ``end_repair`` is called when the user turns to something else, so that no preview
        stays."""
        self._offer_repair, self._end_repair, self._offer_more = offer_repair, end_repair, offer_more
        self._show_chosen()

    def set_check(self, check_again: CheckAgain) -> None:
        """Call ``check_again`` whenever segments have got other voxels or names."""
        self._check_again = check_again

    def set_sheet(self, export_sheet: Callable[[object], None]) -> None:
        """Call ``export_sheet`` with the segmentation (vtkMRMLSegmentationNode) of which a review sheet is wanted."""
        self._export_sheet = export_sheet

    def set_editing(self, editing: Editing) -> None:
        self._editing = editing
        self._ui.pointsButton.setVisible(editing.has_points)

    def edited(self, action: Action | None) -> None:
        """The user has left the editor of a structure; ``action``: what was drawn there."""
        if action is not None:
            self._add(action)
            self._hint(also_edited_text(names_besides(action, self._table.chosen)))
        if not self._is_entered:
            self._view.leave()
            self._count_time()

    def set_followers(self, on_rows: Callable[[object, Sequence[ReviewRow]], None]) -> None:
        """Call ``on_rows`` with the segmentation (vtkMRMLSegmentationNode or None) and its rows, now and after each
        change."""
        self._on_rows = on_rows
        self._on_rows(self._node, self._table.rows)

    def repaired(self, action: Action, key: str) -> None:
        """A repair was applied to the segmentation; go to the row ``key``."""
        self._add(action)
        self._show_rows_from(key)

    def changed(self, action: Action) -> None:
        """Something was done to a segmentation that Undo takes back; the user stays where they are."""
        self._add(action)
        self._show_rows()

    @property
    def contents(self) -> tuple[object, list[ReviewRow], list[ReviewRow]]:
        """The vtkMRMLSegmentationNode under review or None, its rows, and those that are selected."""
        return self._node, self._table.rows, self._selected

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show the segmentation of ``parameters`` from now on; None while there is no scene."""
        self._parameters = parameters
        self.show_parameters()

    def show_parameters(self) -> None:
        """The parameter node was modified."""
        node = self._parameters.reviewSegmentation if self._parameters is not None else None
        if node is not self._node:
            self._end_repair()
            self._view.leave()
            self._table.choose(None)
            self._node = node
            self._watch.watch(node)
            self._show_node()

    def enter(self) -> None:
        """The user opens the module: update what may have changed elsewhere, and go on where the review was left."""
        self._is_entered = True
        self._ui.pointsButton.setVisible(self._editing.has_points)
        self._editing.end()
        if self._parameters is not None and self._node is None:
            nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
            filled = [node for node in nodes if node.GetSegmentation().GetNumberOfSegments() and not is_preview(node)]
            if len(filled) == 1:
                self._parameters.reviewSegmentation = filled[0]
        self._show_node()
        self._keys.listen()

    def exit(self) -> None:
        """The user turns to another module; a structure that is edited there stays alone with its neighbours."""
        self._is_entered = False
        self._keys.set_enabled(False)
        self._end_repair()
        if not self._editing.is_active:
            self._view.leave()
        self._count_time()

    @property
    def is_in_use(self) -> bool:
        """Whether the user looks at a structure."""
        return self._is_at_work and self._chosen is not None

    def result_arrived(self, node) -> None:
        """Review a new result (vtkMRMLSegmentationNode), unless the user is in the middle of another one."""
        if self._parameters is None:
            return
        if self.is_in_use and node is not self._node:
            self._hint(new_result_text(node.GetName()))
            return
        if node is self._node:  # its structures are others now, and all of them are shown
            self._table.choose(None)
        self._ui.collapsibleButton.collapsed = False  # first, so that the rows are made once
        self._parameters.reviewSegmentation = node
        self._keys.listen()

    def scene_closing(self) -> None:
        self._history.clear()
        self._end_repair()
        self._view.leave()

    def close(self) -> None:
        self._view.leave()
        self._watch.close()
        self._table.close()
        self._keys.close()
        self._times.close()

    # -- what is shown -------------------------------------------------------------------------------------------------

    @property
    def _is_at_work(self) -> bool:
        return self._is_entered and self._node is not None and not self._ui.collapsibleButton.collapsed

    @property
    def _chosen(self) -> ReviewRow | None:
        return self._table.row(self._table.chosen)

    @property
    def _selected(self) -> list[ReviewRow]:
        """The selected rows in sight, or else the chosen one."""
        in_sight = set(self._table.keys_in_sight())
        selected = [row for row in self._table.selected if row.key in in_sight]
        return selected or [row for row in (self._chosen,) if row is not None]

    def _show_node(self) -> None:
        """Another segmentation, or the section was opened or closed."""
        self._show_rows()
        self._keys.set_enabled(self._is_at_work)
        self._count_time()
        if self._is_at_work:
            self._view.show_alone(self._node, self._chosen, self._table.rows)
        else:
            self._view.leave()

    def _show_rows(self) -> None:
        """The segments have changed."""
        self._watch.seen()
        rows = rows_of(self._node) if self._node is not None else []
        self._filters.offer_groups(rows)
        self._on_rows(self._node, rows)
        self._table.show(rows, self._ui.tg263Button.checked)
        self._ui.contentWidget.setVisible(bool(rows))
        self._ui.emptyLabel.setVisible(not rows)
        self._ui.headlineLabel.setText(headline(rows, is_preview(self._node)) if rows else "")
        self._ui.progressLabel.setText(progress_text(rows))
        offer = TogetherOffer(rows)
        self._ui.approveAllButton.setText(offer.title)
        self._ui.approveAllButton.setEnabled(not offer.is_empty)
        self._ui.approveAllButton.setVisible(any(row.kind != Kind.UNCHECKED for row in rows))
        self._show_chosen()

    def _show_rows_from(self, key: str) -> None:
        """The segments have changed, and the row ``key`` is the one to go to: the views turn once, if at all."""
        former = self._table.chosen
        self._table.expect(key)
        self._show_rows()
        self._table.choose(key)
        if key != former:
            self._on_chosen(key)

    def _show_chosen(self) -> None:
        row = self._chosen
        for button in (self._ui.approveButton, self._ui.rejectButton, self._ui.laterButton):
            button.setEnabled(row is not None)
        for button in (self._ui.editButton, self._ui.pointsButton):
            button.setEnabled(row is not None and row.has_segment)
        self._ui.restoreButton.setEnabled(is_restorable(self._node, row))
        self._ui.undoButton.setEnabled(self._history.can_undo)
        self._remarks.show(self._node, row, self._offer_repair)
        self._more_repairs.show(self._offer_more(self._node, row, self._table.rows) if row is not None else ())

    def _filter(self) -> None:
        matches = self._filters.matches()
        self._table.set_filter(matches, self._filters.is_narrow)
        rows = self._table.rows
        self._hint(nothing_fits_text() if rows and not any(map(matches, rows)) else "")

    def _on_segments(self) -> None:
        """Painting in the Segment Editor is not held up; what changed meanwhile is shown when the user comes back."""
        if self._is_at_work:
            self._show_rows()

    # -- what the user does --------------------------------------------------------------------------------------------

    def _on_collapsed(self, _is_collapsed: bool) -> None:
        self._end_repair()
        self._show_node()
        self._keys.listen()

    def _on_chosen(self, _key: str | None) -> None:
        self._hint("")
        self._end_repair()
        self._show_chosen()
        self._count_time()
        if self._is_at_work and self._chosen is not None:
            self._view.show(self._node, self._chosen, self._table.rows)
        else:
            self._view.leave()

    def _count_time(self) -> None:
        """Of the structure that the user looks at or edits."""
        row = self._chosen if self._is_at_work or self._editing.is_active else None
        self._times.turn_to(row.key if row is not None else None)

    def _on_show_place(self, place_ras_mm: tuple[float, float, float]) -> None:
        self._view.show_place(self._node, place_ras_mm)

    def _on_alone(self, is_alone: bool) -> None:
        self._view.is_alone_wanted = is_alone
        if self._is_at_work:
            self._view.show_alone(self._node, self._chosen, self._table.rows)

    def _go(self, step: int) -> None:
        """Choose the next or previous structure that waits for a judgement."""
        keys = self._table.keys_in_sight()
        key = next_open(keys, {row.key: row for row in self._table.rows}, self._table.chosen, step)
        self._go_to(key)

    def _judge(self, state: ReviewState) -> None:
        row = self._chosen
        if row is None:
            return
        keys = self._table.keys_in_sight()  # before a filter hides what is judged
        self._history.add(Judgement(self._node, self._selected, state))
        self._show_rows()
        self._go_to(next_open(keys, {each.key: each for each in self._table.rows}, row.key, 1))

    def _go_to(self, key: str | None) -> None:
        if key is not None:
            self._table.choose(key)
        else:
            self._hint(nothing_left_text(sum(row.is_open for row in self._table.rows)))

    def _hint(self, text: str) -> None:
        self._ui.hintLabel.setText(text)
        self._ui.hintLabel.setVisible(bool(text))

    def _on_undo(self) -> None:
        self._end_repair()
        undone = self._history.undo()
        self._hint("")
        if undone is not None:
            if self._parameters is not None and undone.node is not self._node:
                self._parameters.reviewSegmentation = undone.node
            self._show_rows_from(undone.key)
            if undone.segment_ids:
                self._check_again(undone.node, undone.segment_ids)
        self._show_chosen()

    def _add(self, action: Action) -> None:
        self._history.add(action)
        if action.segment_ids:
            self._check_again(slicer.mrmlScene.GetNodeByID(action.node_id), action.segment_ids)

    def _edit(self, start: Callable[[object, ReviewRow], None]) -> None:
        row = self._chosen
        if row is not None and row.has_segment:
            start(self._node, row)

    def _on_restore(self) -> None:
        row = self._chosen
        if not is_restorable(self._node, row):
            return
        self._end_repair()
        try:
            action = restored(self._node, row)
        except SegmentationError as error:
            self._hint(" ".join(problem_texts(error.problem)))
            return
        if action is not None:
            self.repaired(action, row.key)

    def _on_sheet(self) -> None:
        if self._node is not None:
            self._end_repair()
            self._export_sheet(self._node)

    def _on_approve_all(self) -> None:
        rows = TogetherOffer(self._table.rows).accepted()
        if rows:
            self._history.add(Judgement(self._node, rows, ReviewState.APPROVED, is_together=True))
            self._hint("")  # which may count those that are open
            self._show_rows()
