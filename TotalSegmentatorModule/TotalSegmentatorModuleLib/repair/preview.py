"""The outline of what a repair would make of a structure, in a segmentation of its own that is there for a moment."""

from __future__ import annotations

from collections.abc import Mapping

import slicer

from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SegmentVoxels
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import release_contents
from TotalSegmentatorModuleLib.scene.volumes import hierarchy_item

_COLOURS = ((1.0, 0.0, 1.0), (0.0, 1.0, 1.0))
"""0..1 per channel: magenta, and cyan for a second segment; no structure of the label tables has them."""


class Preview:
    """Hidden from the lists of nodes, and not saved with the scene."""

    def __init__(self) -> None:
        self._node_id = ""

    def show(self, outcomes: Mapping[str, SegmentVoxels], node) -> None:
        """``outcomes``: by the names to show, in the space of ``node`` (vtkMRMLSegmentationNode)."""
        self.remove()
        preview = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
        preview.UnRegister(None)  # the scene holds it
        preview.SetName("Preview of a repair")
        preview.SetHideFromEditors(True)
        preview.SetSaveWithScene(False)
        segmentation = preview.GetSegmentation()
        segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
        for number, (name, voxels) in enumerate(outcomes.items()):
            segment = slicer.vtkSegment()
            segment.SetName(name)
            segment.SetColor(*_COLOURS[number % len(_COLOURS)])
            segment.AddRepresentation(BINARY_LABELMAP, voxels.image())
            segmentation.AddSegment(segment)
        slicer.mrmlScene.AddNode(preview)
        # Slicer makes no item for a hidden node, and reports an error for each change of its segments without one
        # (qSlicerSubjectHierarchySegmentationsPlugin); the data tree leaves out items of hidden nodes
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), preview)
        self._node_id = preview.GetID()
        preview.SetAndObserveTransformNodeID(node.GetTransformNodeID())
        preview.CreateDefaultDisplayNodes()
        display = preview.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetSliceIntersectionThickness(2)
        display.SetVisibility3D(False)

    def remove(self) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None
        self._node_id = ""
        if node is None:
            return
        display = node.GetDisplayNode()
        release_contents(node)
        hierarchy, item = hierarchy_item(node)
        if item:
            hierarchy.RemoveItem(item, False, True)
        for each in (node, display):
            if each is not None and slicer.mrmlScene.IsNodePresent(each):
                slicer.mrmlScene.RemoveNode(each)
