"""Tool tips of the labels beside fields."""

from __future__ import annotations

import qt


def tell_in_labels(panel) -> None:
    """Give each label below ``panel`` (QWidget) that names a field, its buddy, the field's tool tip."""
    for label in panel.findChildren(qt.QLabel):
        field = label.buddy()
        if field and not label.toolTip:
            label.setToolTip(field.toolTip)
