"""``Desktop``: what a test drives. One at a time; a new one begins a new session with an empty scene."""

from __future__ import annotations

import contextlib
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from desktop.application.graphics import prepare_graphics

prepare_graphics()

import slicer  # noqa: E402 - the check above must come before VTK's libraries are loaded
from PySide6 import QtCore, QtGui, QtTest, QtWidgets  # noqa: E402

from desktop.application import environment  # noqa: E402
from desktop.application.module_panel import MainWindow  # noqa: E402
from desktop.pythonqt.proxies import QtInstance, alive, wrap  # noqa: E402
from desktop.pythonqt.signals import end_all  # noqa: E402
from desktop.pythonqt.slot_runtime import RUNTIME  # noqa: E402
from desktop.pythonqt.special import DIALOG_ANSWERS, SESSION_FOLDER  # noqa: E402
from desktop.scene import file_loading, loading  # noqa: E402

_current: list[Desktop] = []


class Desktop:
    """The application as seen by a test: opens a module, clicks, spins the event loop, draws pictures.

    Raises GraphicsLibraryMissingError where Qt or VTK cannot draw at all.
    """

    def __init__(self) -> None:
        if _current:
            _current[0].quit()
        environment.publish_qt()
        environment.publish_slicer_packages()
        from desktop.application.application_object import application
        from desktop.application.segment_editor import SegmentEditorModule
        from desktop.scene.dicom_database import ctkDICOMDatabase
        from desktop.scene.mrml_world import MrmlWorld

        RUNTIME.errors.clear()
        RUNTIME.reset_clock()
        RUNTIME.install_excepthook()
        DIALOG_ANSWERS.clear()
        self._folder = tempfile.TemporaryDirectory(prefix="desktop-", ignore_cleanup_errors=True)
        SESSION_FOLDER[:] = [Path(self._folder.name)]
        self._native = application()
        self.world = MrmlWorld(Path(self._folder.name) / "share")
        self._native.begin(self.world, Path(self._folder.name))
        self.dicom_database = ctkDICOMDatabase(str(Path(self._folder.name) / "database"))
        environment.publish_session(self.world, wrap(self._native), wrap(self.dicom_database))
        file_loading.publish(wrap(self.dicom_database))
        self._opened: list[Any] = []
        self._window = MainWindow(self._native.layoutManager().viewport())
        self._segment_editor = SegmentEditorModule(self._window)
        slicer.modules.segmenteditor = wrap(self._segment_editor)
        slicer.util.selectModule = self.select_module
        self._closed = False
        _current[:] = [self]

    # -- modules -------------------------------------------------------------------------------------------------------
    def load_module(self, path: str | Path) -> Any:
        """What Slicer does at its start: import the module's main file, make an object of its class; no panel yet."""
        from desktop.application.module_objects import import_module_file, qSlicerScriptedLoadableModule

        path = Path(path).resolve()
        name = path.stem
        python_module = import_module_file(path)
        module = qSlicerScriptedLoadableModule(str(path))
        setattr(slicer.modules, name.lower(), wrap(module))
        self._native.moduleManager()._modules[name] = module
        instance = getattr(python_module, name)(wrap(module))
        setattr(slicer.modules, name + "Instance", instance)
        return module

    def open_module(self, path: str | Path) -> Any:
        """Load a scripted module's main file and show its panel as if the user had chosen it; returns its Widget.

        Exceptions of the module's constructor and ``setup`` are raised, where Slicer would print them.
        """
        known = self._native.moduleManager().module(Path(path).stem)
        representation = (known or self.load_module(path)).widgetRepresentation()
        self._opened.append(representation)
        self._window.show()
        self._switch_to(representation)
        return representation.self()

    def reload_module(self, name: str | None = None) -> Any:
        """The developer's Reload button of the module opened last (or by name); returns the new Widget object."""
        representation = self._representation(name)
        slicer.util.reloadScriptedModule(representation.property("moduleName"))
        self.process_events()
        return representation.self()

    def select_module(self, module: Any) -> None:
        """``slicer.util.selectModule``, which needs Slicer's main window: the Segment Editor or a loaded module."""
        name = module if isinstance(module, str) else module.name
        known = self._segment_editor if name == "SegmentEditor" else self._native.moduleManager().module(name)
        self._switch_to(known.widgetRepresentation())

    def leave_module(self) -> None:
        """The user switches to another module, one without Python: the shown one gets ``exit`` and loses its place."""
        self._switch_to(_other_module())

    def enter_module(self, name: str | None = None) -> None:
        """The user comes back: ``enter``."""
        self._switch_to(self._representation(name))

    @property
    def shown_module(self) -> Any:
        """The panel of the module that is shown."""
        return self._window.panel.module()

    def _switch_to(self, widget: QtWidgets.QWidget) -> None:
        shown = self._window.panel.module()
        if shown is widget:
            return
        if hasattr(shown, "exit"):
            shown.exit()
        self._window.panel.remove()
        self._window.panel.add(widget)
        if hasattr(widget, "enter"):
            widget.enter()
        self.process_events()

    def _representation(self, name: str | None) -> Any:
        for representation in reversed(self._opened):
            if name is None or representation.property("moduleName") == name:
                return representation
        raise RuntimeError("No such module is open")

    # -- the window ----------------------------------------------------------------------------------------------------
    def resize_window(self, width: int, height: int) -> None:
        """The user resizes the main window."""
        self._window.resize(width, height)
        self.process_events()

    def set_panel_width(self, width: int) -> None:
        """The user drags the border of the module panel; it does not become narrower than Slicer lets it."""
        self._window.set_panel_width(width)
        self.process_events()

    def show_panel(self, is_shown: bool) -> None:
        """The user closes the module panel, or opens it again (View > Module Panel)."""
        self._window.dock.setVisible(is_shown)
        self.process_events()

    @property
    def panel_width(self) -> int:
        """Width of the module panel, its scroll bar included."""
        return self._window.panel.width()

    def cut_off(self) -> list[str]:
        """What of the shown module a user cannot read whole, a line each; empty if everything has room."""
        from desktop.application.room import cut_off

        return cut_off(self._window.panel.module())

    # -- the session ---------------------------------------------------------------------------------------------------
    def close_scene(self) -> None:
        """File > Close Scene."""
        self.world.close_scene()
        self.process_events()

    def save_scene(self, folder: str | Path) -> Path:
        """File > Save: the scene and its nodes in ``folder``; returns the path of the .mrml file."""
        return self.world.save_scene(Path(folder))

    def load_scene(self, path: str | Path, *, clear: bool = False) -> None:
        """Add Data > scene; with ``clear`` the scene is closed first."""
        self.world.load_scene(Path(path), clear)
        self.process_events()

    def quit(self) -> None:
        """The user quits: every module's ``cleanup``, then ``aboutToQuit``; afterwards this object is used up."""
        if self._closed:
            return
        self._closed = True
        self._native.quit_session()
        self._segment_editor.close()
        self._window.hide()
        self._opened.clear()
        self.process_events()
        self.world.shut_down()
        end_all()
        RUNTIME.remove_excepthook()
        self._folder.cleanup()
        _current.clear()
        gc.collect()  # a Python object without its widget would be taken for the next widget at that address

    def __enter__(self) -> Desktop:
        return self

    def __exit__(self, *_: object) -> None:
        self.quit()

    # -- data ----------------------------------------------------------------------------------------------------------
    def add_volume(self, array: Any, ijk_to_ras: Any, name: str = "CT") -> Any:
        """A scalar volume node from voxels (k, j, i) and the 4x4 matrix from (i, j, k) to RAS in mm."""
        return loading.add_volume(array, ijk_to_ras, name)

    def load_volume(self, path: str | Path) -> Any:
        """A scalar volume node from an image file (NIfTI, NRRD, MHA, MHD)."""
        return loading.load_volume(Path(path))

    def load_dicom_series(self, folder: str | Path, *, acquisition_transform: bool = False) -> Any:
        """A scalar volume node from a folder with one DICOM series, filed under its patient and study."""
        return loading.load_dicom_series(Path(folder), self.dicom_database, acquisition_transform=acquisition_transform)

    # -- the event loop ------------------------------------------------------------------------------------------------
    def process_events(self) -> None:
        """One turn of the event loop, deferred deletions included."""
        wrap(self._native).processEvents()

    def wait_until(self, predicate: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Spin the event loop until ``predicate()`` or until the time is over; returns what the predicate says."""
        deadline = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() >= deadline:
                return False
            self.process_events()
            time.sleep(0.002)
        return True

    @property
    def errors(self) -> list[Exception]:
        """Exceptions that happened where Qt or VTK called Python; a test ends with ``assert not app.errors``."""
        return RUNTIME.errors

    def longest_block_ms(self) -> float:
        """Longest time in ms that Python kept the event loop waiting since ``reset_block_clock`` (see README)."""
        return RUNTIME.longest_block * 1000.0

    def longest_block_name(self) -> str:
        """Name of the function that took that long."""
        return RUNTIME.longest_block_name

    def reset_block_clock(self) -> None:
        RUNTIME.reset_clock()

    @contextlib.contextmanager
    def dialog_answers(self, *answers: Any) -> Iterator[None]:
        """What the user answers to the next modal dialogs: values, or functions that look at the dialog and give one.

        RuntimeError if some were not asked.
        """
        DIALOG_ANSWERS.extend(answers)
        yield
        if DIALOG_ANSWERS:
            left = len(DIALOG_ANSWERS)
            DIALOG_ANSWERS.clear()
            raise RuntimeError(f"{left} dialog answers were not asked for")

    @contextlib.contextmanager
    def everyday_mode(self, *answers: Any) -> Iterator[None]:
        """Slicer without ``--testing``: message boxes are shown too, and get these answers."""
        self._native.is_testing = False
        try:
            with self.dialog_answers(*answers):
                yield
        finally:
            self._native.is_testing = True

    # -- the user's hands and eyes -------------------------------------------------------------------------------------
    def click(self, widget: Any) -> None:
        """Click a button. RuntimeError when a user could not: hidden or disabled."""
        native = _native(widget)
        if not native.isEnabled():
            raise RuntimeError(f"'{native.objectName()}' is disabled, a user could not click it")
        if not native.isVisible():
            raise RuntimeError(f"'{native.objectName()}' is not visible, a user could not click it")
        native.click()
        self.process_events()

    def click_item(self, view: Any, index: Any) -> None:
        """Click the item of a list, table or tree with the mouse. RuntimeError when it is not in sight."""
        native = _native(view)
        rectangle = native.visualRect(_native(index))
        if not native.viewport().rect().contains(rectangle.center()) or rectangle.isEmpty():
            raise RuntimeError("The item is not in sight, a user could not click it")
        left = QtCore.Qt.MouseButton.LeftButton
        QtTest.QTest.mouseClick(native.viewport(), left, pos=rectangle.center())
        self.process_events()

    def focus(self, widget: Any) -> None:
        """Give a widget the keyboard, as a click on it does."""
        native = _native(widget)
        native.window().activateWindow()
        native.setFocus()
        self.process_events()
        if not native.hasFocus():
            raise RuntimeError(f"'{native.objectName()}' does not take the focus")

    def press(self, keys: str) -> None:
        """Press keys such as "N" or "Ctrl+Z" where the focus is: shortcuts, then the widget itself get them."""
        widget = QtWidgets.QApplication.focusWidget()
        if widget is None:
            raise RuntimeError("No widget has the focus")
        stroke = QtGui.QKeySequence(keys)[0]
        QtTest.QTest.keyClick(widget, stroke.key(), stroke.keyboardModifiers())
        self.process_events()

    def wheel(self, widget: Any, notches: int) -> None:
        """Turn the mouse wheel over the middle of a widget, away from the user if ``notches`` is positive."""
        native = _native(widget)
        window = native.window()
        at = native.mapTo(window, native.rect().center())
        turned = QtCore.QPoint(0, 120 * notches)
        QtTest.QTest.wheelEvent(window.windowHandle(), QtCore.QPointF(at), turned)
        self.process_events()

    def grab(self, widget: Any, path: str | Path, width: int = 0, height: int = 0) -> Path:
        """Picture of a widget as PNG; with a size the module panel is given that width and the window that height."""
        native = _native(widget)
        if width and height:
            self._window.resize(max(1024, width + 200), height)
            self._window.set_panel_width(width)
        self.process_events()
        self.process_events()
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not native.grab().save(str(target)):
            raise OSError(f"Could not write {target.name}")
        return target

    def slice_views_png(
        self, path: str | Path, volume: Any, segmentation: Any = None, offsets: Mapping[str, float] | None = None
    ) -> Path:
        """Axial, coronal and sagittal slices with outlines, drawn by Slicer's displayable managers."""
        from desktop.pictures.slice_pictures import write_slices

        return write_slices(self.world, Path(path), volume, segmentation, offsets)

    def slice_view_png(self, path: str | Path, volume: Any, name: str, size: tuple[int, int]) -> Path:
        """What the slice view ``name`` shows of ``volume`` and of all that is visible; ``size``: columns and rows."""
        from desktop.pictures.slice_pictures import write_slice_view

        return write_slice_view(self.world, Path(path), volume, name, size)

    def three_d_png(self, path: str | Path, segmentation: Any) -> Path:
        """All segments as surfaces from the front, drawn by Slicer's displayable managers."""
        from desktop.pictures.surface_picture import write_surfaces

        return write_surfaces(self.world, Path(path), segmentation)

    def chart_png(self, path: str | Path, width: int = 700, height: int = 520) -> Path:
        """The chart in the plot view."""
        from desktop.application.plot_view import write_chart

        plot = self._native.layoutManager().plotWidget(0)
        return write_chart(plot.plotView().chart(), Path(path), (width, height))


def _native(widget: Any) -> Any:
    if isinstance(widget, QtInstance):
        return alive(widget)
    if hasattr(widget, "parent") and isinstance(widget.parent, QtInstance):
        return alive(widget.parent)  # the Widget object of a scripted module stands for its panel
    return widget


def _other_module() -> QtWidgets.QWidget:
    """The widget of some other module, tall as the Segment Editor's."""
    widget = QtWidgets.QWidget()
    layout = QtWidgets.QVBoxLayout(widget)
    for row in range(30):
        layout.addWidget(QtWidgets.QPushButton(f"Effect {row + 1}"))
    return widget
