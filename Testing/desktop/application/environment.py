"""Publishes what module code imports: ``qt``, ``ctk``, and the parts of ``slicer`` that the wheel lacks."""

from __future__ import annotations

import sys
import types
from typing import Any

import slicer

from desktop.pythonqt import namespaces, special


class _Modules(types.ModuleType):
    """``slicer.modules``: module objects under their lower-case names."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"module 'modules' has no attribute '{name}'")


class CoreModule:
    """A built-in module as module code uses it: a name and a logic."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self.title = name
        self._logic = logic

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> None:
        return None


def publish_qt() -> None:
    """``import qt`` and ``import ctk``; done once per process, before anything that imports them."""
    if "qt" in sys.modules:
        return
    special.install()
    sys.modules["qt"] = namespaces.QtModule("qt")
    from desktop.pythonqt.ui_loader import CUSTOM_WIDGETS
    from desktop.widgets.ctk_widgets import CTK_CLASSES

    ctk = types.ModuleType("ctk")
    namespaces.publish_classes(ctk, "ctk", CTK_CLASSES)
    sys.modules["ctk"] = ctk
    CUSTOM_WIDGETS.update({native.__name__: native for native in CTK_CLASSES})


def publish_slicer_packages() -> None:
    """``slicer.i18n``, ``slicer.ScriptedLoadableModule``, ``slicer.parameterNodeWrapper``, and the MRML widgets."""
    from desktop.application import i18n
    from desktop.application.application_object import qSlicerApplication, qSlicerModuleManager
    from desktop.application.layout_manager import (
        qMRMLSliceWidget,
        qMRMLThreeDView,
        qMRMLThreeDWidget,
        qSlicerLayoutManager,
    )
    from desktop.application.module_objects import qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget
    from desktop.application.plot_view import qMRMLPlotView, qMRMLPlotWidget
    from desktop.application.segment_editor import qMRMLSegmentEditorWidget
    from desktop.pythonqt.ui_loader import CUSTOM_WIDGETS
    from desktop.scene.dicom_database import ctkDICOMDatabase, ctkDICOMIndexer
    from desktop.widgets.mrml_widgets import MRML_CLASSES

    _publish("i18n", i18n)
    others = [
        qMRMLSegmentEditorWidget,
        qMRMLPlotView,
        qMRMLPlotWidget,
        qMRMLSliceWidget,
        qMRMLThreeDView,
        qMRMLThreeDWidget,
        qSlicerApplication,
        qSlicerLayoutManager,
        qSlicerModuleManager,
        qSlicerScriptedLoadableModule,
        qSlicerScriptedLoadableModuleWidget,
    ]
    namespaces.publish_classes(slicer, "slicer", MRML_CLASSES + others)
    namespaces.publish_classes(sys.modules["ctk"], "ctk", [ctkDICOMDatabase, ctkDICOMIndexer])
    CUSTOM_WIDGETS.update({native.__name__: native for native in MRML_CLASSES})
    from desktop import parameter_node
    from desktop.application import scripted_module

    _publish("ScriptedLoadableModule", scripted_module)
    _publish("parameterNodeWrapper", parameter_node)


def _publish(name: str, module: Any) -> None:
    sys.modules[f"slicer.{name}"] = module
    setattr(slicer, name, module)


def publish_session(world: Any, application: Any, database: Any) -> None:
    """What changes from session to session: scene, application, modules, DICOM database."""
    slicer.mrmlScene = world.scene
    slicer.app = application
    slicer.dicomDatabase = database
    slicer.selfTests = {}
    modules = _Modules("slicer.modules")
    for name, logic in world.logics.items():
        setattr(modules, name.lower(), CoreModule(name, logic))
    _publish("modules", modules)
