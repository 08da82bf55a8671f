"""The buttons below the review for the table, the chart and the file of volumes and CT numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.figures.chart import chart_of, charted, fill_chart, show_names
from TotalSegmentatorModuleLib.figures.csv_text import csv_text
from TotalSegmentatorModuleLib.figures.measured import Measured, measured
from TotalSegmentatorModuleLib.figures.table_node import fill_table, table_of
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.text_saving import save_text
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.texts.errors import problem_texts
from TotalSegmentatorModuleLib.views.data_display import DataDisplay


class MeasurementButtons:
    """The buttons of ReviewFigures.ui. A table or chart that the user has made follows the values of its segmentation
    as long as that is reviewed."""

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        self._node = None
        self._rows: list[Measured] = []
        self._display = DataDisplay()
        self._updates: list[Callable[[], None]] = []
        self._ticker = Ticker(self._tick)
        ui.tableButton.connect("clicked(bool)", self._on_table)
        ui.chartButton.connect("clicked(bool)", self._on_chart)
        ui.csvButton.connect("clicked(bool)", self._on_csv)
        self._show()

    def show(self, node, rows: Sequence[ReviewRow]) -> None:
        """``node``: vtkMRMLSegmentationNode or None; ``rows``: all of it."""
        if node is not self._node:
            self._hint("")
        self._node, self._rows, self._updates = node, measured(rows), []
        if node is not None:
            self._updates = [
                update
                for of_segmentation, update in ((table_of, self._fill_table), (chart_of, self._fill_chart))
                if of_segmentation(node) is not None
            ]
            self._ticker.start()
        self._show()

    def scene_closing(self) -> None:
        self._updates = []
        self._node, self._rows = None, []
        self._show()

    def close(self) -> None:
        self._ticker.dispose()

    def _show(self) -> None:
        has_values = any(each.row.measures is not None for each in self._rows)
        self._ui.tableButton.setEnabled(has_values)
        self._ui.csvButton.setEnabled(has_values)
        self._ui.chartButton.setEnabled(bool(charted(self._rows)))
        self._ui.chartButton.setToolTip(
            _(
                "Show the volumes as bars against the published ranges, {count} of them, in a plot next to the views. "
                "Click again to restore the previous layout."
            ).format(count=len(charted(self._rows)))
        )

    def _hint(self, text: str) -> None:
        self._ui.figuresHintLabel.setText(text)
        self._ui.figuresHintLabel.setVisible(bool(text))

    def _tick(self) -> int | None:
        """One update at a time, when the application has time for it."""
        if self._updates:
            self._updates.pop(0)()
        return 0 if self._updates else None

    def _fill_table(self):
        return fill_table(self._node, self._rows)

    def _fill_chart(self):
        rows = charted(self._rows)
        if not rows:
            return None
        chart = fill_chart(self._node, rows)
        show_names(rows, chart)
        return chart

    def _on_table(self) -> None:
        self._display.toggle(self._fill_table())

    def _on_chart(self) -> None:
        chart = self._fill_chart()
        if chart is not None and self._display.toggle(chart):
            show_names(charted(self._rows), chart)

    def _on_csv(self) -> None:
        self._hint("")
        title, kinds = _("Save volumes and CT numbers"), _("Tables ({patterns})").format(patterns="*.csv")
        try:
            save_text(self._ui.figuresWidget, title, _("volumes") + ".csv", kinds, csv_text(self._rows))
        except SegmentationError as error:
            self._hint(" ".join(problem_texts(error.problem)))
