"""The panel's Export section: what to export, the question about unapproved structures, and the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.export.fields import APPROVED, OWN_TEMPLATE, SELECTED, VISIBLE, ExportFields
from TotalSegmentatorModuleLib.export.list_filter import ListFilter
from TotalSegmentatorModuleLib.export.order import ExportOrder
from TotalSegmentatorModuleLib.export.task import ExportResult, ExportTask
from TotalSegmentatorModuleLib.export.texts import export_result_text, series_note, unreviewed_question
from TotalSegmentatorModuleLib.qt_helpers.folders import open_folder
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.scrolling import scroll_to_top
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.segments import (
    all_segments,
    names_in_states,
    template_of_preset,
    visible_segments,
)
from TotalSegmentatorModuleLib.tags.preview_mark import is_preview
from TotalSegmentatorModuleLib.tasks.section import TaskSection
from TotalSegmentatorModuleLib.tasks.task_widgets import ButtonTexts
from TotalSegmentatorModuleLib.texts.previews import preview_sentence


class ExportSection(TaskSection):
    """The section of Export.ui."""

    def __init__(
        self,
        ui: Widgets,
        options_ui: Widgets,
        task_ui: Widgets,
        on_log: Callable[[str], None],
        on_changed: Callable[[], None],
    ) -> None:
        texts = ButtonTexts(_("Export"), _("Open folder"), _("Show the exported files in the file manager."))
        super().__init__(ui, task_ui, on_log, on_changed, _("Export"), texts, "exportSegmentation", "exportCt")
        self._confirmed: set[str] = set()
        self._folder: Path | None = None
        self._result_text = ""
        self._wants_sheet = False
        self._scroller = Ticker(lambda: scroll_to_top(ui.collapsibleButton))
        self._filter = ListFilter()
        ui.segmentsTable.setMRMLScene(slicer.mrmlScene)
        ui.segmentsTable.selectionMode = qt.QAbstractItemView.ExtendedSelection
        self._fields = ExportFields(ui, options_ui, self._show)
        ui.segmentsTable.connect("selectionChanged(QItemSelection,QItemSelection)", self._show_ready)
        self._show_ready()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        self._fields.show()
        super().enter()

    def result_arrived(self, node) -> None:
        self._confirmed.discard(node.GetID())  # a new result may be in a node that was confirmed before
        super().result_arrived(node)
        if self._parameters is not None:  # what a planning system gets has the unions of the preset
            self._fields.offer_template(template_of_preset(self._parameters.preset, all_segments(node)))

    def exit(self) -> None:
        """The user turns to another module, whose lists show all structures."""
        self._filter.show(None)

    def scene_closing(self) -> None:
        self._filter.show(None)
        self._confirmed.clear()
        super().scene_closing()

    def export_sheet(self, node) -> None:
        """Make a review sheet of all structures of ``node`` (vtkMRMLSegmentationNode), whatever is chosen here; shows
        what is missing for it."""
        if self._parameters is None:
            return
        self._ui.collapsibleButton.collapsed = False
        self._scroller.start()  # when the section has got its height
        if self.is_busy:
            self._page.show_hint(_("An export is running. Click Review sheet again when it has ended."))
            return
        setattr(self._parameters, self._segmentation_parameter, node)
        self._wants_sheet = True
        try:
            if self._obstacle:
                self._show_ready()
            else:
                self.start()
        finally:
            self._wants_sheet = False

    def close(self) -> None:
        self._filter.show(None)
        self._scroller.dispose()
        self._fields.close()
        super().close()

    # -- TaskSection -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        node = self._shown_segmentation if self._fields.choice == SELECTED else None
        self._ui.segmentsTable.setSegmentationNode(node)
        self._filter.show(node)
        self._show_ready()

    def _no_segmentation_text(self) -> str:
        return _("Choose the segmentation to export.")

    def _missing_choice(self) -> str:
        if self._wants_sheet:
            return "" if self._fields.folder is not None else _("Choose the folder for the review sheet.")
        if self._fields.choice == SELECTED and not self._ui.segmentsTable.selectedSegmentIDs():
            return _("Select structures in the list.")
        if self._fields.choice == OWN_TEMPLATE and not self._fields.template_path:
            return _("Choose your template file.")
        if self._fields.folder is None:
            return _("Choose the export folder.")
        return ""

    def _note(self) -> str:
        notes = [self._fields.template.description] if self._fields.template is not None else []
        if is_preview(self._segmentation):
            notes.append(preview_sentence())
        if self._ct is not None and self._fields.format.kind.is_dicom:
            notes.append(series_note(self._ct))
        return " ".join(note for note in notes if note)

    def _task(self) -> ExportTask | None:
        """Raises SegmentationError("EXPORT_NOTHING_CHOSEN")."""
        order = self._sheet_order() if self._wants_sheet else self._order()
        return ExportTask(order) if self._is_confirmed(order) else None

    def _cancelled_text(self) -> str:
        return _("Cancelled. Nothing was written.")

    def _handle_result(self, result: ExportResult) -> str:
        self._folder = result.folder
        self._result_text = export_result_text(result)
        return self._result_text

    # -- inside --------------------------------------------------------------------------------------------------------

    def _order(self) -> ExportOrder:
        node, choice = self._segmentation, self._fields.choice
        segment_ids, states = all_segments(node), ()
        if choice == VISIBLE:
            segment_ids = visible_segments(node)
        elif choice == SELECTED:  # selected structures are exported even if they were rejected
            selected = set(self._ui.segmentsTable.selectedSegmentIDs())
            segment_ids = tuple(each for each in segment_ids if each in selected)
            states = tuple(state.value for state in ReviewState)
        elif choice == APPROVED:
            states = (ReviewState.APPROVED.value,)
        approved = names_in_states(node, segment_ids, (ReviewState.APPROVED,))
        if not segment_ids or (choice == APPROVED and not approved):
            raise SegmentationError("EXPORT_NOTHING_CHOSEN")
        return ExportOrder(
            segmentation=node,
            segment_ids=segment_ids,
            ct=self._ct,
            options=self._fields.options(),
            folder=self._fields.folder,
            states=states,
            template=self._fields.template_path,
            adds_to_database=self._fields.adds_to_database,
        )

    def _sheet_order(self) -> ExportOrder:
        node = self._segmentation
        return ExportOrder(node, all_segments(node), self._ct, self._fields.sheet_options(), self._fields.folder)

    def _is_confirmed(self, order: ExportOrder) -> bool:
        """Ask once for each segmentation before unapproved structures are exported to DICOM."""
        open_states = (ReviewState.UNREVIEWED, ReviewState.EDITED, ReviewState.NEEDS_ATTENTION)
        unapproved = names_in_states(order.segmentation, order.segment_ids, open_states)
        node_id = order.segmentation.GetID()
        is_approved_only = order.states == (ReviewState.APPROVED.value,)
        if not order.options.format.kind.is_dicom or not unapproved or is_approved_only or node_id in self._confirmed:
            return True
        question = unreviewed_question(unapproved, len(order.segment_ids))
        if is_preview(order.segmentation):
            question = "\n\n".join((preview_sentence(), question))
        if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Export unapproved structures?")):
            return False
        self._confirmed.add(node_id)
        return True

    def _show_result(self) -> None:
        if self._folder is not None:
            problem = open_folder(self._folder)
            self._page.show_result(" ".join(filter(None, (self._result_text, problem))), True)
