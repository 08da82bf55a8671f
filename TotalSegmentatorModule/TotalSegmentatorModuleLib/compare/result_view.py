"""The result of a comparison in the panel: a short table, to be copied and saved."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.comparison import DICE, DIFFERENCE_PERCENT, HAUSDORFF95

from TotalSegmentatorModuleLib.compare.rows import Comparison, ComparisonLine
from TotalSegmentatorModuleLib.compare.texts import NO_VALUE, cells, column_titles, line_tool_tip, reason
from TotalSegmentatorModuleLib.qt_helpers.text_saving import save_text
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets

_MOST_ROWS = 8
"""What is visible at once; the others are scrolled to."""
_ROW_MARGIN = 6
"""Pixels above and below the text of a row, together."""
_NUMBERS = (DICE, HAUSDORFF95, DIFFERENCE_PERCENT)


class ComparisonView:
    """The widgets of ComparisonTable.ui. ``on_error`` gets a SegmentationError if a file cannot be written."""

    def __init__(self, ui: Widgets, on_error: Callable[[SegmentationError], None]) -> None:
        self._ui = ui
        self._on_error = on_error
        self._comparison: Comparison | None = None
        table = ui.resultTable
        titles = [
            (_("Structure"), ""),
            (_("Dice"), _("Dice coefficient: 1 is full agreement, 0 is none.")),
            (_("HD95 mm"), _("95 % Hausdorff distance: 95 % of the surface is no further away than this.")),
            (_("Volume %"), _("Volume of the segmentation minus that of the other, in percent of the other.")),
        ]
        table.setColumnCount(len(titles))
        for column, (title, tool_tip) in enumerate(titles):
            item = qt.QTableWidgetItem(title)
            item.setToolTip(tool_tip)
            item.setTextAlignment(qt.Qt.AlignVCenter | (qt.Qt.AlignRight if column else qt.Qt.AlignLeft))
            table.setHorizontalHeaderItem(column, item)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + _ROW_MARGIN)
        ui.copyButton.connect("clicked(bool)", self._copy)
        ui.saveButton.connect("clicked(bool)", self._save)
        self.clear()

    def clear(self) -> None:
        self._comparison = None
        self._ui.comparisonWidget.setVisible(False)
        self._ui.resultTable.clearSpans()
        self._ui.resultTable.setRowCount(0)

    def show(self, comparison: Comparison, title: str) -> None:
        """``title`` says what was compared: the choices above the table may change while it is shown."""
        self.clear()
        self._ui.sidesLabel.setText(title + ":")
        self._comparison = comparison
        table = self._ui.resultTable
        table.setRowCount(len(comparison.lines))
        for row, line in enumerate(comparison.lines):
            self._show_line(row, line)
        self._ui.comparisonWidget.setVisible(True)
        rows = min(max(len(comparison.lines), 1), _MOST_ROWS)
        height = table.horizontalHeader().sizeHint.height() + rows * table.verticalHeader().defaultSectionSize
        table.setFixedHeight(height + 2 * table.frameWidth)

    def _show_line(self, row: int, line: ComparisonLine) -> None:
        shown = cells(line)
        texts = [line.name, *(shown[column] for column in _NUMBERS)]
        is_alone = not line.is_pair
        if is_alone:  # in words, over all the columns of numbers
            texts = [line.name, reason(line)]
            self._ui.resultTable.setSpan(row, 1, 1, len(_NUMBERS))
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(line_tool_tip(line))
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            is_number = column > 0 and not is_alone
            item.setTextAlignment(qt.Qt.AlignVCenter | (qt.Qt.AlignRight if is_number else qt.Qt.AlignLeft))
            self._ui.resultTable.setItem(row, column, item)

    def _copy(self) -> None:
        """The whole table as it is shown, for a document or a spreadsheet."""
        rows = [list(column_titles().values())]
        for line in self._comparison.lines:
            rows.append(["" if cell == NO_VALUE else cell for cell in cells(line).values()])
        text = "\n".join("\t".join(" ".join(cell.split()) for cell in row) for row in rows)
        qt.QApplication.clipboard().setText(text + "\n")

    def _save(self) -> None:
        """The table of the engine, with more digits, decimal points and empty cells."""
        title, kinds = _("Save the comparison"), _("Tables ({patterns})").format(patterns="*.csv")
        name = _("comparison") + ".csv"
        try:
            save_text(self._ui.comparisonWidget, title, name, kinds, self._comparison.csv)
        except SegmentationError as error:
            self._on_error(error)
