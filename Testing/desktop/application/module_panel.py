"""Slicer's main window around a module: the panel in its dock, whose sizes Slicer derives from the module's widget."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from desktop.widgets.collapsible_button import ctkCollapsibleButton

_POLICY = QtWidgets.QSizePolicy.Policy
_CONSTRAINT = QtWidgets.QLayout.SizeConstraint


class qSlicerModulePanel(QtWidgets.QWidget):  # noqa: N801 - Slicer's name
    """The scroll area that shows one module's widget at a time.

    Layouts, policies and the order of the steps are those of Slicer's qSlicerModulePanel.ui and qSlicerModulePanel.cxx:
    the module's widget gets the horizontal policy Minimum, so that its size hint becomes the panel's minimum width; it
    has no parent while another module is shown; nothing scrolls sideways.
    """

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(_POLICY.Minimum, _POLICY.Preferred)
        self._area = QtWidgets.QScrollArea()
        self._area.setSizePolicy(_POLICY.Minimum, _POLICY.Expanding)
        self._area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidgetResizable(True)
        layout = QtWidgets.QGridLayout(self)
        layout.setSizeConstraint(_CONSTRAINT.SetMinimumSize)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._area, 0, 0)
        contents = QtWidgets.QWidget()
        contents.setSizePolicy(_POLICY.Minimum, _POLICY.Preferred)
        self._contents = QtWidgets.QVBoxLayout(contents)
        self._contents.setSizeConstraint(_CONSTRAINT.SetMinAndMaxSize)
        self._contents.setContentsMargins(0, 0, 0, 0)
        help_button = ctkCollapsibleButton("Help && Acknowledgement")
        help_button.setSizePolicy(_POLICY.Ignored, _POLICY.Fixed)
        QtWidgets.QVBoxLayout(help_button).addWidget(QtWidgets.QTextBrowser())
        help_button.setCollapsed(True)
        self._contents.addWidget(help_button)
        self._contents.addItem(QtWidgets.QSpacerItem(0, 0, _POLICY.Minimum, _POLICY.MinimumExpanding))
        self._area.setWidget(contents)
        self._module: QtWidgets.QWidget | None = None

    def module(self) -> QtWidgets.QWidget | None:
        return self._module

    def scroll_area(self) -> QtWidgets.QScrollArea:
        return self._area

    def add(self, module: QtWidgets.QWidget) -> None:
        """Show the widget of a module, all but its ``enter``. The panel is scrolled to its top, as in Slicer."""
        module.layout().setContentsMargins(0, 0, 0, 0)
        self._contents.insertWidget(1, module, 1)
        module.setSizePolicy(_POLICY.Minimum, module.sizePolicy().verticalPolicy())
        module.setVisible(True)
        module.installEventFilter(self)
        self._area.verticalScrollBar().setValue(0)
        self.updateGeometry()
        self._module = module

    def remove(self) -> None:
        """Take the shown module out; after its ``exit``. The focus that it has goes to the scroll area, as seen in
        Slicer after a click on a button of the module."""
        module, self._module = self._module, None
        if module is not None:
            focus = QtWidgets.QApplication.focusWidget()
            if focus is not None and module.isAncestorOf(focus):
                self._area.setFocus()
            module.removeEventFilter(self)
            self._contents.takeAt(self._contents.indexOf(module))
            module.setVisible(False)
            module.setParent(None)

    def eventFilter(self, _module: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.Resize:
            self.updateGeometry()
        return False

    def minimumSizeHint(self) -> QtCore.QSize:
        bar = self._area.horizontalScrollBar().sizeHint().width()
        contents = self._area.widget().minimumSizeHint().width()
        return QtCore.QSize(contents + bar, super().minimumSizeHint().height())


class MainWindow(QtWidgets.QMainWindow):
    """The panel at the left, as wide as the user has dragged it, and ``views``, the layout manager's viewport.

    Not named qSlicerMainWindow: ``slicer.util.mainWindow()`` is None as in Slicer's tests.
    """

    def __init__(self, views: QtWidgets.QWidget) -> None:
        super().__init__()
        self.setObjectName("standInWindow")
        self.setWindowTitle("Module panel")
        self.setCentralWidget(views)
        self.panel = qSlicerModulePanel()
        contents = QtWidgets.QWidget()
        contents.setSizePolicy(_POLICY.Minimum, _POLICY.Preferred)
        layout = QtWidgets.QVBoxLayout(contents)
        layout.setSpacing(2)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.addWidget(self.panel)
        self.dock = QtWidgets.QDockWidget("Module Panel")
        self.dock.setObjectName("PanelDockWidget")
        self.dock.setWidget(contents)
        self.addDockWidget(QtCore.Qt.DockWidgetArea.LeftDockWidgetArea, self.dock)
        self.resize(1024, 768)

    def set_panel_width(self, width: int) -> None:
        """The user drags the border of the dock; it stops where the panel's minimum width is reached."""
        self.resizeDocks([self.dock], [width], QtCore.Qt.Orientation.Horizontal)
