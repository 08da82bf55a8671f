"""What of a module's panel a user cannot read whole: squeezed rows, cut texts, widgets on top of each other."""

from __future__ import annotations

import itertools

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

from desktop.widgets.collapsible_button import ctkCollapsibleButton
from desktop.widgets.node_combo_box import qMRMLNodeComboBox

_KINDS = (
    QtWidgets.QLabel,
    QtWidgets.QAbstractButton,
    QtWidgets.QComboBox,
    QtWidgets.QLineEdit,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QProgressBar,
    QtWidgets.QAbstractScrollArea,
)
_COMPOSED = (*_KINDS[2:5], QtWidgets.QAbstractScrollArea)
"""What is inside these is their own affair."""


def cut_off(panel: QtWidgets.QWidget) -> list[str]:
    """A line for each visible widget of ``panel`` (a module's widget) with too little room or a gap below its text."""
    found = []
    if panel.parentWidget() is not None and panel.width() > panel.parentWidget().parentWidget().width():
        found.append(f"the panel is {panel.width()} px wide and cannot scroll sideways")
    shown = [widget for widget in panel.findChildren(QtWidgets.QWidget) if widget.isVisible() and _counts(widget)]
    for widget in shown:
        found += [f"{_path(widget, panel)}: {fault}" for fault in _faults(widget, panel)]
    found += [f"{_path(one, panel)} lies on {_path(other, panel)}" for one, other in _overlaps(shown)]
    return found


def _counts(widget: QtWidgets.QWidget) -> bool:
    return isinstance(widget, _KINDS) and not isinstance(widget.parentWidget(), _COMPOSED)


def _path(widget: QtWidgets.QWidget, panel: QtWidgets.QWidget) -> str:
    names = []
    while widget is not panel and widget is not None and len(names) < 3:
        names.append(widget.objectName() or type(widget).__name__)
        widget = widget.parentWidget()
    return "/".join(reversed(names))


def _faults(widget: QtWidgets.QWidget, panel: QtWidgets.QWidget) -> list[str]:
    faults = []
    needed = _needed_height(widget)
    if widget.height() < needed:
        faults.append(f"{widget.height()} px high, needs {needed}")
    needed = _needed_width(widget)
    if widget.width() < needed:
        faults.append(f"{widget.width()} px wide, needs {needed}")
    if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap() and widget.height() > _needed_height(widget):
        faults.append(f"{widget.height()} px high, needs only {_needed_height(widget)}")
    corner = widget.mapTo(panel, QtCore.QPoint(0, 0))
    if corner.x() < 0 or corner.x() + widget.width() > panel.width():
        faults.append(f"reaches from {corner.x()} to {corner.x() + widget.width()} of {panel.width()} px")
    parent = widget.parentWidget()
    if widget.y() < 0 or widget.geometry().bottom() >= parent.height():
        faults.append(f"reaches below its parent: {widget.geometry().bottom() + 1} of {parent.height()} px")
    return faults


def _needed_height(widget: QtWidgets.QWidget) -> int:
    if widget.sizePolicy().verticalPolicy() == QtWidgets.QSizePolicy.Policy.Ignored:
        return 0
    if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap():
        return _text_height(widget)
    if isinstance(widget, (ctkCollapsibleButton, QtWidgets.QAbstractScrollArea)):
        return widget.minimumSizeHint().height()
    return widget.sizeHint().height()


def _text_height(label: QtWidgets.QLabel) -> int:
    """What a label without limits of its own says: a minimum height counts in QLabel's height for a width."""
    twin = QtWidgets.QLabel(label.text())
    twin.setWordWrap(True)
    twin.setTextInteractionFlags(label.textInteractionFlags())
    twin.setFont(label.font())
    twin.setContentsMargins(label.contentsMargins())
    return twin.heightForWidth(label.width()) if label.text() else 0


def _needed_width(widget: QtWidgets.QWidget) -> int:
    metrics = widget.fontMetrics()
    if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap():
        return _widest_line(widget) + widget.width() - widget.contentsRect().width()
    if isinstance(widget, QtWidgets.QComboBox):
        if isinstance(widget.parentWidget(), qMRMLNodeComboBox) or widget.isEditable():
            return 0  # Slicer elides the names of nodes in the middle; a path can be scrolled
        option = QtWidgets.QStyleOptionComboBox()
        widget.initStyleOption(option)
        complex_control, field = (
            QtWidgets.QStyle.ComplexControl.CC_ComboBox,
            QtWidgets.QStyle.SubControl.SC_ComboBoxEditField,
        )
        room = widget.style().subControlRect(complex_control, option, field, widget).width()
        return widget.width() - room + metrics.horizontalAdvance(widget.currentText())
    if isinstance(widget, QtWidgets.QLineEdit):
        frame = 2 * (widget.style().pixelMetric(QtWidgets.QStyle.PixelMetric.PM_DefaultFrameWidth) + 2)
        return frame + (0 if widget.text() else metrics.horizontalAdvance(widget.placeholderText()))
    if isinstance(widget, (QtWidgets.QProgressBar, QtWidgets.QAbstractScrollArea)):
        return 0
    return widget.minimumSizeHint().width()


def _widest_line(label: QtWidgets.QLabel) -> int:
    """Width that the label's longest unbreakable word needs, in px."""
    document = QtGui.QTextDocument()
    document.setDefaultFont(label.font())
    document.setDocumentMargin(0)
    (document.setHtml if "</" in label.text() else document.setPlainText)(label.text())
    option = QtGui.QTextOption()
    option.setWrapMode(QtGui.QTextOption.WrapMode.WordWrap)
    document.setDefaultTextOption(option)
    document.setTextWidth(label.contentsRect().width())
    return int(document.idealWidth())


def _overlaps(shown: list[QtWidgets.QWidget]) -> list[tuple[QtWidgets.QWidget, QtWidgets.QWidget]]:
    pairs = []
    for _, group in itertools.groupby(sorted(shown, key=_parent_id), key=_parent_id):
        siblings = [(widget, widget.geometry()) for widget in group]
        pairs += [(one, other) for (one, a), (other, b) in itertools.combinations(siblings, 2) if a.intersects(b)]
    return pairs


def _parent_id(widget: QtWidgets.QWidget) -> int:
    return shiboken6.getCppPointer(widget.parentWidget())[0]
