"""Shows tables and charts next to the user's views, and restores the layout."""

from __future__ import annotations

import slicer


class DataDisplay:
    """Of one place in the panel. What it showed last is hidden again when it is asked for once more."""

    def __init__(self) -> None:
        self._former: int | None = None
        self._own: int | None = None
        self._shown = ""

    def toggle(self, node) -> bool:
        """Show ``node`` (vtkMRMLTableNode or vtkMRMLPlotChartNode), or restore the previous layout if it is already
        shown; returns whether it is shown now."""
        manager = slicer.app.layoutManager()
        is_chart = node.IsA("vtkMRMLPlotChartNode")
        selection = slicer.app.applicationLogic().GetSelectionNode()
        active = selection.GetActivePlotChartID() if is_chart else selection.GetActiveTableID()
        is_shown = self._own == manager.layout and self._shown == node.GetID() == active
        if is_shown and self._former is not None:
            manager.setLayout(self._former)
            self._own = self._former = None
            return False
        before = self._former if self._own == manager.layout and self._former is not None else manager.layout
        if is_chart:
            layout = slicer.modules.plots.logic().GetLayoutWithPlot(before)
        else:
            layout = slicer.modules.tables.logic().GetLayoutWithTable(before)
        if layout != manager.layout:
            self._former, self._own = before, layout
            manager.setLayout(layout)
        self._shown = node.GetID()
        if is_chart:
            selection.SetActivePlotChartID(node.GetID())
            slicer.app.applicationLogic().PropagatePlotChartSelection()
        else:
            selection.SetActiveTableID(node.GetID())
            slicer.app.applicationLogic().PropagateTableSelection()
        return True
