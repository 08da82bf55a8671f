"""The subject hierarchy's items of nodes, which Qt plugins make in Slicer."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.scene.segment_items import VIRTUAL_BRANCH

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

_AFTER_READING = 10.0
"""Before other observers (qSlicerSubjectHierarchyPluginLogic, setMRMLScene)."""


class SubjectHierarchyKeeper:
    """Makes a subject-hierarchy item for every node that has one in Slicer, where Qt plugins do it."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._tags = []
        for event, function in (
            (scene.NodeAddedEvent, self._added),
            (scene.NodeAboutToBeRemovedEvent, self._leaving),
            (scene.EndImportEvent, self._imported),
            (scene.EndBatchProcessEvent, self._imported),
        ):
            priority = _AFTER_READING if function == self._imported else 0.0
            self._tags.append(scene.AddObserver(event, self._observer(function), priority))

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
            item = tree.CreateItem(tree.GetSceneItemID(), node)
            if node.IsA("vtkMRMLSegmentationNode"):
                tree.SetItemAttribute(item, VIRTUAL_BRANCH, "1")

    def _leaving(self, node: Any) -> None:
        if not self._belongs(node) or self._scene.IsClosing():
            return
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        item = tree.GetItemByDataNode(node) if tree is not None else 0
        if item:
            tree.RemoveItem(item, False, False)

    def _imported(self, _node: Any) -> None:
        if self._scene.IsBatchProcessing() or self._scene.IsClosing():  # its end is the end of the import, too
            return
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(self._scene)  # the items that came with the scene
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if self._belongs(node):
                self._make_item(node)

    def stop(self) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
