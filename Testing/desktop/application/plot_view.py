"""The plot view of the layouts: a real VTK chart, filled from the nodes of the scene as qMRMLPlotView does it.

Only what our charts use: series of type scatter, drawn as lines; titles, ranges and scales of the axes; the legend.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtWidgets
from vtkmodules.vtkChartsCore import vtkAxis, vtkChartXY, vtkPlotLine

_LINE = 1
"""vtkPen::SOLID_LINE."""


class qMRMLPlotView(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """The chart of one plot view node."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._chart = vtkChartXY()

    def chart(self) -> Any:
        return self._chart

    def fitToContent(self) -> None:
        self._chart.RecalculateBounds()


class qMRMLPlotWidget(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """Holder of the plot view. Its node is made by the layout, and survives the closing of the scene."""

    def __init__(self, scene: Any, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._scene, self._chart_node, self._tag = scene, None, 0
        self._view = qMRMLPlotView(self)
        self._node = slicer.vtkMRMLPlotViewNode()
        self._node.SetLayoutName("PlotView1")
        self._node.SetSingletonTag("PlotView1")
        scene.AddNode(self._node)
        self._node.AddObserver("ModifiedEvent", self._on_view_node)

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def plotView(self) -> qMRMLPlotView:
        return self._view

    def _on_view_node(self, _node: Any, _event: str) -> None:
        chart = self._scene.GetNodeByID(self._node.GetPlotChartNodeID() or "")
        if chart is not self._chart_node:
            if self._chart_node is not None:
                self._chart_node.RemoveObserver(self._tag)
            self._chart_node = chart
            self._tag = chart.AddObserver("ModifiedEvent", self._fill) if chart is not None else 0
        self._fill()

    def _fill(self, *_event: Any) -> None:
        chart, node = self._view.chart(), self._chart_node
        chart.ClearPlots()
        if node is None:
            return
        ids: list[str] = []
        node.GetPlotSeriesNodeIDs(ids)
        for series in (self._scene.GetNodeByID(each) for each in ids):
            assert series.GetPlotType() == series.PlotTypeScatter
            plot = vtkPlotLine()
            plot.SetInputData(series.GetTableNode().GetTable(), series.GetXColumnName(), series.GetYColumnName())
            plot.SetUseIndexForXSeries(False)
            plot.SetColorF(*series.GetColor())
            plot.SetWidth(series.GetLineWidth())
            plot.GetPen().SetLineType(_LINE)
            plot.SetMarkerStyle(0)
            plot.SetLabel(series.GetName())
            chart.AddPlot(plot)
        chart.SetTitle(node.GetTitle())
        chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
        chart.SetShowLegend(node.GetLegendVisibility())
        x_title = node.GetXAxisTitle() if node.GetXAxisTitleVisibility() else ""
        y_title = node.GetYAxisTitle() if node.GetYAxisTitleVisibility() else ""
        _set_axis(chart.GetAxis(vtkAxis.BOTTOM), x_title, node.GetXAxisLogScale(), node.GetXAxisRange())
        _set_axis(chart.GetAxis(vtkAxis.LEFT), y_title, node.GetYAxisLogScale(), node.GetYAxisRange())


def _set_axis(axis: Any, title: str, is_log: bool, ends: tuple[float, float]) -> None:
    axis.SetTitle(title or "")
    axis.SetLogScale(is_log)
    axis.SetBehavior(vtkAxis.FIXED)
    axis.SetUnscaledRange(*ends)


def write_chart(chart: Any, path: Path, size: tuple[int, int]) -> Path:
    """A picture of a vtkChartXY."""
    import vtkmodules.vtkRenderingContextOpenGL2  # noqa: F401 - draws contexts
    from vtk import vtkPNGWriter, vtkWindowToImageFilter
    from vtkmodules.vtkViewsContext2D import vtkContextView

    view = vtkContextView()
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(*size)
    view.GetRenderer().SetBackground(1.0, 1.0, 1.0)
    view.GetScene().AddItem(chart)
    view.Render()
    grab, writer = vtkWindowToImageFilter(), vtkPNGWriter()
    grab.SetInput(window)
    grab.Update()
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.SetFileName(str(path))
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()
    view.GetScene().RemoveItem(chart)
    return path
