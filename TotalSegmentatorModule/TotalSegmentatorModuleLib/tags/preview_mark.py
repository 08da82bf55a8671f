"""The mark of what a fast model has found while a fine one ran."""

from __future__ import annotations

from TotalSegmentatorWire.tables.result_tags import PREVIEW_TAG

from TotalSegmentatorModuleLib.tags.segment_tags import read_tag


def is_preview(node) -> bool:
    """Whether a vtkMRMLSegmentationNode (or None) holds segments of a preview; it says so wherever it is saved."""
    segmentation = node.GetSegmentation() if node is not None else None
    count = segmentation.GetNumberOfSegments() if segmentation is not None else 0
    return any(read_tag(segmentation.GetNthSegment(index), PREVIEW_TAG) for index in range(count))
