"""A tiny scripted module and a running desktop for the tests of the stand-in itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
        <property name="removeEnabled"><bool>false</bool></property>
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


def run_desktop() -> Iterator[Desktop]:
    """A desktop for one test, quit afterwards; skips where a graphics library is missing."""
    try:
        desktop = Desktop()
    except GraphicsLibraryMissingError as error:
        pytest.skip(str(error))
    yield desktop
    desktop.quit()


def write_liver_module(parent: Path) -> Path:
    """The sample module in a folder of its own; returns its main file."""
    folder = parent / "Liver"
    (folder / "Resources" / "UI").mkdir(parents=True)
    (folder / "Resources" / "UI" / "Liver.ui").write_text(UI, encoding="utf-8")
    (folder / "Liver.py").write_text(MODULE, encoding="utf-8")
    return folder / "Liver.py"
