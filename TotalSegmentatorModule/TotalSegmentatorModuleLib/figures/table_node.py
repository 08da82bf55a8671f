"""The table of volumes and CT numbers in the scene."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorModuleLib.figures.measured import Measured
from TotalSegmentatorModuleLib.figures.own_nodes import node_for, own_node
from TotalSegmentatorModuleLib.figures.texts import cells, column_titles, table_name
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.views.text_table import fill_text_table

_ROLE = "TotalSegmentatorModule.MeasurementTable"


def table_of(segmentation):
    """The vtkMRMLTableNode of a vtkMRMLSegmentationNode, None where it has none."""
    return node_for(segmentation, _ROLE)


def fill_table(segmentation, rows: Sequence[Measured]):
    """Make the table of ``segmentation`` (vtkMRMLSegmentationNode) or bring it up to date; returns the
    vtkMRMLTableNode."""
    node = own_node(segmentation, _ROLE, "vtkMRMLTableNode", table_name(segmentation.GetName()))
    content = [cells(each) for each in rows]
    if content == _content(node):
        return node
    with told_once(node):
        fill_text_table(node, column_titles(), content)
    return node


def _content(node) -> list[dict[str, str]]:
    names = [node.GetColumnName(column) for column in range(node.GetNumberOfColumns())]
    return [
        {name: node.GetCellText(row, column) for column, name in enumerate(names)}
        for row in range(node.GetNumberOfRows())
    ]
