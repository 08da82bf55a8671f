"""The bar above another module's panel while a structure is edited there: what is edited, and the way back."""

from __future__ import annotations

from collections.abc import Callable

import qt

from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.qt_helpers.wrapped_labels import WrappedLabels


class EditBar(qt.QObject):
    """The widgets of EditBar.ui. ``on_back`` is called by the button, ``on_left`` when the user turns to yet another
    module; the bar stays where it is until ``remove``."""

    def __init__(self, ui: Widgets, on_back: Callable[[], None], on_left: Callable[[], None]) -> None:
        qt.QObject.__init__(self)
        self._frame, self._label = ui.editBarFrame, ui.editBarLabel
        self._wrapped_labels = WrappedLabels(self._frame)
        self._on_left = on_left
        self._place = None
        self._ticker = Ticker(self._look)
        ui.backButton.connect("clicked(bool)", lambda _checked: on_back())
        self._frame.installEventFilter(self)

    def show(self, representation, text: str) -> None:
        """On top of ``representation`` (qSlicerAbstractModuleWidget), which is entered."""
        self.remove()
        self._place = representation
        self._label.setText(text)
        representation.layout().insertWidget(0, self._frame)
        self._frame.setVisible(True)

    def remove(self) -> None:
        place, self._place = self._place, None
        if place and self._frame:  # else that module was unloaded first, and the bar went with its panel
            self._frame.setVisible(False)
            place.layout().removeWidget(self._frame)
            self._frame.setParent(None)

    def close(self) -> None:
        self.remove()
        self._ticker.dispose()
        self._wrapped_labels.close()
        if self._frame:
            self._frame.removeEventFilter(self)
            self._frame.deleteLater()

    def eventFilter(self, _widget, event) -> bool:
        if event.type() == qt.QEvent.Hide and self._place is not None:
            self._ticker.start()  # a panel that is closed or folded hides its contents, too
        return False

    def _look(self) -> None:
        if self._place and not self._place.isEntered:
            self._on_left()
