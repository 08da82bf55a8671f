"""Single keys for the review's buttons.

They work while the table, its buttons or a view has the focus: a shortcut of Qt belongs to a widget and all below it. A
text field takes the keys that it can use before any shortcut sees them, and lies outside these widgets anyway. Slicer's
Segment Editor sets its shortcuts (Q, W, I, Z, Y, digits) on the main window when it is opened and removes them when
another module is (qMRMLSegmentEditorWidget::installKeyboardShortcuts); these here are switched off with the module.
"""

from __future__ import annotations

from collections.abc import Mapping

import qt
import slicer


class ReviewKeys:
    """Clicks the ``buttons`` (QAbstractButton, by the text of their key) on behalf of the keyboard."""

    def __init__(self, review_widget, buttons: Mapping[str, object]) -> None:
        manager = slicer.app.layoutManager()
        viewport = manager.viewport() if manager is not None else None
        self._shortcuts = []
        for widget in (review_widget, viewport):
            if widget is not None:
                self._shortcuts += [_shortcut(widget, key, button) for key, button in buttons.items()]
        self.set_enabled(False)

    def set_enabled(self, is_enabled: bool) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(is_enabled)

    def close(self) -> None:
        """The views outlive the panel: take the keys from them."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []


def _shortcut(widget, key: str, button):
    def press() -> None:
        if button.enabled:
            button.click()

    shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
    shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
    shortcut.connect("activated()", press)
    return shortcut
