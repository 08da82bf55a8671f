"""The results that a new one of the same CT takes the place of on the screen."""

from __future__ import annotations

import slicer

from TotalSegmentatorModuleLib.scene.segmentation_lifetime import is_result
from TotalSegmentatorModuleLib.scene.segments import reference_volume


def hide_older_results(node) -> int:
    """Close the eye of all other results of this module on the CT of ``node`` (vtkMRMLSegmentationNode); returns how
    many. What was drawn by hand stays visible, and so does what is open in the Segment Editor."""
    ct = reference_volume(node)
    edited = [editor.GetSegmentationNode() for editor in slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")]
    hidden = 0
    for other in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if other is node or other in edited or ct is None or not is_result(other) or reference_volume(other) is not ct:
            continue
        display = other.GetDisplayNode()
        if display is not None and display.GetVisibility():
            display.SetVisibility(False)
            hidden += 1
    return hidden
