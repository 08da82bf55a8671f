"""The table of a comparison in the scene, and in Slicer's table view."""

from __future__ import annotations

import slicer
import vtk

from TotalSegmentatorModuleLib.compare.rows import Comparison
from TotalSegmentatorModuleLib.compare.texts import cells, column_titles
from TotalSegmentatorModuleLib.scene.volumes import file_beside


def add_table(comparison: Comparison, name: str, segmentation):
    """A new vtkMRMLTableNode of this name, or one like it, beside ``segmentation`` (vtkMRMLSegmentationNode).

    Its columns have the engine's names and readable titles. They hold text as it is to be read: Slicer's table view
    shows numbers with any digits and a missing one as "nan".
    """
    unique = slicer.mrmlScene.GenerateUniqueName(name)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", unique)
    was_modifying = node.StartModify()
    rows = [cells(line) for line in comparison.lines]
    for column, title in column_titles().items():
        array = vtk.vtkStringArray()
        array.SetName(column)
        for row in rows:
            array.InsertNextValue(row[column])
        node.AddColumn(array)
        node.SetColumnTitle(column, title)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)  # measurements are not edited
    node.EndModify(was_modifying)
    file_beside(node, segmentation)
    return node
