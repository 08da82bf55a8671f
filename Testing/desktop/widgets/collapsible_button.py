"""ctkCollapsibleButton: a title that shows and hides the widgets below it, with CTK's sizes and rules of visibility."""

from __future__ import annotations

from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets

from desktop.widgets.native_properties import stored

_ATTRIBUTE = QtCore.Qt.WidgetAttribute
_POLICY = QtWidgets.QSizePolicy.Policy
_WANTED = "visibilityToParent"
"""CTK's property on each child: whether somebody other than the button wants it to be seen."""
_UNLIMITED = 16777215


class ctkCollapsibleButton(QtWidgets.QAbstractButton):  # noqa: N801 - CTK's name
    """Sizes and visibility as in CTK's ctkCollapsibleButton.cpp; what is drawn is plainer."""

    contentsCollapsed = QtCore.Signal(bool)
    SLICER_SIGNALS: ClassVar[dict[str, str]] = {"contentsCollapsed(bool)": "contentsCollapsed"}

    def __init__(self, *arguments: object) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        parents = [argument for argument in arguments if isinstance(argument, QtWidgets.QWidget)]
        self._collapsed, self._forcing, self._is_created = False, False, False
        super().__init__(*parents[:1])
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(_POLICY.Minimum, _POLICY.Preferred)
        self.setContentsMargins(0, self._title_size().height(), 0, 0)
        self.setBackgroundRole(QtGui.QPalette.ColorRole.Window)
        self.toggled.connect(lambda is_open: self._collapse(not is_open))

    # -- open and closed -----------------------------------------------------------------------------------------------

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setMaximumHeight(self.sizeHint().height() if collapsed else _UNLIMITED)
        self.updateGeometry()
        for child in self._child_widgets():
            self._show_child(child)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def _child_widgets(self) -> list[QtWidgets.QWidget]:
        return self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly)

    def _show_child(self, child: QtWidgets.QWidget) -> None:
        """Show or hide ``child`` without its taking this for somebody's wish."""
        if not self.testAttribute(_ATTRIBUTE.WA_WState_Created):
            return
        is_wanted = child.property(_WANTED) in (None, True)
        is_visible = is_wanted and not self._collapsed
        self._forcing = True
        if child.testAttribute(_ATTRIBUTE.WA_WState_Created) or not is_visible:
            child.setVisible(is_visible)
        if is_wanted:
            child.setAttribute(_ATTRIBUTE.WA_WState_ExplicitShowHide, False)
        self._forcing = False

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        child = event.child()
        if event.type() == QtCore.QEvent.Type.ChildAdded and isinstance(child, QtWidgets.QWidget):
            explicit = child.testAttribute(_ATTRIBUTE.WA_WState_ExplicitShowHide)
            if explicit and child.testAttribute(_ATTRIBUTE.WA_WState_Hidden):
                child.setProperty(_WANTED, False)
            child.installEventFilter(self)
            self._show_child(child)
        super().childEvent(event)

    def setVisible(self, is_visible: bool) -> None:
        self._forcing = True
        super().setVisible(is_visible)
        self._forcing = False
        if not self._is_created and self.testAttribute(_ATTRIBUTE.WA_WState_Created):
            self._is_created = True
            for child in self._child_widgets():
                self._show_child(child)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if not self._forcing and event.type() in (QtCore.QEvent.Type.ShowToParent, QtCore.QEvent.Type.HideToParent):
            is_shown = event.type() == QtCore.QEvent.Type.ShowToParent
            child.setProperty(_WANTED, is_shown)
            if is_shown and isinstance(child, QtWidgets.QWidget):
                self._show_child(child)
        return False

    # -- sizes ---------------------------------------------------------------------------------------------------------

    def _title_size(self) -> QtCore.QSize:
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        style, metric = self.style(), QtWidgets.QStyle.PixelMetric
        indicator = style.pixelMetric(metric.PM_IndicatorWidth, option, self)
        indicator += style.pixelMetric(metric.PM_CheckBoxLabelSpacing, option, self)
        text = self.fontMetrics().size(QtCore.Qt.TextFlag.TextShowMnemonic, self.text() or "XXXX")
        height = max(style.pixelMetric(metric.PM_IndicatorHeight, option, self), text.height())
        width = indicator + text.width() if self.text() else indicator
        kind = QtWidgets.QStyle.ContentsType.CT_PushButton
        return style.sizeFromContents(kind, option, QtCore.QSize(width, height), self)

    def sizeHint(self) -> QtCore.QSize:
        closed = self._title_size() + QtCore.QSize(0, self.property("collapsedHeight"))
        return closed if self._collapsed else self._base_hint(self.layout().totalSizeHint).expandedTo(closed)

    def minimumSizeHint(self) -> QtCore.QSize:
        title = self._title_size()
        if self._collapsed:
            return title + QtCore.QSize(0, self.property("collapsedHeight"))
        return self._base_hint(self.layout().totalMinimumSize).expandedTo(title)

    def _base_hint(self, of_layout) -> QtCore.QSize:
        return of_layout() if self.layout() is not None else QtCore.QSize()

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() < self._title_size().height()

    def changeEvent(self, event: QtCore.QEvent) -> None:
        if event.type() in (QtCore.QEvent.Type.StyleChange, QtCore.QEvent.Type.FontChange):
            self.setContentsMargins(0, self._title_size().height(), 0, 0)
            if self._collapsed:
                self.setMaximumHeight(self.sizeHint().height())
        super().changeEvent(event)

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        height = self._title_size().height()
        option.rect = QtCore.QRect(0, 0, self.width(), height)
        option.state |= QtWidgets.QStyle.StateFlag.State_Raised
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(height // 4, height // 4, height // 2, height // 2)
        kinds = QtWidgets.QStyle.PrimitiveElement
        painter.drawPrimitive(kinds.PE_IndicatorArrowRight if self._collapsed else kinds.PE_IndicatorArrowDown, arrow)
        flags = QtCore.Qt.AlignmentFlag.AlignVCenter | QtCore.Qt.TextFlag.TextShowMnemonic
        painter.drawItemText(
            option.rect.adjusted(height + 2, 0, 0, 0), flags, self.palette(), self.isEnabled(), self.text(),
            QtGui.QPalette.ColorRole.ButtonText,
        )  # fmt: skip

    collapsed = QtCore.Property(bool, lambda self: self._collapsed, setCollapsed)
    collapsedHeight = stored(int, "collapsedHeight", 14, changed="updateGeometry")
    flat = stored(bool, "flat", False)
    contentsFrameShape = stored(int, "contentsFrameShape", 0)
