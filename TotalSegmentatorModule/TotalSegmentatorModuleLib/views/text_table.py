"""Tables for Slicer's table view that are read and not edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import vtk


def fill_text_table(node, titles: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> None:
    """Give a vtkMRMLTableNode these columns, by their names, with their readable titles, in place of those that it has.

    They hold text as it is to be read: Slicer's table view shows numbers with any digits and a missing one as "nan".
    """
    node.RemoveAllColumns()
    for column, title in titles.items():
        array = vtk.vtkStringArray()
        array.SetName(column)
        for row in rows:
            array.InsertNextValue(row[column])
        node.AddColumn(array)
        node.SetColumnTitle(column, title)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)  # measurements are not edited
