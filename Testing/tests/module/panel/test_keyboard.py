"""The Tab key goes through the whole panel, from top to bottom."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from review_support import ReviewUser

ROW_PX = 8
"""Widgets of one row need not begin at the same height."""


def with_tab(panel, first) -> list:
    """The widgets (QWidget) of ``panel`` that Tab reaches after ``first``, in its order, until it is back there."""
    import qt

    reached, widget = [first], first.nextInFocusChain()
    while widget is not first:
        if panel.isAncestorOf(widget) and widget.visible and widget.enabled and widget.focusPolicy & qt.Qt.TabFocus:
            reached.append(widget)
        widget = widget.nextInFocusChain()
    return reached


def test_tab_goes_from_top_to_bottom(user, app):
    import qt

    ReviewUser(user).add_result()
    panel = user.widget.parent
    for section in panel.findChildren("ctkCollapsibleButton"):
        section.collapsed = False
    app.resize_window(1024, 6000)
    app.process_events()

    reached = with_tab(panel, user.ui.inputs.inputSelector)

    tops = [widget.mapTo(panel, qt.QPoint(0, 0)).y() for widget in reached]
    back = [
        "{} after {}".format(after.objectName, before.objectName)
        for before, after, top, next_top in zip(reached, reached[1:], tops, tops[1:], strict=False)
        if next_top < top - ROW_PX
    ]
    assert back == []
    names = {widget.objectName for widget in reached}
    assert {"applyButton", "showIn3DButton", "structuresTree", "formatComboBox", "proxyLineEdit", "copyButton"} <= names
