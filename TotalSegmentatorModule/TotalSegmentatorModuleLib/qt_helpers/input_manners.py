"""What lists and spin boxes do by themselves in Qt, and should not do in a panel that scrolls and may be narrow."""

from __future__ import annotations

import qt

_CONTENTS_LENGTH = 6
"""Characters of a list's entry that are readable at least."""


class WheelGuard(qt.QObject):
    """Keeps the mouse wheel from changing combo and spin boxes below ``top`` (QWidget) that have no focus.

    The wheel then scrolls the panel. Works as long as it is referred to.
    """

    def __init__(self, top) -> None:
        qt.QObject.__init__(self)
        for kind in (qt.QComboBox, qt.QAbstractSpinBox):
            for widget in top.findChildren(kind):
                widget.setFocusPolicy(qt.Qt.StrongFocus)  # else the wheel itself gives it the focus
                widget.installEventFilter(self)

    def eventFilter(self, widget, event) -> bool:
        if event.type() != qt.QEvent.Wheel or widget.hasFocus():
            return False
        event.ignore()  # so that Qt offers it to the parent
        return True


def keep_lists_narrow(top) -> None:
    """Make the widths of combo boxes below ``top`` (QWidget) independent of their entries: long names of nodes, say."""
    for combo in top.findChildren(qt.QComboBox):
        combo.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(_CONTENTS_LENGTH)
