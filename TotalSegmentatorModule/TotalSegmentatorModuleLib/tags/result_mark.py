"""The mark of segmentations that hold a result of this module. Imports nothing: Slicer's start needs it."""

from __future__ import annotations

RESULT_ATTRIBUTE = "TotalSegmentatorModule.Result"
"""Node attribute of every segmentation that holds a result of this module; saved with the scene."""


def mark_result(node) -> None:
    """Remember in ``node`` (vtkMRMLSegmentationNode) that it holds a result of this module."""
    node.SetAttribute(RESULT_ATTRIBUTE, "1")


def is_result(node) -> bool:
    """Whether ``node`` is a segmentation that holds a result of this module."""
    return bool(node and node.IsA("vtkMRMLSegmentationNode") and node.GetAttribute(RESULT_ATTRIBUTE))
