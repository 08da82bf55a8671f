"""The panel's Compare section: how far a segmentation is from somebody else's structures on the same CT."""

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
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tasks.page import TaskPage
from TotalSegmentatorModuleLib.tasks.section import TaskSection


class ComparePanel(TaskSection):
    """The section "Compare" of the .ui. The file is not remembered, since it belongs to one patient; the pairs are."""

    def __init__(self, ui, on_log: Callable[[str], None], on_changed: Callable[[], None]) -> None:
        super().__init__(ui, on_log, on_changed, "compare", _("Comparison"))
        self._display = TableDisplay()
        self._order: ComparisonOrder | None = None
        self._table_id = ""
        self._page = TaskPage(ui, "compare", _("Compare"), ui.compareShowTableButton, self._show_table)
        ui.compareFilePathLineEdit.nameFilters = [
            _("Structure sets and segmentations ({patterns})").format(patterns="*.dcm *.seg.nrrd *.nrrd"),
            _("All files ({patterns})").format(patterns="*"),  # DICOM files often have no ending
        ]
        ui.comparePairsPathLineEdit.nameFilters = [
            _("Tables and templates ({patterns})").format(patterns="*.csv *.json")
        ]
        ui.comparePairsPathLineEdit.currentPath = settings.text(settings.COMPARE_PAIRS)
        follow_path(ui.compareFilePathLineEdit, lambda _path: self._show_ready())
        follow_path(ui.comparePairsPathLineEdit, lambda path: settings.set_text(settings.COMPARE_PAIRS, path))
        self._show_ready()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def scene_closing(self) -> None:
        super().scene_closing()
        self._page.clear()  # the table goes with the scene
        self._table_id = ""
        self._ui.compareFilePathLineEdit.currentPath = ""

    # -- TaskSection -------------------------------------------------------------------------------------------------

    def _empty_choice(self) -> str:
        return _("Choose the segmentation to compare.")

    def _missing_choice(self) -> str:
        return "" if self._path("File") is not None else _("Choose the file with the other structures.")

    def _task(self) -> ComparisonTask:
        self._order = ComparisonOrder(
            segmentation=self._segmentation,
            segment_ids=all_segments(self._segmentation),
            ct=self._ct,
            theirs=self._path("File"),
            pairs=self._path("Pairs"),
        )
        return ComparisonTask(self._order)

    def _cancelled_text(self) -> str:
        return _("Cancelled. Nothing was compared.")

    def _take(self, result: ComparisonRows) -> str:
        self._table_id = add_table(result, self._order.segmentation, self._order.theirs.name).GetID()
        return comparison_text(result)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _path(self, name: str) -> Path | None:
        text = getattr(self._ui, "compare" + name + "PathLineEdit").currentPath.strip()
        return Path(text).absolute() if text else None

    def _show_table(self) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._table_id) if self._table_id else None
        if node is None:  # the user has removed it
            self._ui.compareShowTableButton.setVisible(False)
            return
        self._display.toggle(node)
