"""Keeps word-wrapped labels as high as their text needs, and never wider than the panel that they are in.

Slicer's module panel takes the size hint of a module's widget as its minimum width, and its scroll area keeps an old
height-for-width after a change of module (Base/QTGUI/qSlicerModulePanel.cxx). So no layout may depend on
height-for-width: a wrapped label gets a height of its own for the width that it has, and no say about its width.
"""

from __future__ import annotations

import re

import qt

_ZERO_WIDTH_SPACE = "\u200b"
"""Where a line may break although there is no space (Unicode Standard Annex 14, class ZW)."""
_MARKUP = re.compile(r"(<[^>]*>|&#?\w+;)")
_NOT_A_BREAK = r"[^\s/\-]"
"""Qt breaks lines at spaces, and after slashes and hyphens."""
_SAFETY = 1.15
"""A word in bold is up to this much wider than in the label's own font."""


class WrappedLabels(qt.QObject):
    """Looks after all word-wrapped labels below ``top`` (QWidget) as long as it is referred to, until ``close``."""

    def __init__(self, top) -> None:
        qt.QObject.__init__(self)
        labels = [label for label in top.findChildren(qt.QLabel) if label.wordWrap]
        self._labels = {label: _WrappedLabel(label) for label in labels}
        self._labels_in: dict = {}
        for label in labels:
            self._labels_in.setdefault(label.parent(), []).append(self._labels[label])
        self._outdated: list = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._lay_out)
        self._types = (qt.QEvent.Resize, qt.QEvent.Show, qt.QEvent.FontChange)
        self._clipboard = qt.QApplication.clipboard()
        self._clipboard.connect("dataChanged()", self._on_clipboard)
        for widget in (top, *top.findChildren(qt.QWidget)):
            if widget in self._labels or widget.layout() is not None:
                widget.installEventFilter(self)

    def close(self) -> None:
        """The panel ends."""
        self._clipboard.disconnect("dataChanged()", self._on_clipboard)

    def eventFilter(self, widget, event) -> bool:
        kind = event.type()
        if kind == qt.QEvent.LayoutRequest:
            # the only event that a new text causes: the label asks its parent for a new layout
            for label in self._labels_in.get(widget, ()):
                label.fit()
            self._postpone(widget)
        elif kind in self._types and widget in self._labels and self._labels[widget].fit():
            self._postpone(widget.parent())
        return False

    def _postpone(self, widget) -> None:
        """Not now: a layout may be at work."""
        self._outdated.append(widget)
        self._timer.start(0)

    def _lay_out(self) -> None:
        """Hand new sizes up to the panel at once. Left alone, Qt does one level at a time and paints in between."""
        outdated, self._outdated = self._outdated, []
        for widget in outdated:  # which may be gone by now
            while widget and not widget.inherits("QAbstractScrollArea"):
                if widget.layout() is not None:
                    widget.layout().activate()
                widget = widget.parent()

    def _on_clipboard(self) -> None:
        """What is copied from a label is what was written into it: a path with invisible characters opens nothing."""
        labels = [label for label in self._labels if label]
        if not labels:  # a panel whose set-up has failed halfway goes without a word
            self.close()
        is_ours = any(label.hasFocus() and label.hasSelectedText for label in labels)
        if is_ours and _ZERO_WIDTH_SPACE in self._clipboard.text():
            self._clipboard.setText(self._clipboard.text().replace(_ZERO_WIDTH_SPACE, ""))


class _WrappedLabel:
    """Adapts one QLabel to its width, its text and its font."""

    def __init__(self, label) -> None:
        self._label = label
        self._text = self._shown_text = label.text
        self._fitted_for: tuple = ()
        self._release_layouts()

    def fit(self) -> bool:
        """Whether another height was needed. A hidden label is fitted when it is shown."""
        label = self._label
        if not label or not label.visible:
            return False
        self._release_layouts()
        state = (label.text, label.width, label.font.toString())
        if state == self._fitted_for:
            return False
        if label.text != self._shown_text:
            self._text = label.text
        self._shown_text = _with_breaks(self._text, label.fontMetrics(), label.contentsRect().width() / _SAFETY)
        if label.text != self._shown_text:
            label.setText(self._shown_text)
            self._release_layouts()
        self._fitted_for = (self._shown_text, *state[1:])
        label.setMinimumHeight(0)  # QLabel takes it for a part of the height that its text needs
        label.setFixedHeight(label.heightForWidth(label.width) if self._shown_text else 0)
        return True

    def _release_layouts(self) -> None:
        """QLabel turns height-for-width on again with each text."""
        policy = self._label.sizePolicy
        if policy.hasHeightForWidth() or policy.horizontalPolicy() != qt.QSizePolicy.Ignored:
            policy.setHeightForWidth(False)
            policy.setHorizontalPolicy(qt.QSizePolicy.Ignored)
            self._label.setSizePolicy(policy)


def _with_breaks(text: str, metrics, width: float) -> str:
    """``text``, plain or rich, with places to break in the words that are wider than ``width`` pixels."""
    if width <= 0:
        return text
    is_rich = "</" in text
    parts = _MARKUP.split(text) if is_rich else [text]

    def broken(match) -> str:
        word = match.group()
        advance = metrics.horizontalAdvance(word)
        if advance <= width:
            return word
        count = max(1, int(len(word) * width / advance) - 1)
        pieces = re.findall(r".{{1,{count}}}[\\_.]|.{{1,{count}}}".format(count=count), word)
        return _ZERO_WIDTH_SPACE.join(pieces)

    # with markup the parts at odd places are the tags and entities
    return "".join(
        part if is_rich and index % 2 else re.sub(_NOT_A_BREAK + "+[/-]*", broken, part)
        for index, part in enumerate(parts)
    )
