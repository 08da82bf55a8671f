"""The CTK widgets that scripted modules commonly use, as plain Qt widgets with CTK's names, properties and signals."""

from __future__ import annotations

import enum
import math
import os
from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets

from desktop.widgets.native_properties import setter, stored

_EXPLICIT = QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide
_WAS_HIDDEN = "standInHiddenBeforeCollapse"


class ctkCollapsibleButton(QtWidgets.QWidget):  # noqa: N801 - CTK's name
    """A title that shows and hides the widgets below it. CTK's is a QAbstractButton; its text is the title."""

    clicked = QtCore.Signal(bool)
    toggled = QtCore.Signal(bool)
    contentsCollapsed = QtCore.Signal(bool)
    SLICER_SIGNALS: ClassVar[dict[str, str]] = {"contentsCollapsed(bool)": "contentsCollapsed"}

    def __init__(self, *arguments: object) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        parents = [argument for argument in arguments if isinstance(argument, QtWidgets.QWidget)]
        super().__init__(*parents[:1])
        self._text, self._collapsed = text, False
        self._header = QtWidgets.QToolButton(self)
        self._header.setObjectName("qt_header")
        self._header.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._header.setAutoRaise(True)
        self._header.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._header.clicked.connect(self._header_clicked)
        self._refresh()

    def _header_clicked(self) -> None:
        self.setCollapsed(not self._collapsed)
        self.clicked.emit(not self._collapsed)

    def _refresh(self) -> None:
        arrow = QtCore.Qt.ArrowType.RightArrow if self._collapsed else QtCore.Qt.ArrowType.DownArrow
        self._header.setArrowType(arrow)
        self._header.setText(self._text)
        self._header.setGeometry(0, 0, self.width(), self._header.sizeHint().height())
        self.setContentsMargins(0, self._header.sizeHint().height(), 0, 0)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        self._refresh()
        super().resizeEvent(event)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and self._collapsed and child is not self._header:
            child.hide()
        super().childEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        hint = self._header.sizeHint()
        return hint if self._collapsed or self.layout() is None else super().sizeHint().expandedTo(hint)

    def minimumSizeHint(self) -> QtCore.QSize:
        return self._header.sizeHint() if self._collapsed else super().minimumSizeHint()

    def setCollapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = bool(collapsed)
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly):
            if child is self._header or child.isWindow():
                continue
            if self._collapsed:
                child.setProperty(_WAS_HIDDEN, child.testAttribute(_EXPLICIT) and child.isHidden())
                child.hide()
            elif not child.property(_WAS_HIDDEN):
                child.show()
        self.setMaximumHeight(self._header.sizeHint().height() if self._collapsed else 16777215)
        self._refresh()
        self.updateGeometry()
        self.contentsCollapsed.emit(self._collapsed)
        self.toggled.emit(not self._collapsed)

    def setText(self, text: str) -> None:
        self._text = text
        self._refresh()

    def setChecked(self, checked: bool) -> None:
        self.setCollapsed(not checked)

    def toggle(self) -> None:
        self.setCollapsed(not self._collapsed)

    def click(self) -> None:
        self._header_clicked()

    text = QtCore.Property(str, lambda self: self._text, setText)
    collapsed = QtCore.Property(bool, lambda self: self._collapsed, setCollapsed)
    checked = QtCore.Property(bool, lambda self: not self._collapsed, setChecked)
    flat = stored(bool, "flat", False)
    contentsFrameShape = stored(int, "contentsFrameShape", 0)


class ctkCheckBox(QtWidgets.QCheckBox):  # noqa: N801 - CTK's name
    """CTK's check box; its indicator icon is not drawn here."""

    indicatorIcon = stored("QIcon", "indicatorIcon", QtGui.QIcon())


class ctkComboBox(QtWidgets.QComboBox):  # noqa: N801 - CTK's name
    """A combo box with a text shown while nothing is chosen."""

    defaultText = stored(str, "defaultText", "", changed="_show_default")
    scrollWheelEffect = stored(int, "scrollWheelEffect", 0)
    setDefaultText = setter("defaultText")

    def _show_default(self) -> None:
        self.setPlaceholderText(self.property("defaultText"))


class ctkCheckablePushButton(QtWidgets.QPushButton):  # noqa: N801 - CTK's name
    """A push button with a check box; ``checkBoxToggled`` says when the box changes."""

    checkBoxToggled = QtCore.Signal(bool)
    checkBoxControlsButton = stored(bool, "checkBoxControlsButton", True)
    checkBoxControlsButtonToggleState = stored(bool, "checkBoxControlsButtonToggleState", True)


class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):  # noqa: N801 - CTK's name
    """A spin box for floating point numbers."""

    decimalsOption = stored(int, "decimalsOption", 0)
    decimalsChanged = QtCore.Signal(int)


class ctkSliderWidget(QtWidgets.QWidget):  # noqa: N801 - CTK's name
    """A slider beside a spin box."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    SLICER_SIGNALS: ClassVar[dict[str, str]] = {
        "valueChanged(double)": "valueChanged",
        "valueIsChanging(double)": "valueIsChanging",
    }
    _STEPS = 1000

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._spin = QtWidgets.QDoubleSpinBox()
        self._spin.setRange(0.0, 99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._slider.setRange(0, self._STEPS)
        self._spin.valueChanged.connect(self._spin_changed)
        self._slider.sliderMoved.connect(self._slider_moved)

    def _spin_changed(self, value: float) -> None:
        span = self._spin.maximum() - self._spin.minimum()
        self._slider.setValue(round((value - self._spin.minimum()) / span * self._STEPS) if 0 < span < math.inf else 0)
        self.valueChanged.emit(value)

    def _slider_moved(self, position: int) -> None:
        span = self._spin.maximum() - self._spin.minimum()
        self._spin.setValue(self._spin.minimum() + span * position / self._STEPS)

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    def setRange(self, minimum: float, maximum: float) -> None:
        self._spin.setRange(minimum, maximum)

    def setMinimum(self, value: float) -> None:
        self._spin.setMinimum(value)

    def setMaximum(self, value: float) -> None:
        self._spin.setMaximum(value)

    def setDecimals(self, count: int) -> None:
        self._spin.setDecimals(count)

    def setSingleStep(self, step: float) -> None:
        self._spin.setSingleStep(step)

    def setSuffix(self, text: str) -> None:
        self._spin.setSuffix(text)

    value = QtCore.Property(float, lambda self: self._spin.value(), setValue)
    minimum = QtCore.Property(float, lambda self: self._spin.minimum(), setMinimum)
    maximum = QtCore.Property(float, lambda self: self._spin.maximum(), setMaximum)
    decimals = QtCore.Property(int, lambda self: self._spin.decimals(), setDecimals)
    singleStep = QtCore.Property(float, lambda self: self._spin.singleStep(), setSingleStep)
    suffix = QtCore.Property(str, lambda self: self._spin.suffix(), setSuffix)
    pageStep = stored(float, "pageStep", 10.0)
    tracking = stored(bool, "tracking", True)


class ctkPathLineEdit(QtWidgets.QWidget):  # noqa: N801 - CTK's name
    """A path in an editable combo box with a browse button. Emptied, it tells only that its input is not valid."""

    class Filters(enum.Flag):
        """QDir's filters under CTK's names, as Qt Designer writes them into a .ui."""

        Dirs = 0x001
        Files = 0x002
        Drives = 0x004
        NoSymLinks = 0x008
        Readable = 0x010
        Writable = 0x020
        Executable = 0x040
        Hidden = 0x100
        System = 0x200
        AllDirs = 0x400
        NoDot = 0x2000
        NoDotDot = 0x4000

    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._edit = QtWidgets.QLineEdit()
        self._browse = QtWidgets.QToolButton()
        self._browse.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit, 1)
        layout.addWidget(self._browse)
        self._is_valid = False
        self._edit.textChanged.connect(self._text_changed)
        self._browse.clicked.connect(self.browse)

    def _text_changed(self, path: str) -> None:
        was_valid, self._is_valid = self._is_valid, bool(path)  # CTK's validator is ".+"
        if self._is_valid:
            self.currentPathChanged.emit(path)
        if self._is_valid != was_valid:
            self.validInputChanged.emit(self._is_valid)

    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    def browse(self) -> None:
        """Take the answer that the test has queued, as the file dialog would."""
        from desktop.pythonqt.special import _answer

        chosen = _answer("ctkPathLineEdit.browse()", "")
        if chosen:
            self.setCurrentPath(str(chosen))

    def addCurrentPathToHistory(self) -> None:
        """CTK remembers the path in the settings; the stand-in has no history."""

    currentPath = QtCore.Property(str, lambda self: self._edit.text(), setCurrentPath)
    filters = stored(int, "filters", Filters.Files.value)
    nameFilters = stored("QStringList", "nameFilters", [])
    showBrowseButton = stored(bool, "showBrowseButton", True, changed="_refresh")
    showHistoryButton = stored(bool, "showHistoryButton", True)
    settingKey = stored(str, "settingKey", "")
    label = stored(str, "label", "")

    def _refresh(self) -> None:
        self._browse.setVisible(self.property("showBrowseButton"))


class ctkDirectoryButton(QtWidgets.QWidget):  # noqa: N801 - CTK's name
    """A button that shows and chooses a folder."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QtWidgets.QPushButton(os.path.abspath("."))  # noqa: PTH100 - see setDirectory
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)

    def setDirectory(self, folder: str) -> None:
        folder = os.path.abspath(folder)  # noqa: PTH100 - CTK resolves no links, and neither does this
        if folder != self._button.text():
            self._button.setText(folder)
            self.directoryChanged.emit(folder)

    directory = QtCore.Property(str, lambda self: self._button.text(), setDirectory)


class ctkMessageBox(QtWidgets.QMessageBox):  # noqa: N801 - CTK's name
    """A message box that can offer "don't show again"."""

    dontShowAgainVisible = stored(bool, "dontShowAgainVisible", False)
    dontShowAgain = stored(bool, "dontShowAgain", False)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "")


class ctkFittedTextBrowser(QtWidgets.QTextBrowser):  # noqa: N801 - CTK's name
    """A text browser; CTK's grows with its text, this one scrolls."""

    showDetailsText = stored(str, "showDetailsText", "")


class ctkExpandableWidget(QtWidgets.QFrame):  # noqa: N801 - CTK's name
    """A frame; CTK's can be resized by the mouse."""


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):  # noqa: N801 - CTK's name
    """A group box that hides its contents while collapsed."""

    def setCollapsed(self, collapsed: bool) -> None:
        self._collapsed = bool(collapsed)
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly):
            child.setVisible(not self._collapsed)

    collapsed = QtCore.Property(bool, lambda self: getattr(self, "_collapsed", False), setCollapsed)


class ctkDoubleSlider(ctkSliderWidget):  # noqa: N801 - CTK's name
    """A slider with floating point values."""


class ctkColorPickerButton(QtWidgets.QPushButton):  # noqa: N801 - CTK's name
    """A button that shows a colour."""

    colorChanged = QtCore.Signal(QtGui.QColor)

    def setColor(self, color: QtGui.QColor) -> None:
        if color != getattr(self, "_color", None):
            self._color = QtGui.QColor(color)
            self.colorChanged.emit(self._color)

    color = QtCore.Property(QtGui.QColor, lambda self: getattr(self, "_color", QtGui.QColor("black")), setColor)


CTK_CLASSES = [
    ctkCheckBox,
    ctkCheckablePushButton,
    ctkCollapsibleButton,
    ctkCollapsibleGroupBox,
    ctkColorPickerButton,
    ctkComboBox,
    ctkDirectoryButton,
    ctkDoubleSlider,
    ctkDoubleSpinBox,
    ctkExpandableWidget,
    ctkFittedTextBrowser,
    ctkMessageBox,
    ctkPathLineEdit,
    ctkSliderWidget,
]
