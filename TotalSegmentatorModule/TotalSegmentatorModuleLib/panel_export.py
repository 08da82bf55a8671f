"""The panel's Export section: what goes out, one question before it does, and what came of it."""

from __future__ import annotations

from typing import Protocol

import qt
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors import Problem, SegmentationError
from TotalSegmentatorWire.review_state import ReviewState

from .error_texts import problem_texts
from .export_fields import APPROVED, OWN_TEMPLATE, SELECTED, VISIBLE, ExportFields
from .export_order import ExportOrder
from .export_page import ExportPage
from .export_segments import all_segments, count_by_state, reference_volume, visible_segments
from .export_session import ExportResult, ExportSession
from .export_texts import export_result_text, export_step_text, unreviewed_question
from .export_transforms import segmentation_to_ct
from .one_shot_process import Failure, failure_of
from .parameters import SegmentationParameters

_LOG_LINES = 80


class ExportHost(Protocol):
    """The rest of the panel, as the export needs it."""

    def add_log(self, text: str) -> None: ...

    def export_changed(self) -> None:
        """An export has begun or ended."""


class ExportPanel:
    """Wires the section's widgets, the parameter node and the session. Fulfils export_session.ExportView."""

    def __init__(self, ui, host: ExportHost) -> None:
        self._ui = ui
        self._host = host
        self._parameters: SegmentationParameters | None = None
        self._shown_segmentation = None
        self._obstacle = ""
        self._agreed: set[str] = set()
        self._last_step = ""
        self._page = ExportPage(ui)
        self._session = ExportSession(self)
        ui.exportSegmentsTable.selectionMode = qt.QAbstractItemView.ExtendedSelection
        self._fields = ExportFields(ui, self._show)
        ui.exportSegmentsTable.connect("selectionChanged(QItemSelection,QItemSelection)", self._show_ready)
        ui.exportCollapsibleButton.connect("contentsCollapsed(bool)", self._on_collapsed)
        ui.exportButton.connect("clicked(bool)", self._on_clicked)
        self._show_ready()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._session.is_busy

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show the nodes that ``parameters`` names from now on; None while there is no scene."""
        self._parameters = parameters
        is_chosen = parameters is not None and parameters.exportCt is not None
        self._shown_segmentation = parameters.exportSegmentation if is_chosen else None
        self.show_parameters()

    def show_parameters(self) -> None:
        """The parameter node was modified."""
        parameters = self._parameters
        node = parameters.exportSegmentation if parameters is not None else None
        is_other = node is not self._shown_segmentation
        self._shown_segmentation = node
        if node is not None and is_other:
            ct = reference_volume(node) or parameters.exportCt or parameters.inputVolume
            if ct is not parameters.exportCt:
                parameters.exportCt = ct
        self._show()

    def enter(self) -> None:
        """The user comes to the module: look what has changed outside of it."""
        self._choose_only_segmentation()
        self._fields.show()
        self._show()

    def result_arrived(self, node) -> None:
        """A result (vtkMRMLSegmentationNode) is what goes out, unless the user chooses another."""
        self._agreed.discard(node.GetID())  # it may have taken the place of another
        if self._parameters is not None:
            self._parameters.exportSegmentation = node

    def set_obstacle(self, obstacle: str) -> None:
        """Why nothing can be exported now, in a sentence; empty where it can."""
        self._obstacle = obstacle
        self._show_ready()

    def scene_closing(self) -> None:
        """What was handed over goes on; the rest goes with the scene."""
        self._agreed.clear()
        self._session.scene_closing()

    def close(self) -> None:
        """The application quits: the export ends and leaves nothing."""
        self._session.dispose()

    # -- showing -------------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        node = self._shown_segmentation if self._fields.choice == SELECTED else None
        self._ui.exportSegmentsTable.setSegmentationNode(node)
        self._show_ready()

    def _show_ready(self) -> None:
        if not self._session.is_busy:
            self._page.show_ready(self._obstacle or self._missing_choice(), self._note())

    def _missing_choice(self) -> str:
        parameters = self._parameters
        if parameters is None or parameters.exportSegmentation is None:
            return _("Choose the segmentation to export.")
        if not parameters.exportSegmentation.GetSegmentation().GetNumberOfSegments():
            return _("The chosen segmentation holds no structures.")
        if parameters.exportCt is None or parameters.exportCt.GetImageData() is None:
            return _("Choose the CT on which the segmentation was made.")
        if self._fields.choice == SELECTED and not self._ui.exportSegmentsTable.selectedSegmentIDs():
            return _("Select structures in the list.")
        if self._fields.choice == OWN_TEMPLATE and not self._fields.template_path:
            return _("Choose the file of your template.")
        if self._fields.folder is None:
            return _("Choose the folder to export to.")
        return ""

    def _note(self) -> str:
        notes = [self._fields.template.description] if self._fields.template is not None else []
        ct = self._parameters.exportCt if self._parameters is not None else None
        if ct is not None and self._fields.format.is_dicom and not ct.GetAttribute("DICOM.instanceUIDs"):
            notes.append(_("The CT did not come from DICOM; a CT series is written beside the structures."))
        return " ".join(note for note in notes if note)

    def _choose_only_segmentation(self) -> None:
        if self._parameters is None or self._parameters.exportSegmentation is not None:
            return
        nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        filled = [node for node in nodes if node.GetSegmentation().GetNumberOfSegments()]
        if len(filled) == 1:
            self._parameters.exportSegmentation = filled[0]

    # -- clicks --------------------------------------------------------------------------------------------------------

    def _on_collapsed(self, is_collapsed: bool) -> None:
        if not is_collapsed:
            self.enter()

    def _on_clicked(self) -> None:
        if self._session.is_busy:
            self._session.cancel()
        else:
            self.export()

    def export(self) -> None:
        """Start an export with what is chosen; what is wrong with it is shown."""
        if self._missing_choice():  # the scene was changed since the button was enabled
            self._show_ready()
            return
        self._page.clear()
        try:
            order = self._order()
            segmentation_to_ct(order.segmentation, order.ct)  # a transform in between is told at once
        except SegmentationError as error:
            self.on_export_failed(failure_of(error.problem))
            return
        if self._may_go_out(order):
            self._last_step = ""
            self._session.start(order)

    def _order(self) -> ExportOrder:
        """Raises SegmentationError: EXPORT_NOTHING_CHOSEN, INPUT_NOT_SCALAR."""
        parameters, choice = self._parameters, self._fields.choice
        node, components = (
            parameters.exportSegmentation,
            parameters.exportCt.GetImageData().GetNumberOfScalarComponents(),
        )
        if components != 1:
            raise SegmentationError("INPUT_NOT_SCALAR", components=components)
        segment_ids, states = all_segments(node), ()
        if choice == VISIBLE:
            segment_ids = visible_segments(node)
        elif choice == SELECTED:  # what was chosen by name goes out even if it was rejected
            selected = set(self._ui.exportSegmentsTable.selectedSegmentIDs())
            segment_ids = tuple(each for each in segment_ids if each in selected)
            states = tuple(state.value for state in ReviewState)
        elif choice == APPROVED:
            states = (ReviewState.APPROVED.value,)
        approved = count_by_state(node, segment_ids)[ReviewState.APPROVED]
        if not segment_ids or (choice == APPROVED and not approved):
            raise SegmentationError("EXPORT_NOTHING_CHOSEN")
        return ExportOrder(
            segmentation=node,
            segment_ids=segment_ids,
            ct=parameters.exportCt,
            options=self._fields.options(),
            folder=self._fields.folder,
            states=states,
            template=self._fields.template_path,
            adds_to_database=self._fields.adds_to_database,
        )

    def _may_go_out(self, order: ExportOrder) -> bool:
        """Ask once for each segmentation before structures go to planning or to the archive that nobody approved."""
        counts = count_by_state(order.segmentation, order.segment_ids)
        waiting = counts[ReviewState.UNREVIEWED] + counts[ReviewState.EDITED]
        node_id = order.segmentation.GetID()
        is_approved_only = order.states == (ReviewState.APPROVED.value,)
        if not order.needs_dicom or not waiting or is_approved_only or node_id in self._agreed:
            return True
        question = unreviewed_question(waiting, len(order.segment_ids))
        if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Export structures that were not approved?")):
            return False
        self._agreed.add(node_id)
        return True

    # -- ExportView ----------------------------------------------------------------------------------------------------

    def on_export_busy(self, is_busy: bool, is_cancelling: bool) -> None:
        self._ui.exportChoicesWidget.setEnabled(not is_busy)
        if is_busy:
            self._page.show_busy(is_cancelling)
        else:
            self._show_ready()
        self._host.export_changed()

    def on_export_progress(self, fraction: float, step: str, item: str) -> None:
        self._page.show_progress(fraction, step, item)
        if step != self._last_step:
            self._last_step = step
            self._host.add_log(_("Export: {step}").format(step=export_step_text(step, "")) + "\n")

    def on_export_warning(self, problem: Problem) -> None:
        self._page.add_warning(problem)
        self._host.add_log("{}: {} {}\n".format(problem.code, *problem_texts(problem)))

    def on_export_log(self, text: str) -> None:
        self._host.add_log("\n".join(text.splitlines()[-_LOG_LINES:]) + "\n")

    def on_export_failed(self, failure: Failure) -> None:
        self._page.show_failed(failure)
        self._host.add_log("{}: {} {}\n".format(failure.code, failure.what, failure.todo))

    def on_export_cancelled(self) -> None:
        self._page.show_cancelled()

    def on_export_finished(self, result: ExportResult) -> None:
        self._page.show_result(result)
        self._host.add_log(export_result_text(result) + "\n")
