"""The subject hierarchy's items of segments, as qSlicerSubjectHierarchySegmentationsPlugin keeps them in Slicer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

from desktop.pythonqt.slot_runtime import RUNTIME

VIRTUAL_BRANCH = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyVirtualBranchAttributeName()
"""Level of the items of segments, and attribute of an item that takes its children along when it is removed."""


class SegmentationsPlugin:
    """Makes, renames and removes the items of segments on the events of their node; an item that is removed takes its
    segment along.

    An event that tells which segment costs that segment's item; one that tells none (the end of a batch, a change of
    the display) looks through all of them. It is connected to every segmentation node as long as that lives. Where it
    does not find the node's item, Slicer logs an error and its status icon turns red; here that is one of the
    desktop's ``errors``.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._tree: Any = None
        self._is_removing = False
        self.made_at_once = 0
        """The most items that were made on one event, ever."""
        scene.AddObserver(scene.NodeAddedEvent, self._on_node_added)
        self._follow_items(slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, _scene: Any, _event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSubjectHierarchyNode"):
            self._tree = node
            self._follow_items(node)
        elif node.IsA("vtkMRMLSegmentationNode"):
            events = slicer.vtkSegmentation
            node.AddObserver(events.SegmentAdded, self._segment_observer(self._on_added))
            node.AddObserver(events.SegmentRemoved, self._segment_observer(self._on_removed))
            node.AddObserver(events.SegmentModified, self._segment_observer(self._on_modified))
            node.AddObserver(node.DisplayModifiedEvent, self._segment_observer(lambda node, _none: self._update(node)))

    def _follow_items(self, tree: Any) -> None:
        tree.AddObserver(tree.SubjectHierarchyItemModifiedEvent, self._item_observer(self._on_item_modified))
        tree.AddObserver(tree.SubjectHierarchyItemAboutToBeRemovedEvent, self._item_observer(self._on_item_leaves))

    def _segment_observer(self, function: Callable[[Any, str | None], None]) -> Callable[..., None]:
        def observe(node: Any, _event: str, segment_id: str | None = None) -> None:
            RUNTIME.run(self._follow, (function, node, segment_id))

        observe.CallDataType = vtk.VTK_STRING
        return observe

    def _item_observer(self, function: Callable[[Any, int], None]) -> Callable[..., None]:
        def observe(tree: Any, _event: str, item: int = 0) -> None:
            RUNTIME.run(function, (tree, item))

        observe.CallDataType = vtk.VTK_LONG
        return observe

    # -- segments ------------------------------------------------------------------------------------------------------

    def _follow(self, function: Callable[[Any, str | None], None], node: Any, segment_id: str | None) -> None:
        if self._scene.IsImporting() or self._is_removing:
            return
        if not self._item_of(node):
            if self._scene.IsBatchProcessing() and not self._scene.IsClosing():  # Slicer has made one by then
                return
            name = node.GetName()
            RUNTIME.record(RuntimeError(f"Unable to find subject hierarchy item for segmentation node {name}"))
            return
        before = self._hierarchy().GetNumberOfItems()
        function(node, segment_id)
        self.made_at_once = max(self.made_at_once, self._hierarchy().GetNumberOfItems() - before)

    def _on_added(self, node: Any, segment_id: str | None) -> None:
        if segment_id is None:
            self._update(node)
            return
        segmentation = node.GetSegmentation()
        segment = segmentation.GetSegment(segment_id)
        if segment is None:
            RUNTIME.record(RuntimeError(f"Failed to get added segment with ID {segment_id!r}"))
            return
        if segment_id in self._items(node):
            return
        tree = self._hierarchy()
        position = segmentation.GetSegmentIndex(segment_id)
        item = tree.CreateHierarchyItem(self._item_of(node), segment.GetName() or "", VIRTUAL_BRANCH, position)
        tree.SetItemAttribute(item, node.GetSegmentIDAttributeName(), segment_id)

    def _on_removed(self, node: Any, segment_id: str | None) -> None:
        if segment_id is None:
            self._update(node)
            return
        item = self._items(node).get(segment_id)
        if item is not None:
            self._hierarchy().RemoveItem(item)

    def _on_modified(self, node: Any, segment_id: str | None) -> None:
        if segment_id is None:
            self._update(node)
            return
        segment = node.GetSegmentation().GetSegment(segment_id)
        if segment is None:
            RUNTIME.record(RuntimeError(f"Failed to get modified segment with ID {segment_id!r}"))
            return
        item = self._items(node).get(segment_id)
        if item is not None and self._hierarchy().GetItemName(item) != (segment.GetName() or ""):
            self._hierarchy().SetItemName(item, segment.GetName() or "")

    def _update(self, node: Any) -> None:
        """All segments: those that have an item, those that have gone, those that have none yet."""
        segmentation = node.GetSegmentation()
        items = self._items(node)
        for segment_id in items:
            if segmentation.GetSegment(segment_id) is None:
                self._on_removed(node, segment_id)
            else:
                self._on_modified(node, segment_id)
        for index in range(segmentation.GetNumberOfSegments()):
            if segmentation.GetNthSegmentID(index) not in items:
                self._on_added(node, segmentation.GetNthSegmentID(index))

    # -- items ---------------------------------------------------------------------------------------------------------

    def _on_item_modified(self, tree: Any, item: int) -> None:
        """The user renames a segment in the tree."""
        node, segment_id = self._segment_of(tree, item)
        segment = node.GetSegmentation().GetSegment(segment_id) if node is not None else None
        if segment is not None and segment.GetName() != tree.GetItemName(item):
            segment.SetName(tree.GetItemName(item))

    def _on_item_leaves(self, tree: Any, item: int) -> None:
        if self._scene.IsClosing():
            return
        node, segment_id = self._segment_of(tree, item)
        if node is not None and node.GetSegmentation().GetSegment(segment_id) is not None:
            self._is_removing = True
            node.GetSegmentation().RemoveSegment(segment_id)
            self._is_removing = False

    def _segment_of(self, tree: Any, item: int) -> tuple[Any, str]:
        """The segmentation node and the id of the segment whose item it is; None for an item of something else."""
        name = slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName()
        if not item or not tree.HasItemAttribute(item, name):
            return None, ""
        return tree.GetItemDataNode(tree.GetItemParent(item)), tree.GetItemAttribute(item, name)

    def _items(self, node: Any) -> dict[str, int]:
        """Ids of segments and their items, in the order of the tree."""
        tree, children = self._hierarchy(), vtk.vtkIdList()
        tree.GetItemChildren(self._item_of(node), children)
        items = [children.GetId(index) for index in range(children.GetNumberOfIds())]
        ids = {tree.GetItemAttribute(item, node.GetSegmentIDAttributeName()): item for item in items}
        ids.pop("", None)
        return ids

    def _item_of(self, node: Any) -> int:
        return self._hierarchy().GetItemByDataNode(node)

    def _hierarchy(self) -> Any:
        return self._tree or slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
