"""The results that a new one of the same CT takes the place of on the screen."""

from __future__ import annotations

import slicer

from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.tags.result_mark import is_result


def older_results(node) -> list[str]:
    """Ids of all other visible results of this module on the CT of ``node`` (vtkMRMLSegmentationNode)."""
    ct = reference_volume(node)
    others = slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if ct is not None else []
    return [other.GetID() for other in others if other is not node and _is_shown_result(other, ct)]


def hide_result(node_id: str) -> None:
    """Close its eye, if it is in the scene still. What was drawn by hand stays visible, and so does what is open in the
    Segment Editor."""
    node = slicer.mrmlScene.GetNodeByID(node_id)
    editors = slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")
    if is_result(node) and node.GetDisplayNode() and node not in [each.GetSegmentationNode() for each in editors]:
        node.GetDisplayNode().SetVisibility(False)


def _is_shown_result(node, ct) -> bool:
    display = node.GetDisplayNode()
    return is_result(node) and reference_volume(node) is ct and display is not None and bool(display.GetVisibility())
