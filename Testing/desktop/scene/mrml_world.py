"""The MRML scene, the application logic and the module logics, put together in the order that Slicer does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.scene.terminologies import write_terminologies

MODULE_LOGICS = {
    "Units": "vtkSlicerUnitsLogic",
    "Colors": "vtkSlicerColorLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "Models": "vtkSlicerModelsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Sequences": "vtkSlicerSequencesLogic",
}
"""Slicer module -> class of its logic. Those that the wheel lacks are left out of ``slicer.modules``."""

SLICE_VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
_IN_HIERARCHY = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
)


class MrmlWorld:
    """One scene with everything that looks at it. Make a new one for a new session."""

    def __init__(self, share_folder: Path) -> None:
        window = vtk.vtkOutputWindow()
        window.SetDisplayModeToAlwaysStdErr()
        vtk.vtkOutputWindow.SetInstance(window)
        self.scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetMRMLScene(self.scene)
        self._slice_logics, self._view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        self.application_logic.SetSliceLogics(self._slice_logics)
        self.application_logic.SetViewLogics(self._view_logics)
        self.logics: dict[str, Any] = {}
        self._make_logics(write_terminologies(share_folder))
        for factory in (
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
            slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        ):
            factory.GetInstance().SetMRMLApplicationLogic(self.application_logic)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.slice_logics = {name: self._slice_logic(name, way) for name, way in SLICE_VIEWS.items()}
        self.hierarchy = SubjectHierarchyKeeper(self.scene)

    def _make_logics(self, terminologies: Path) -> None:
        colors = self.application_logic.GetColorLogic()
        if colors is not None:
            colors.SetMRMLScene(self.scene)
            colors.AddDefaultColorNodes()
        for name, class_name in MODULE_LOGICS.items():
            logic_class = getattr(slicer, class_name, None)
            if logic_class is None:
                continue
            logic = colors if name == "Colors" and colors is not None else logic_class()
            if name == "Terminologies":  # read at SetMRMLScene
                logic.SetModuleShareDirectory(str(terminologies))
                logic.SetUserContextsPath(str(terminologies))
            if logic is not colors:
                logic.SetMRMLScene(self.scene)
            if hasattr(logic, "SetMRMLApplicationLogic"):
                logic.SetMRMLApplicationLogic(self.application_logic)
            self.application_logic.SetModuleLogic(name, logic)
            self.logics[name] = logic

    def _slice_logic(self, name: str, orientation: str) -> Any:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self.application_logic)
        self._slice_logics.AddItem(logic)
        logic.SetMRMLScene(self.scene)
        node = logic.AddSliceNode(name)
        node.SetOrientation(orientation)
        return logic

    def close_scene(self) -> None:
        """File > Close Scene: ``StartCloseEvent``, nodes removed, ``EndCloseEvent``."""
        self.scene.Clear(False)

    def shut_down(self) -> None:
        """Let go of scene and logics, in the order in which Slicer destroys them."""
        self.hierarchy.stop()
        self._slice_logics.RemoveAllItems()
        self._view_logics.RemoveAllItems()
        for logic in [*self.slice_logics.values(), *self.logics.values()]:
            if logic is not self.logics.get("Segmentations"):  # it warns that it has lost the scene
                logic.SetMRMLScene(None)
        self.application_logic.SetMRMLScene(None)
        self.scene.RemoveAllObservers()


class SubjectHierarchyKeeper:
    """Makes a subject-hierarchy item for every node that has one in Slicer, where Qt plugins do it."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._tags = []
        for event, function in (
            (scene.NodeAddedEvent, self._added),
            (scene.NodeAboutToBeRemovedEvent, self._leaving),
            (scene.EndImportEvent, self._imported),
        ):
            self._tags.append(scene.AddObserver(event, self._observer(function)))

    def _observer(self, function: Any) -> Any:
        def observe(caller: Any, event: str, node: Any = None) -> None:
            RUNTIME.run(function, (node,))

        observe.CallDataType = vtk.VTK_OBJECT
        return observe

    def _belongs(self, node: Any) -> bool:
        return node is not None and not node.GetHideFromEditors() and any(node.IsA(kind) for kind in _IN_HIERARCHY)

    def _added(self, node: Any) -> None:
        if self._belongs(node) and not self._scene.IsImporting():
            self._make_item(node)

    def _make_item(self, node: Any) -> None:
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        if tree is not None and not tree.GetItemByDataNode(node):
            tree.CreateItem(tree.GetSceneItemID(), node)

    def _leaving(self, node: Any) -> None:
        if not self._belongs(node) or self._scene.IsClosing():
            return
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        item = tree.GetItemByDataNode(node) if tree is not None else 0
        if item:
            tree.RemoveItem(item, False, False)

    def _imported(self, _node: Any) -> None:
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if self._belongs(node):
                self._make_item(node)

    def stop(self) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
