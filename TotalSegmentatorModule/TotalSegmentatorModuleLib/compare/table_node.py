"""The table of a comparison in the scene, and in Slicer's table view."""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.compare.rows import ComparisonRows
from TotalSegmentatorModuleLib.compare.texts import column_titles
from TotalSegmentatorModuleLib.scene.volumes import file_beside


def add_table(rows: ComparisonRows, segmentation, file_name: str):
    """A new vtkMRMLTableNode beside ``segmentation`` (vtkMRMLSegmentationNode).

    Its columns have the engine's names, which scripts can rely on, and readable titles.
    """
    name = _("{segmentation} compared with {file}").format(segmentation=segmentation.GetName(), file=file_name)
    unique = slicer.mrmlScene.GenerateUniqueName(name)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", unique)
    was_modifying = node.StartModify()
    for column, names in rows.names.items():
        _add_column(node, vtk.vtkStringArray(), column, names)
    for column, numbers in rows.numbers.items():
        _add_column(node, vtk.vtkDoubleArray(), column, numbers)
    titles = column_titles()
    for column in (*rows.names, *rows.numbers):
        node.SetColumnTitle(column, titles.get(column, column))
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)  # measurements are not edited
    node.EndModify(was_modifying)
    file_beside(node, segmentation)
    return node


def _add_column(node, array, name: str, values: list) -> None:
    array.SetName(name)
    array.SetNumberOfValues(len(values))
    for index, value in enumerate(values):
        array.SetValue(index, value)
    node.AddColumn(array)


class TableDisplay:
    """Shows tables next to the user's views, and restores the layout."""

    def __init__(self) -> None:
        self._former: int | None = None
        self._own: int | None = None

    def toggle(self, node) -> None:
        """Show ``node`` (vtkMRMLTableNode), or restore the previous layout if it is already shown."""
        manager = slicer.app.layoutManager()
        selection = slicer.app.applicationLogic().GetSelectionNode()
        is_shown = self._own == manager.layout and selection.GetActiveTableID() == node.GetID()
        if is_shown and self._former is not None:
            manager.setLayout(self._former)
            self._own = self._former = None
            return
        layout = slicer.modules.tables.logic().GetLayoutWithTable(manager.layout)
        if layout != manager.layout:
            self._former, self._own = manager.layout, layout
            manager.setLayout(layout)
        selection.SetActiveTableID(node.GetID())
        slicer.app.applicationLogic().PropagateTableSelection()
