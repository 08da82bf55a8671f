"""Single keys for the review's buttons.

They work while the table, its buttons or a view has the focus: a shortcut of Qt belongs to a widget and all below it. A
text field, such as the one for the offset in a view's bar, takes the keys that it can use before any shortcut sees
them. The views can be in several windows: each viewport of Slicer's layout manager gets the keys once.

Slicer's Segment Editor sets its shortcuts (Q, W, I, Z, Y, digits) on the main window when it is opened and removes them
when another module is (qMRMLSegmentEditorWidget::installKeyboardShortcuts); these here are switched off with the
module.
"""

from __future__ import annotations

from collections.abc import Mapping

import qt
import slicer

_WITHOUT_KEYS = ("QAbstractButton", "QScrollArea")
"""Qt's names of what has the focus after a click elsewhere in the panel, or when another module's panel has gone."""


class ReviewKeys:
    """Clicks the ``buttons`` (QAbstractButton, by the text of their key) on behalf of the keyboard.

    ``table`` (QWidget) takes the focus from every button below ``section`` that is clicked with the mouse, before it
    does its work: a button that is hidden or disabled then would pass the focus on to the next one, whose place the
    panel would scroll to.
    """

    def __init__(self, section, review_widget, table, buttons: Mapping[str, object]) -> None:
        self._table = table
        self._buttons = buttons
        for button in section.findChildren(qt.QPushButton):
            button.connect("clicked(bool)", lambda _checked: self.listen())
        self._shortcuts: list = []
        self._viewports: set[str] = set()
        self._is_enabled = False
        self._add(review_widget)
        self._manager = slicer.app.layoutManager()  # None in Slicer without a main window
        if self._manager is not None:
            self._manager.connect("layoutChanged(int)", self._on_layout)
            self._on_layout(self._manager.layout)

    def set_enabled(self, is_enabled: bool) -> None:
        self._is_enabled = is_enabled
        for shortcut in self._shortcuts:
            if shortcut:  # not one whose window is gone
                shortcut.setEnabled(is_enabled)

    def listen(self) -> None:
        """Give the table the focus if it is on a button or nowhere, where the keys would not be heard. Who
        writes in a field or works in a view keeps it."""
        focus = slicer.app.focusWidget()
        if self._is_enabled and (focus is None or any(map(focus.inherits, _WITHOUT_KEYS))):
            self._table.setFocus()

    def close(self) -> None:
        """The views outlive the panel: take the keys from them."""
        self.set_enabled(False)
        if self._manager is not None:
            self._manager.disconnect("layoutChanged(int)", self._on_layout)
        for shortcut in self._shortcuts:
            if shortcut:
                shortcut.deleteLater()
        self._shortcuts = []

    def _on_layout(self, _layout: int) -> None:
        """Another layout may have opened a window for more views (ctkLayoutManager::createViewport); when it is closed,
        the window is hidden and kept."""
        for name in self._manager.viewportNames:
            viewport = self._manager.viewport(name)
            if name not in self._viewports and viewport is not None:
                self._viewports.add(name)
                self._add(viewport)

    def _add(self, widget) -> None:
        self._shortcuts += [_shortcut(widget, key, button, self._is_enabled) for key, button in self._buttons.items()]


def _shortcut(widget, key: str, button, is_enabled: bool):
    def press() -> None:
        if button.enabled:
            button.click()

    shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
    shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
    shortcut.setEnabled(is_enabled)
    shortcut.connect("activated()", press)
    return shortcut
