"""The subject hierarchy's items, which Qt plugins make in Slicer, and what those plugins complain about."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from desktop.pythonqt.slot_runtime import RUNTIME

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
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(self._scene)  # the items that came with the scene
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if self._belongs(node):
                self._make_item(node)

    def stop(self) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)


class SegmentationsPlugin:
    """Follows the segments as qSlicerSubjectHierarchySegmentationsPlugin does.

    It is connected to every segmentation node as long as that lives. Where it does not find the node's item, Slicer
    logs an error and its status icon turns red; here that is one of the desktop's ``errors``. Items of segments are not
    made.
    """

    _EVENTS = ("SegmentAdded", "SegmentRemoved", "SegmentModified")

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._tree: Any = None
        scene.AddObserver(scene.NodeAddedEvent, self._on_node_added)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, _scene: Any, _event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSubjectHierarchyNode"):
            self._tree = node
        elif node.IsA("vtkMRMLSegmentationNode"):
            for name in self._EVENTS:
                node.AddObserver(getattr(slicer.vtkSegmentation, name), self._on_segments)
            node.AddObserver(node.DisplayModifiedEvent, self._on_segments)

    def _on_segments(self, node: Any, _event: str) -> None:
        if self._scene.IsImporting():
            return
        tree = self._tree or slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        if not tree.GetItemByDataNode(node):
            name = node.GetName()
            RUNTIME.record(RuntimeError(f"Unable to find subject hierarchy item for segmentation node {name}"))
