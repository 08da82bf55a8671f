"""Loads .ui files."""

from __future__ import annotations

from typing import Any

import slicer

Widgets = Any
"""The widgets of one .ui file as attributes, as slicer.util.childWidgetVariables returns them."""


def add_ui(layout, path: str) -> Widgets:
    """Load a .ui file and add its top widget to ``layout`` (QLayout); returns the file's widgets."""
    widget = slicer.util.loadUI(path)
    layout.addWidget(widget)
    return slicer.util.childWidgetVariables(widget)
