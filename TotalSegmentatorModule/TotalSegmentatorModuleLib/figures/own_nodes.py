"""Nodes of the scene that belong to a segmentation: found again by a reference, so that none is made twice."""

from __future__ import annotations

import slicer

from TotalSegmentatorModuleLib.scene.volumes import file_beside


def node_for(segmentation, role: str):
    """The node that ``own_node`` made for ``segmentation`` (vtkMRMLSegmentationNode); None where there is none yet, or
    the user has removed it."""
    return segmentation.GetNodeReference(role)


def own_node(segmentation, role: str, node_class: str, name: str, is_shown: bool = True):
    """The same, made where there is none. The user may rename and save it. ``is_shown``: whether it is listed."""
    node = node_for(segmentation, role)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass(node_class, slicer.mrmlScene.GenerateUniqueName(name))
        node.SetHideFromEditors(not is_shown)
        segmentation.SetNodeReferenceID(role, node.GetID())
        if is_shown:
            file_beside(node, segmentation)
    return node
