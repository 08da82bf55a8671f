"""The stand-in refuses what PythonQt refuses and allows what it allows."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest
from desktop_sample import run_desktop


@pytest.fixture
def app():
    yield from run_desktop()


def test_qt_properties_are_attributes_and_other_getters_are_methods(app):
    import qt

    button = qt.QPushButton("Apply")
    assert button.text == "Apply"
    with pytest.raises(TypeError):
        button.text()
    button.text = "Cancel"
    assert button.text == "Cancel"
    button.checkable = True
    button.checked = True
    assert button.checked is True and button.isChecked() is True
    box = qt.QWidget()
    button.setParent(box)
    assert button.parent() is box, "the same Qt object is the same Python object"
    spin = qt.QSpinBox()
    spin.maximum = 500
    spin.value = 120
    assert spin.value == 120
    combo = qt.QComboBox()
    combo.addItems(["liver", "spleen"])
    combo.currentIndex = 1
    assert (combo.currentText, combo.count, combo.currentIndex) == ("spleen", 2, 1)
    item = qt.QListWidgetItem("rib 4")
    assert item.text() == "rib 4"
    point = qt.QPoint(3, 4)
    assert (point.x(), point.y()) == (3, 4)


def test_unknown_attributes_are_refused_except_on_python_subclasses(app):
    import qt

    label = qt.QLabel("liver")
    with pytest.raises(AttributeError):
        label.txt = "spleen"
    with pytest.raises(AttributeError):
        label.visble  # noqa: B018 - reading it is the test

    class Panel(qt.QWidget):
        pass

    panel = Panel()
    panel.state = "idle"
    assert panel.state == "idle"


def test_names_and_dynamic_properties(app):
    import qt

    box = qt.QWidget()
    label = qt.QLabel("liver", box)
    label.objectName = "organLabel"
    assert label.name == "organLabel" and label.className() == "QLabel"
    assert box.organLabel is label, "PythonQt finds children by their names"
    label.setProperty("SlicerParameterName", "organ")
    assert label.property("SlicerParameterName") == "organ"
    assert label.property("nothing") is None
    assert box.findChildren(qt.QLabel) == (label,)
    assert box.findChild(qt.QLabel, "organLabel") is label


def test_signals_connect_both_ways_and_trim_arguments(app):
    import qt

    button, heard = qt.QPushButton("Apply"), []
    assert button.connect("clicked(bool)", lambda: heard.append("no argument"))
    assert button.connect("clicked()", lambda: heard.append("clicked()"))
    button.clicked.connect(lambda checked: heard.append(checked))
    button.clicked.connect(lambda *arguments: heard.append(arguments))
    button.click()
    assert heard == ["no argument", "clicked()", False, (False,)]
    assert button.connect("clickd(bool)", print) is False
    heard.clear()

    class Listener:
        def onClicked(self):
            heard.append("method")

    listener = Listener()
    quiet = qt.QPushButton("Quiet")
    quiet.connect("clicked(bool)", listener.onClicked)
    assert quiet.disconnect("clicked(bool)", listener.onClicked)
    quiet.click()
    assert heard == []
    quiet.connect("clicked()", button, "hide()")
    button.show()
    quiet.click()
    assert button.visible is False


def test_connections_last_as_long_as_the_qt_object_not_as_its_python_object(app):
    import qt

    heard = []

    def hear():
        heard.append("dataChanged")

    qt.QApplication.clipboard().connect("dataChanged()", hear)
    gc.collect()
    others = [qt.QTimer() for _number in range(100)]  # one of them where the clipboard's Python object was
    for timer in others:
        timer.connect("timeout()", hear)
    qt.QApplication.clipboard().setText("liver")
    assert heard == ["dataChanged"]

    assert qt.QApplication.clipboard().disconnect("dataChanged()", hear)
    qt.QApplication.clipboard().setText("spleen")
    assert heard == ["dataChanged"]
    assert all(timer.disconnect("timeout()", hear) for timer in others)


def test_exceptions_in_slots_are_recorded_not_raised(app, capsys):
    import qt

    button = qt.QPushButton("Apply")
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert [type(error) for error in app.errors] == [ZeroDivisionError]
    assert "ZeroDivisionError" in capsys.readouterr().err
    app.errors.clear()


def test_keyword_arguments_enums_lists_and_isinstance(app):
    import qt

    with pytest.raises(TypeError):
        qt.QLabel("liver", parent=None)
    label = qt.QLabel()
    with pytest.raises(TypeError):
        label.setText(text="liver")
    assert type(qt.Qt.AlignRight) is int and qt.QMessageBox.Ok == 0x400
    label.setAlignment(qt.Qt.AlignRight | qt.Qt.AlignTop)
    assert label.alignment == qt.Qt.AlignRight | qt.Qt.AlignTop and type(label.alignment) is int
    label.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
    assert label.sizePolicy.horizontalPolicy() == qt.QSizePolicy.Expanding
    assert isinstance(label.children(), tuple)
    assert not isinstance(label, qt.QWidget) and label.inherits("QWidget") and label.isWidgetType()
    assert type(label) is qt.QLabel
    with pytest.raises((TypeError, AttributeError)), qt.QSignalBlocker(label):
        pass


def test_text_is_made_of_anything_and_wrong_arguments_are_refused(app):
    import qt

    label = qt.QLabel()
    label.setText(None)
    assert label.text == "None"
    label.setText(5)
    assert label.text == "5"
    label.text = 7
    assert label.text == "7"
    with pytest.raises(ValueError, match="wrong arguments"):
        label.setPixmap("liver")
    with pytest.raises(AttributeError):
        label.width = 5  # a read-only property
    for not_a_bool in (None, "yes", [1], label):
        with pytest.raises(AttributeError, match="does not accept"):
            label.enabled = not_a_bool


def test_use_after_delete_is_a_value_error(app):
    import qt

    label = qt.QLabel("liver")
    label.deleteLater()
    app.process_events()
    with pytest.raises(ValueError):
        label.text  # noqa: B018 - reading it is the test
    assert not label


def test_python_subclasses_override_virtual_functions(app):
    import qt

    class Filter(qt.QObject):
        def __init__(self, parent=None):
            super().__init__(parent)
            self.seen = []

        def eventFilter(self, watched, event):
            self.seen.append((watched, event.type()))
            return super().eventFilter(watched, event)

    class Tall(qt.QLabel):
        def sizeHint(self):
            return qt.QSize(10, 5000)

    label, watcher = qt.QLabel("liver"), Filter()
    label.installEventFilter(watcher)
    label.setEnabled(False)
    assert (label, qt.QEvent.EnabledChange) in watcher.seen
    tall = Tall("liver")
    tall.adjustSize()
    assert tall.height < 1000, "PythonQt ignores overrides of virtuals that are properties"


def test_file_dialogs_return_plain_text_and_need_an_answer(app):
    import qt

    with app.dialog_answers("/data/ct.nii.gz"):
        assert qt.QFileDialog.getOpenFileName(None, "Open CT", "", "*.nii.gz") == "/data/ct.nii.gz"
    assert qt.QFileDialog.getOpenFileName(None, "Open CT") == ""
    assert "not said what the user answers" in str(app.errors.pop())
    dialog = qt.QDialog()
    with app.dialog_answers(qt.QDialog.Accepted):
        assert dialog.exec_() == qt.QDialog.Accepted


def test_path_line_does_not_tell_that_it_was_emptied(app):
    import ctk

    line, paths, validity = ctk.ctkPathLineEdit(), [], []
    line.connect("currentPathChanged(QString)", paths.append)
    line.connect("validInputChanged(bool)", validity.append)

    for path in ("/models", "/models/3mm", ""):
        line.currentPath = path

    assert paths == ["/models", "/models/3mm"]
    assert validity == [True, False]
    with pytest.raises(AttributeError):
        line.readOnly = True  # CTK's has no such property


def test_settings_come_back_as_text(app):
    import qt
    import slicer

    qt.QSettings().setValue("Module/count", 5)
    qt.QSettings().setValue("Module/on", True)
    assert qt.QSettings().value("Module/count") == "5"
    assert slicer.util.settingsValue("Module/on", False, converter=slicer.util.toBool) is True
    assert slicer.app.settings().value("Module/nothing", "default") == "default"


def test_byte_arrays_and_processes(app):
    import sys

    import qt

    process, ends = qt.QProcess(), []
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: ends.append((code, status)))
    process.start(sys.executable, ["-c", "print('spleen')"])
    assert app.wait_until(lambda: bool(ends), 20)
    assert ends == [(0, qt.QProcess.NormalExit)]
    assert process.readAllStandardOutput().data().strip() == b"spleen"


def test_timers_run_and_die_with_their_last_reference(app):
    import qt

    ticks = []

    def start_and_forget():
        timer = qt.QTimer()
        timer.connect("timeout()", lambda: ticks.append("forgotten"))
        timer.start(1)

    start_and_forget()
    qt.QTimer.singleShot(1, lambda: ticks.append("single shot"))
    assert app.wait_until(lambda: "single shot" in ticks, 5)
    time.sleep(0.01)
    app.process_events()
    assert "forgotten" not in ticks


def test_longest_block_is_measured(app):
    import qt
    import slicer

    timer = qt.QTimer()
    timer.singleShot = True
    timer.timeout.connect(lambda: time.sleep(0.06))
    app.reset_block_clock()
    timer.start(0)
    app.wait_until(lambda: not timer.active, 5)
    assert 55 <= app.longest_block_ms() < 500
    app.reset_block_clock()

    def polite():
        for _ in range(4):
            time.sleep(0.06)
            slicer.app.processEvents()

    timer.timeout.disconnect()
    timer.timeout.connect(polite)
    timer.start(0)
    app.wait_until(lambda: not timer.active, 5)
    assert app.longest_block_ms() < 200, "returning to the event loop stops the clock"


def test_missing_graphics_library_is_one_line_with_its_command(monkeypatch):
    from desktop import GraphicsLibraryMissingError
    from desktop.application import graphics

    monkeypatch.setattr(graphics.sys, "platform", "linux")

    def load(name: str) -> None:
        if "EGL" in name:
            raise OSError(name)

    monkeypatch.setattr(graphics.ctypes, "CDLL", load)
    with pytest.raises(GraphicsLibraryMissingError, match=r"libEGL\.so\.1.*apt-get install -y libegl1$"):
        graphics.prepare_graphics()


def test_application_data_stays_in_the_session_folder(app):
    import qt
    import slicer

    place = Path(qt.QStandardPaths.writableLocation(qt.QStandardPaths.AppLocalDataLocation))
    assert place.is_relative_to(Path(slicer.app.temporaryPath).parent)


def test_layout_without_items_is_false_and_not_among_the_child_variables(app, tmp_path):
    import qt
    import slicer

    widget = qt.QWidget()
    layout, empty, filled = qt.QVBoxLayout(widget), qt.QVBoxLayout(), qt.QVBoxLayout()
    empty.objectName, filled.objectName = "empty", "filled"
    for each in (empty, filled):
        layout.addLayout(each)
    filled.addWidget(qt.QLabel("text"))

    assert filled and not empty
    variables = slicer.util.childWidgetVariables(widget)
    assert hasattr(variables, "filled") and not hasattr(variables, "empty")
