"""The table of a comparison in the scene, and in Slicer's table view."""

from __future__ import annotations

import slicer

from TotalSegmentatorModuleLib.compare.rows import Comparison
from TotalSegmentatorModuleLib.compare.texts import cells, column_titles
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.volumes import file_beside
from TotalSegmentatorModuleLib.views.text_table import fill_text_table


def add_table(comparison: Comparison, name: str, segmentation):
    """A new vtkMRMLTableNode of this name, or one like it, beside ``segmentation`` (vtkMRMLSegmentationNode).
    Its columns have the engine's names."""
    unique = slicer.mrmlScene.GenerateUniqueName(name)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", unique)
    with told_once(node):
        fill_text_table(node, column_titles(), [cells(line) for line in comparison.lines])
    file_beside(node, segmentation)
    return node
