"""What the module costs those who start Slicer for something else: it imports nothing until it is used."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from desktop.application.module_objects import import_module_file, qSlicerScriptedLoadableModule
from desktop.pythonqt.proxies import wrap
from panel_support import GRID, MODULE

LOADED_BY_SLICER = {"qt", "slicer", "slicer.i18n", "slicer.ScriptedLoadableModule", "slicer.util", "vtk"}
"""What Slicer has loaded before it comes to the modules (Base/Python/slicer/ScriptedLoadableModule.py)."""
LOADED_BY_THEN = {"pathlib", "sys", "unittest", "SampleData"}
"""Python's own that Slicer needs as well, and a module of Slicer, asked for when all modules are loaded."""


@pytest.fixture
def imported(monkeypatch) -> list[str]:
    """Names of all modules that are imported from now on, also those that Python has already; ours count as new."""
    for name in [name for name in sys.modules if name.startswith("TotalSegmentator")]:
        monkeypatch.delitem(sys.modules, name)
    names: list[str] = []
    real = builtins.__import__

    def recording(name, variables=None, *rest):
        if (variables or {}).get("__name__", "").startswith("TotalSegmentator"):
            names.append(name)
        return real(name, variables, *rest)

    monkeypatch.setattr(builtins, "__import__", recording)
    return names


@pytest.fixture
def started(app, imported) -> list[str]:
    """``imported`` when Slicer has read our file, described the module and told that it is ready."""
    module = import_module_file(MODULE)
    module.TotalSegmentatorModule(wrap(qSlicerScriptedLoadableModule(str(MODULE))))
    slicer.app.startupCompleted.emit()
    return imported


def own_modules() -> list[str]:
    return [name for name in sys.modules if name.startswith("TotalSegmentator") and name != MODULE.stem]


def test_start_imports_only_what_slicer_has_loaded(started):
    assert set(started) <= LOADED_BY_SLICER | LOADED_BY_THEN
    assert own_modules() == []


def test_other_nodes_import_no_more_than_the_name_of_the_mark(started, app):
    app.add_volume(np.zeros((2, 3, 4), np.int16), GRID)
    assert own_modules() == []
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn by hand")
    assert [name for name in own_modules() if name.count(".") == 2] == ["TotalSegmentatorModuleLib.tags.result_mark"]


def test_a_result_that_is_loaded_is_watched(started):
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.SetAttribute("TotalSegmentatorModule.Result", "1")
    slicer.mrmlScene.AddNode(node)
    assert "TotalSegmentatorModuleLib.scene.segmentation_lifetime" in own_modules()
