"""Loads .ui files."""

from __future__ import annotations

from typing import Any

import qt
import slicer

Widgets = Any
"""The widgets of one .ui file as attributes, as slicer.util.childWidgetVariables returns them."""


def add_ui(layout, path: str) -> Widgets:
    """Load a .ui file and add its top widget to ``layout`` (QLayout); returns the file's widgets."""
    widget = slicer.util.loadUI(path)
    layout.addWidget(widget)
    return named_children(widget)


def named_children(widget) -> Widgets:
    """The named children of ``widget`` as attributes, layouts included.

    slicer.util.childWidgetVariables passes over a layout without items where PythonQt counts it as false.
    """
    ui = slicer.util.childWidgetVariables(widget)
    for layout in widget.findChildren(qt.QLayout):
        if layout.objectName:
            setattr(ui, layout.objectName, layout)
    return ui
