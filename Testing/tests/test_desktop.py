"""The stand-in desktop plays PythonQt strictly and runs a scripted module like Slicer."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from desktop import Desktop, GraphicsLibraryMissingError

MODULE = """
import enum
import logging
import pathlib
from typing import Annotated, Optional

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule, ScriptedLoadableModuleLogic, ScriptedLoadableModuleTest, ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Quality(enum.Enum):
    FAST = "fast"
    BEST = "best"

    def label(self):
        return self.value.capitalize()


@parameterNodeWrapper
class LiverParameters:
    ct: slicer.vtkMRMLScalarVolumeNode
    output: Optional[slicer.vtkMRMLSegmentationNode]
    quality: Quality = Quality.BEST
    margin: Annotated[float, WithinRange(0, 50)] = 5.0
    device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
    smooth: bool = True
    names: list[str]
    folder: pathlib.Path


class Liver(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Liver")
        parent.categories = ["Segmentation"]
        parent.contributors = ["Somebody"]


class LiverWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.calls = []
        self.parameters = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/Liver.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onClose)
        self.timer = qt.QTimer()
        self.timer.setInterval(5)
        self.timer.timeout.connect(self.onTimer)
        self.parameters = LiverParameters(LiverLogic().getParameterNode())
        self.tag = self.parameters.connectGui(self.ui)
        slicer.app.connect("aboutToQuit()", self.onQuit)

    def onApplyButton(self):
        self.calls.append("apply")
        self.timer.start()

    def onTimer(self):
        self.calls.append("tick")
        if self.calls.count("tick") == 3:
            self.timer.stop()
            self.ui.statusLabel.text = _("{count} ticks").format(count=3)

    def onClose(self, caller, event):
        self.calls.append("close")

    def onQuit(self):
        self.calls.append("quit")

    def enter(self):
        self.calls.append("enter")

    def exit(self):
        self.calls.append("exit")

    def cleanup(self):
        self.calls.append("cleanup")
        self.removeObservers()


class LiverLogic(ScriptedLoadableModuleLogic):
    pass


class LiverTest(ScriptedLoadableModuleTest):
    def test_one(self):
        self.delayDisplay("running")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "test ran")
"""

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Liver</class>
 <widget class="qMRMLWidget" name="Liver">
  <layout class="QVBoxLayout" name="all">
   <item><widget class="ctkCollapsibleButton" name="inputs">
     <property name="text"><string>Inputs</string></property>
     <layout class="QFormLayout" name="form">
      <item row="0" column="1"><widget class="qMRMLNodeComboBox" name="ctSelector">
        <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
        <property name="addEnabled"><bool>false</bool></property>
        <property name="SlicerParameterName" stdset="0"><string>ct</string></property>
       </widget></item>
      <item row="1" column="1"><widget class="qMRMLNodeComboBox" name="outputSelector">
        <property name="noneEnabled"><bool>true</bool></property>
        <property name="noneDisplay"><string>Create new segmentation</string></property>
        <property name="SlicerParameterName" stdset="0"><string>output</string></property>
       </widget></item>
      <item row="2" column="1"><widget class="QComboBox" name="qualityCombo">
        <property name="SlicerParameterName" stdset="0"><string>quality</string></property></widget></item>
      <item row="3" column="1"><widget class="QDoubleSpinBox" name="marginSpin">
        <property name="SlicerParameterName" stdset="0"><string>margin</string></property></widget></item>
      <item row="4" column="1"><widget class="QCheckBox" name="smoothCheck">
        <property name="SlicerParameterName" stdset="0"><string>smooth</string></property></widget></item>
      <item row="5" column="1"><widget class="ctkComboBox" name="deviceCombo">
        <property name="SlicerParameterName" stdset="0"><string>device</string></property></widget></item>
      <item row="6" column="1"><widget class="ctkPathLineEdit" name="folderEdit">
        <property name="SlicerParameterName" stdset="0"><string>folder</string></property></widget></item>
     </layout>
    </widget></item>
   <item><widget class="QPushButton" name="applyButton">
     <property name="text"><string>Apply</string></property></widget></item>
   <item><widget class="QLabel" name="statusLabel"><property name="alignment">
     <set>Qt::AlignRight|Qt::AlignVCenter</set></property></widget></item>
  </layout>
 </widget>
 <customwidgets>
  <customwidget><class>qMRMLWidget</class><extends>QWidget</extends><header>qMRMLWidget.h</header>
   <container>1</container></customwidget>
  <customwidget><class>qMRMLNodeComboBox</class><extends>QWidget</extends><header>h</header></customwidget>
  <customwidget><class>ctkCollapsibleButton</class><extends>QWidget</extends><header>h</header>
   <container>1</container></customwidget>
  <customwidget><class>ctkComboBox</class><extends>QComboBox</extends><header>h</header></customwidget>
  <customwidget><class>ctkPathLineEdit</class><extends>QWidget</extends><header>h</header></customwidget>
 </customwidgets>
 <connections>
  <connection><sender>Liver</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>ctSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
  <connection><sender>Liver</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>outputSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
 </connections>
</ui>
"""


@pytest.fixture
def app():
    try:
        desktop = Desktop()
    except GraphicsLibraryMissingError as error:
        pytest.skip(str(error))
    yield desktop
    desktop.quit()


@pytest.fixture
def liver_module(tmp_path: Path) -> Path:
    folder = tmp_path / "Liver"
    (folder / "Resources" / "UI").mkdir(parents=True)
    (folder / "Resources" / "UI" / "Liver.ui").write_text(UI, encoding="utf-8")
    (folder / "Liver.py").write_text(MODULE, encoding="utf-8")
    return folder / "Liver.py"


# -- PythonQt's rules --------------------------------------------------------------------------------------------------
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
            time.sleep(0.02)
            slicer.app.processEvents()

    timer.timeout.disconnect()
    timer.timeout.connect(polite)
    timer.start(0)
    app.wait_until(lambda: not timer.active, 5)
    assert app.longest_block_ms() < 55, "returning to the event loop stops the clock"


# -- a scripted module -------------------------------------------------------------------------------------------------
def test_module_opens_and_its_button_and_timer_work(app, liver_module):
    import slicer

    widget = app.open_module(liver_module)
    assert slicer.modules.liver.title == "Liver"
    assert slicer.modules.liver.widgetRepresentation().self() is widget
    assert slicer.util.modulePath("Liver") == str(liver_module)
    assert widget.calls == ["enter"] and widget.parent.isEntered
    app.click(widget.ui.applyButton)
    assert app.wait_until(lambda: widget.ui.statusLabel.text == "3 ticks", 5)
    assert widget.calls[1:] == ["apply", "tick", "tick", "tick"]
    assert not app.errors


def test_disabled_button_cannot_be_clicked(app, liver_module):
    widget = app.open_module(liver_module)
    widget.ui.applyButton.enabled = False
    with pytest.raises(RuntimeError, match="disabled"):
        app.click(widget.ui.applyButton)


def test_parameter_node_and_widgets_follow_each_other(app, liver_module):
    widget = app.open_module(liver_module)
    parameters, ui = widget.parameters, widget.ui
    assert ui.marginSpin.value == 5.0 and ui.marginSpin.maximum == 50
    assert ui.qualityCombo.currentText == "Best" and ui.deviceCombo.count == 2
    ui.marginSpin.value = 7.5
    ui.smoothCheck.checked = False
    ui.qualityCombo.currentIndex = 0
    assert (parameters.margin, parameters.smooth, parameters.quality.name) == (7.5, False, "FAST")
    parameters.device = "cpu"
    assert ui.deviceCombo.currentText == "cpu"
    with pytest.raises(ValueError):
        parameters.margin = 51
    ct = app.add_volume(np.zeros((4, 4, 4), np.int16), np.eye(4), "CT")
    assert ui.ctSelector.currentNode() is ct and parameters.ct is ct
    assert parameters.output is None
    ui.outputSelector.addNode()
    assert parameters.output.GetClassName() == "vtkMRMLSegmentationNode"
    ui.folderEdit.currentPath = "/models"
    assert parameters.folder == Path("/models")
    parameters.names = ["liver"]
    parameters.names.append("spleen")
    assert parameters.names == ["liver", "spleen"]
    node = parameters.parameterNode
    assert (node.GetParameter("names.len"), node.GetParameter("names.1")) == ("2", "spleen")
    assert (node.GetParameter("smooth"), node.GetParameter("quality")) == ("False", "FAST")
    assert node.GetNodeReferenceID("ct") == ct.GetID() and node.HasParameter("output.0")
    parameters.disconnectGui(widget.tag)
    ui.marginSpin.value = 1
    assert parameters.margin == 7.5
    assert not app.errors


def test_parameters_survive_saving_and_loading_the_scene(app, liver_module, tmp_path):
    import slicer

    widget = app.open_module(liver_module)
    widget.parameters.margin = 12.0
    widget.parameters.names = ["liver", "spleen"]
    scene_file = tmp_path / "scene.mrml"
    slicer.mrmlScene.SetURL(str(scene_file))
    slicer.mrmlScene.Commit()
    widget.parameters.disconnectGui(widget.tag)
    app.close_scene()
    assert widget.calls[-1] == "close"
    slicer.mrmlScene.SetURL(str(scene_file))
    slicer.mrmlScene.Import()
    module = __import__("sys").modules["Liver"]
    again = module.LiverParameters(module.LiverLogic().getParameterNode())
    assert again.margin == 12.0 and again.names == ["liver", "spleen"]


def test_unfit_widget_for_a_parameter_is_refused(app, liver_module):
    import qt

    widget = app.open_module(liver_module)
    with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
        widget.parameters.connectParametersToGui({"device": qt.QPlainTextEdit()})
    with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
        widget.parameters.connectParametersToGui({"smooth": qt.QRadioButton()})


def test_reload_close_and_quit_call_what_slicer_calls(app, liver_module):
    first = app.open_module(liver_module)
    second = app.reload_module()
    assert second is not first and first.calls[-1] == "cleanup"
    app.close_scene()
    assert second.calls == ["close"] or second.calls == ["enter", "close"]
    app.quit()
    assert second.calls[-2:] == ["quit", "cleanup"]
    assert not app.errors


def test_module_test_class_runs(app, liver_module):
    import slicer

    app.open_module(liver_module)
    slicer.selfTests["Liver"]()
    assert slicer.mrmlScene.GetFirstNodeByName("test ran") is not None


def test_ui_that_slicer_could_not_read_is_refused(app, liver_module):
    ui_file = liver_module.parent / "Resources" / "UI" / "Liver.ui"
    ui_file.write_text(UI.replace("Qt::AlignRight|", "Qt::AlignmentFlag::AlignRight|"), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"Qt 5\.15"):
        app.open_module(liver_module)


def test_two_sessions_do_not_see_each_other(app):
    import qt
    import slicer

    qt.QSettings().setValue("Module/key", "first")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "first session")
    scene = slicer.mrmlScene
    app.quit()
    with Desktop():
        assert slicer.mrmlScene is not scene
        assert slicer.mrmlScene.GetFirstNodeByName("first session") is None
        assert not qt.QSettings().contains("Module/key")


def test_exceptions_in_vtk_observers_are_recorded(app, capsys):
    import slicer

    def broken(caller, event):
        raise KeyError("liver")

    slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, broken)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "note")
    assert [type(error) for error in app.errors] == [KeyError]
    assert "KeyError" in capsys.readouterr().err
    app.errors.clear()


# -- MRML around it ----------------------------------------------------------------------------------------------------
def test_hierarchy_items_come_and_go_with_the_nodes(app):
    import slicer

    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    item = tree.GetItemByDataNode(segmentation)
    assert item and tree.GetItemName(item) == "organs"
    slicer.mrmlScene.RemoveNode(segmentation)
    assert not tree.GetItemByName("organs")


def test_selector_follows_the_scene(app):
    import slicer

    selector, heard = slicer.qMRMLNodeComboBox(), []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.showChildNodeTypes = False
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: heard.append(node and node.GetName()))
    selector.setMRMLScene(slicer.mrmlScene)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "label map")
    assert selector.currentNode() is None
    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other CT")
    assert selector.currentNode() is ct and selector.nodeCount() == 2
    selector.setCurrentNode(other)
    assert selector.currentNodeID == other.GetID()
    slicer.mrmlScene.RemoveNode(other)
    assert selector.currentNode() is ct
    assert heard == ["CT", "other CT", "CT"]
    assert not isinstance(selector.nodeTypes, list) and type(selector) is slicer.qMRMLNodeComboBox


def test_util_functions_of_slicer_work(app):
    import slicer

    assert slicer.util.mainWindow() is None
    assert "PATH" in slicer.util.startupEnvironment()
    with pytest.raises(ZeroDivisionError), slicer.util.tryWithErrorDisplay("Failed.", waitCursor=True):
        1 / 0  # noqa: B018 - the exception is the test
    assert Path(slicer.app.temporaryPath).is_dir() and Path(slicer.app.cachePath).is_dir()
    with slicer.util.RenderBlocker():
        pass
    assert slicer.modules.segmentations.logic().GetClassName() == "vtkSlicerSegmentationsModuleLogic"
    with pytest.raises(AttributeError):
        slicer.modules.totalSegmentator  # noqa: B018 - reading it is the test
    assert slicer.app.testingEnabled() and (slicer.app.majorVersion, slicer.app.minorVersion) >= (5, 10)
