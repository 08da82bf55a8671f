"""The panel's Compare section: a segmentation against the structures in a file on the same CT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.compare.rows import ComparisonRows
from TotalSegmentatorModuleLib.compare.table_node import TableDisplay, add_table
from TotalSegmentatorModuleLib.compare.task import ComparisonOrder, ComparisonTask
from TotalSegmentatorModuleLib.compare.texts import comparison_text
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tasks.section import TaskSection
from TotalSegmentatorModuleLib.tasks.task_widgets import ButtonTexts


class CompareSection(TaskSection):
    """The section of Compare.ui. The settings keep the name pairs, but not the file, which belongs to one patient."""

    def __init__(
        self, ui: Widgets, task_ui: Widgets, on_log: Callable[[str], None], on_changed: Callable[[], None]
    ) -> None:
        texts = ButtonTexts(
            _("Compare"),
            _("Show table"),
            _("Show the table next to the slice views. Click again to restore the previous layout."),
        )
        parameters = ("compareSegmentation", "compareCt")
        super().__init__(ui, task_ui, on_log, on_changed, _("Comparison"), texts, *parameters)
        self._display = TableDisplay()
        self._order: ComparisonOrder | None = None
        self._table_id = ""
        ui.filePathLineEdit.nameFilters = [
            _("Structure sets and segmentations ({patterns})").format(patterns="*.dcm *.seg.nrrd *.nrrd"),
            _("All files ({patterns})").format(patterns="*"),  # DICOM files often have no ending
        ]
        ui.pairsPathLineEdit.nameFilters = [_("Tables and templates ({patterns})").format(patterns="*.csv *.json")]
        ui.pairsPathLineEdit.currentPath = settings.text(settings.COMPARE_PAIRS)
        follow_path(ui.filePathLineEdit, lambda _path: self._show_ready())
        follow_path(ui.pairsPathLineEdit, lambda path: settings.set_text(settings.COMPARE_PAIRS, path))
        self._show_ready()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def scene_closing(self) -> None:
        super().scene_closing()
        self._page.clear()  # the table is removed with the scene
        self._table_id = ""
        self._ui.filePathLineEdit.currentPath = ""

    # -- TaskSection -------------------------------------------------------------------------------------------------

    def _no_segmentation_text(self) -> str:
        return _("Choose the segmentation to compare.")

    def _missing_choice(self) -> str:
        return "" if _path(self._ui.filePathLineEdit) is not None else _("Choose the file to compare with.")

    def _note(self) -> str:
        if self._ct is None or self._ct.GetAttribute("DICOM.instanceUIDs"):
            return ""
        return _("The CT does not come from DICOM. To compare, load its DICOM series and choose that.")

    def _task(self) -> ComparisonTask:
        self._order = ComparisonOrder(
            segmentation=self._segmentation,
            segment_ids=all_segments(self._segmentation),
            ct=self._ct,
            theirs=_path(self._ui.filePathLineEdit),
            pairs=_path(self._ui.pairsPathLineEdit),
        )
        return ComparisonTask(self._order)

    def _cancelled_text(self) -> str:
        return _("Cancelled. Nothing was compared.")

    def _handle_result(self, result: ComparisonRows) -> str:
        self._table_id = add_table(result, self._order.segmentation, self._order.theirs.name).GetID()
        return comparison_text(result)

    def _show_result(self) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._table_id) if self._table_id else None
        if node is None:  # the user has removed it
            self._task_ui.resultButton.setVisible(False)
            return
        self._display.toggle(node)


def _path(path_line) -> Path | None:
    text = path_line.currentPath.strip()
    return Path(text).absolute() if text else None
