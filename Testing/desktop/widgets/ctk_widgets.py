"""The CTK widgets that scripted modules commonly use, as plain Qt widgets with CTK's names, properties and signals."""

from __future__ import annotations

import enum
import math
import os
from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets

from desktop.widgets.collapsible_button import ctkCollapsibleButton
from desktop.widgets.native_properties import setter, stored


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
        policy = QtWidgets.QSizePolicy.Policy
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self._browse = QtWidgets.QToolButton(self)
        self._browse.setText("...")
        self._browse.setSizePolicy(policy.Fixed, policy.Ignored)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._combo)
        layout.addWidget(self._browse)
        self.setSizePolicy(policy.Expanding, policy.Fixed)
        self.setFocusProxy(self._combo)
        self._is_valid = False
        self._combo.editTextChanged.connect(self._text_changed)
        self._browse.clicked.connect(self.browse)

    def _text_changed(self, path: str) -> None:
        was_valid, self._is_valid = self._is_valid, bool(path)  # CTK's validator is ".+"
        if self._is_valid:
            self.currentPathChanged.emit(path)
        if self._is_valid != was_valid:
            self.validInputChanged.emit(self._is_valid)

    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    def sizeHint(self) -> QtCore.QSize:
        """CTK's does not depend on the path, unlike that of the combo box inside."""
        arrow = self._combo.style().pixelMetric(QtWidgets.QStyle.PixelMetric.PM_ScrollBarExtent)
        return QtCore.QSize(arrow + 9 + self._browse.sizeHint().width(), self._combo.minimumSizeHint().height())

    minimumSizeHint = sizeHint

    def browse(self) -> None:
        """Take the answer that the test has queued, as the file dialog would."""
        from desktop.pythonqt.special import _answer

        chosen = _answer("ctkPathLineEdit.browse()", "")
        if chosen:
            self.setCurrentPath(str(chosen))

    def addCurrentPathToHistory(self) -> None:
        """CTK remembers the path in the settings; the stand-in has no history."""

    currentPath = QtCore.Property(str, lambda self: self._combo.currentText(), setCurrentPath)
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
