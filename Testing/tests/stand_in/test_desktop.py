"""The stand-in desktop runs a scripted module like Slicer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desktop import Desktop
from desktop_sample import UI, run_desktop, write_liver_module


@pytest.fixture
def app():
    yield from run_desktop()


@pytest.fixture
def liver_module(tmp_path: Path) -> Path:
    return write_liver_module(tmp_path)


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
    assert second.calls[-2:] == ["cleanup", "quit"]  # modules are unloaded first
    with pytest.raises(ValueError):  # and their widgets with them
        second.ui.applyButton.setText("Apply")
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
