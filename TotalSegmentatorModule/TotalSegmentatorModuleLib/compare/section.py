"""The panel's Compare section: a segmentation against somebody else's structures on the same CT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.compare.other_choice import OtherChoice
from TotalSegmentatorModuleLib.compare.result_view import ComparisonView
from TotalSegmentatorModuleLib.compare.rows import Comparison
from TotalSegmentatorModuleLib.compare.table_node import add_table
from TotalSegmentatorModuleLib.compare.task import ComparisonOrder, ComparisonTask
from TotalSegmentatorModuleLib.compare.texts import comparison_text
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tasks.section import TaskSection
from TotalSegmentatorModuleLib.tasks.task_widgets import ButtonTexts
from TotalSegmentatorModuleLib.views.data_display import DataDisplay


class CompareSection(TaskSection):
    """The section of Compare.ui and, below the task, ComparisonTable.ui.

    The settings keep the name pairs and what kind of thing is compared, but no file, which belongs to one patient.
    """

    def __init__(
        self,
        ui: Widgets,
        task_ui: Widgets,
        table_ui: Widgets,
        on_log: Callable[[str], None],
        on_changed: Callable[[], None],
    ) -> None:
        parameters = ("compareSegmentation", "compareCt")
        super().__init__(ui, task_ui, on_log, on_changed, _("Comparison"), ButtonTexts(_("Compare")), *parameters)
        self._display = DataDisplay()
        self._view = ComparisonView(table_ui, self._show_error)
        self._table_ui = table_ui
        table_ui.fullButton.connect("clicked(bool)", self._show_result)
        self._other = OtherChoice(ui, self._show)
        self._order: ComparisonOrder | None = None
        self._table_id = ""
        ui.pairsPathLineEdit.nameFilters = [_("Tables and templates ({patterns})").format(patterns="*.csv *.json")]
        ui.pairsPathLineEdit.currentPath = settings.text(settings.COMPARE_PAIRS)
        follow_path(ui.pairsPathLineEdit, lambda path: settings.set_text(settings.COMPARE_PAIRS, path))
        self._show()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        self._other.refresh()
        super().enter()

    def start(self) -> None:
        self._other.refresh()
        self._view.clear()
        super().start()

    def offer(self, node, other) -> None:
        """Two segmentations of the scene (vtkMRMLSegmentationNode) are the ones to compare; a click begins."""
        if self._parameters is not None:
            self._other.choose_scene()
            self._parameters.compareOther = other
            setattr(self._parameters, self._segmentation_parameter, node)

    def scene_closing(self) -> None:
        super().scene_closing()
        self._page.clear()  # the table is removed with the scene
        self._view.clear()
        self._table_id = ""
        self._other.scene_closing()

    def close(self) -> None:
        self._other.close()
        super().close()

    # -- TaskSection -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._other.show(self._ct)
        self._show_ready()

    def _no_segmentation_text(self) -> str:
        return _("Choose the segmentation to compare.")

    def _missing_choice(self) -> str:
        return self._other.missing(self._segmentation, self._ct)

    def _task(self) -> ComparisonTask:
        self._order = ComparisonOrder(
            segmentation=self._segmentation,
            segment_ids=all_segments(self._segmentation),
            ct=self._ct,
            other=self._other.chosen,
            pairs=_path(self._ui.pairsPathLineEdit),
        )
        return ComparisonTask(self._order)

    def _cancelled_text(self) -> str:
        return _("Cancelled. Nothing was compared.")

    def _handle_result(self, result: Comparison) -> str:
        title = _("{segmentation} compared with {other}").format(
            segmentation=self._order.segmentation.GetName(), other=self._order.other.name
        )
        self._table_id = add_table(result, title, self._order.segmentation).GetID()
        self._table_ui.fullButton.setEnabled(True)
        self._view.show(result, title)
        return comparison_text(result)

    def _show_result(self) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._table_id) if self._table_id else None
        if node is None:  # the user has removed it
            self._table_ui.fullButton.setEnabled(False)
            return
        self._display.toggle(node)


def _path(path_line) -> Path | None:
    text = path_line.currentPath.strip()
    return Path(text).absolute() if text else None
