"""One line that stands for a long text, which the user can show."""

from __future__ import annotations

import qt


class Disclosure:
    """``button``: a checkable QToolButton with an arrow; ``label``: the QLabel that it shows and hides."""

    def __init__(self, button, label) -> None:
        self._button, self._label = button, label
        button.connect("toggled(bool)", self._on_toggled)
        self.show("", "")

    def show(self, title: str, text: str) -> None:
        """``title`` is the line; ``text`` stays hidden until it is asked for. Without text there is no line either."""
        self._button.setText(title)
        self._label.setText(text)
        self._button.setChecked(False)
        self._button.setVisible(bool(text))
        self._on_toggled(False)

    def update(self, title: str, text: str) -> None:
        """Other texts of the same thing: what is open stays open."""
        self._button.setText(title)
        self._label.setText(text)
        self._button.setVisible(bool(text))
        self._on_toggled(self._button.checked and bool(text))

    def _on_toggled(self, is_open: bool) -> None:
        self._button.setArrowType(qt.Qt.DownArrow if is_open else qt.Qt.RightArrow)
        self._label.setVisible(is_open)
