"""The chart of volumes against the published ranges, in Slicer's plot view.

Each structure has a line of its own: a broad grey band from the low to the high end of the published volumes, and over
it a bar as long as its own volume. Slicer's bar plots stand upright, without names below them; these bars lie, as
pieces of broad lines, so that there is room for a name beside each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import slicer
import vtk

from TotalSegmentatorModuleLib.figures.measured import Measured
from TotalSegmentatorModuleLib.figures.own_nodes import node_for, own_node
from TotalSegmentatorModuleLib.figures.texts import chart_name, series_names, volume_axis
from TotalSegmentatorModuleLib.scene.notice import told_once

_CHART, _DATA = "TotalSegmentatorModule.VolumeChart", "TotalSegmentatorModule.VolumeChartData"
_SERIES = "TotalSegmentatorModule.VolumeChartSeries."
_PLACE, _NAME = "place", "name"
"""Columns of the data that all series share."""
_STYLES = {
    "published": ((0.80, 0.80, 0.80), 15.0),
    "within": ((0.10, 0.42, 0.66), 6.0),
    "outside": ((0.84, 0.37, 0.00), 6.0),
    "cut": ((0.58, 0.58, 0.58), 6.0),
}
"""Colour (blue and orange are told apart by the colour-blind, too) and width in pixels of each series."""
_MANY, _NARROWER = 16, 0.6
"""Of more structures the lines are narrower."""
_STEPS = (1, 2, 5)
"""The axis begins and ends at one of these times a power of ten."""


def charted(rows: Sequence[Measured]) -> list[Measured]:
    """Those that the chart shows, from top to bottom: with a volume and a published range. The smallest come first, so
    that the legend has room in the upper right corner; vertebrae stay together, the highest first, as pairs do."""
    shown = [each for each in rows if each.row.volume_ml and each.usual_ml is not None]
    sizes: dict[str, float] = {}
    for each in shown:
        size = each.usual_ml.low or each.usual_ml.high
        sizes[_family(each)] = min(size, sizes.get(_family(each), size))
    return sorted(shown, key=lambda each: (sizes[_family(each)], _family(each), -each.row.order))


def _family(each: Measured) -> str:
    return each.row.key.partition("_")[0]


def chart_of(segmentation):
    """The vtkMRMLPlotChartNode of a vtkMRMLSegmentationNode, None where it has none."""
    return node_for(segmentation, _CHART)


def fill_chart(segmentation, rows: Sequence[Measured]):
    """Make the chart of ``segmentation`` (vtkMRMLSegmentationNode) or bring it up to date; ``rows``: as ``charted``
    gives them, at least one. Returns the vtkMRMLPlotChartNode."""
    whole = [each.row.volume_ml for each in rows if not each.row.is_cut]  # little is left of some that are cut
    ends = [*whole, *(end for each in rows for end in (each.usual_ml.low, each.usual_ml.high) if end)]
    axis = (max(_steps_about(min(ends), below=True)), min(_steps_about(max(ends), below=False)))
    name = chart_name(segmentation.GetName())
    data = own_node(segmentation, _DATA, "vtkMRMLTableNode", name, is_shown=False)
    _fill_data(data, rows, axis)
    chart = own_node(segmentation, _CHART, "vtkMRMLPlotChartNode", name)
    with told_once(chart):
        chart.RemoveAllPlotSeriesNodeIDs()
        for key, title in series_names().items():
            if key == "published" or any(_kind(each) == key for each in rows):
                series = _series(segmentation, key, title, data)
                series.SetLineWidth(_STYLES[key][1] * (_NARROWER if len(rows) > _MANY else 1.0))
                chart.AddAndObservePlotSeriesNodeID(series.GetID())
        chart.SetTitle(name)
        chart.SetTitleFontSize(14)
        chart.SetXAxisTitle(volume_axis())
        chart.SetYAxisTitleVisibility(False)
        chart.SetXAxisLogScale(True)
        chart.SetXAxisRangeAuto(False)
        chart.SetXAxisRange(*axis)
        chart.SetYAxisRangeAuto(False)
        chart.SetYAxisRange(-0.7, len(rows) - 0.3)
        chart.SetLegendVisibility(True)
        chart.SetGridVisibility(True)
    return chart


def show_names(rows: Sequence[Measured], chart) -> None:
    """Write the names of structures beside their lines in the plot views that show ``chart`` (vtkMRMLPlotChartNode).

    The chart's node has no place for them; without them the view shows the names in its tool tips only.
    """
    import vtkmodules.vtkChartsCore  # noqa: F401 - else PythonQt returns the chart as a base class (Slicer#9382)

    manager = slicer.app.layoutManager()
    for index in range(manager.plotViewCount):
        widget = manager.plotWidget(index)
        view_node = widget.mrmlPlotViewNode()
        if view_node is not None and view_node.GetPlotChartNodeID() == chart.GetID():
            label_axis(widget.plotView().chart(), rows)


def label_axis(plot, rows: Sequence[Measured]) -> None:
    """The same for one vtkChartXY."""
    places, names = vtk.vtkDoubleArray(), vtk.vtkStringArray()
    for place, each in enumerate(reversed(rows)):
        places.InsertNextValue(place)
        names.InsertNextValue(each.row.name)
    plot.GetAxis(vtk.vtkAxis.LEFT).SetCustomTickPositions(places, names)


def _steps_about(value: float, below: bool) -> list[float]:
    """The steps of the axis near ``value`` that lie below it, or above."""
    decade = math.floor(math.log10(value))
    steps = [step * 10.0**power for power in range(decade - 1, decade + 2) for step in _STEPS]
    return [step for step in steps if (step < value if below else step > value)]


def _kind(each: Measured) -> str:
    if each.row.is_cut:
        return "cut"
    return "within" if each.usual_ml.holds(each.row.volume_ml) else "outside"


def _fill_data(node, rows: Sequence[Measured], axis: tuple[float, float]) -> None:
    """Three rows a structure: where its pieces of line begin, where they end, and a gap."""
    columns = {key: [] for key in _STYLES}
    for each in rows:
        published = (each.usual_ml.low or axis[0], each.usual_ml.high or axis[1])
        for key, values in columns.items():
            own = (
                (axis[0], min(max(each.row.volume_ml, axis[0]), axis[1]))
                if key == _kind(each)
                else (math.nan, math.nan)
            )
            values += [*(published if key == "published" else own), math.nan]
    with told_once(node):
        node.RemoveAllColumns()
        places, names = vtk.vtkDoubleArray(), vtk.vtkStringArray()
        places.SetName(_PLACE)
        names.SetName(_NAME)
        for place, each in enumerate(rows):
            for _point in range(3):
                places.InsertNextValue(len(rows) - 1 - place)
                names.InsertNextValue(each.row.name)
        for array in (names, places):
            node.AddColumn(array)
        for key, values in columns.items():
            array = vtk.vtkDoubleArray()
            array.SetName(key)
            for value in values:
                array.InsertNextValue(value)
            node.AddColumn(array)


def _series(segmentation, key: str, title: str, data):
    node = own_node(segmentation, _SERIES + key, "vtkMRMLPlotSeriesNode", title, is_shown=False)
    with told_once(node):
        node.SetName(title)  # the legend's text
        node.SetAndObserveTableNodeID(data.GetID())
        node.SetXColumnName(key)
        node.SetYColumnName(_PLACE)
        node.SetLabelColumnName(_NAME)
        node.SetPlotType(node.PlotTypeScatter)
        node.SetMarkerStyle(node.MarkerStyleNone)
        node.SetLineStyle(node.LineStyleSolid)
        node.SetColor(*_STYLES[key][0])
    return node
