"""Opens Slicer's Segment Editor on one segment."""

from __future__ import annotations

import slicer


def edit_segment(node, segment_id: str, ct) -> None:
    """Switch to the Segment Editor with a segment of ``node`` (vtkMRMLSegmentationNode) chosen and ``ct``
    (vtkMRMLScalarVolumeNode, may be None) as source volume. RuntimeError where Slicer has no main window."""
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(node)
    if ct is not None:
        editor.setSourceVolumeNode(ct)
    editor.setCurrentSegmentID(segment_id)
