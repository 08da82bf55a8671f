"""The MRML scene, the application logic and the module logics, put together in the order that Slicer does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

from desktop.scene.segment_items import SegmentationsPlugin
from desktop.scene.subject_hierarchy import SubjectHierarchyKeeper
from desktop.scene.terminologies import write_terminologies

MODULE_LOGICS = {
    "Units": "vtkSlicerUnitsLogic",
    "Colors": "vtkSlicerColorLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
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
        self.view_node = slicer.vtkMRMLViewNode()
        self.view_node.SetLayoutName("1")
        self.view_node.SetSingletonTag("1")  # as the layout's own view, it survives the closing of the scene
        self.scene.AddNode(self.view_node)
        camera = slicer.vtkMRMLCameraNode()  # which a displayable manager makes for each 3-D view
        camera.SetSingletonTag("1")
        camera.SetLayoutName("1")
        self.scene.AddNode(camera)
        self.hierarchy = SubjectHierarchyKeeper(self.scene)
        self.segmentations_plugin = SegmentationsPlugin(self.scene)  # after the items: it looks them up

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

    def add_slice_view(self, name: str, orientation: str, group: int) -> Any:
        """The logic of a slice view of another window."""
        self.slice_logics[name] = self._slice_logic(name, orientation)
        self.slice_logics[name].GetSliceNode().SetViewGroup(group)
        return self.slice_logics[name]

    def close_scene(self) -> None:
        """File > Close Scene: ``StartCloseEvent``, nodes removed, ``EndCloseEvent``."""
        self.scene.Clear(False)

    def save_scene(self, folder: Path) -> Path:
        """File > Save with all nodes beside the scene's file; returns the path of the .mrml file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.scene.SetRootDirectory(str(folder))
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
            if not node.GetSaveWithScene() or not node.AddDefaultStorageNode(None):
                continue
            storage = node.GetStorageNode()
            if storage is None:  # a camera stands in the scene's file alone
                continue
            name = "".join(letter if letter.isalnum() else "_" for letter in node.GetName())
            storage.SetFileName(str(folder / f"{name}.{storage.GetDefaultWriteFileExtension()}"))
            if not storage.WriteData(node):
                raise OSError(f"Could not write {name}")
        path = folder / "scene.mrml"
        self.scene.SetURL(str(path))
        if not self.scene.Commit():
            raise OSError("Could not write the scene")
        return path

    def load_scene(self, path: Path, clear: bool) -> None:
        """``slicer.util.loadScene``: an import, which without ``clear`` closes nothing (qSlicerSceneReader::load)."""
        self.scene.SetURL(str(path))
        if not (self.scene.Connect() if clear else self.scene.Import()):
            raise RuntimeError("The scene could not be read")

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
