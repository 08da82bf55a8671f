"""The settings of Slicer's Segment Editor that a review changes for one structure, and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer

from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.tags.segment_tags import read_json, write_json_attribute

_BEFORE_ATTRIBUTE = "TotalSegmentatorModule.SettingsBeforeReview"
"""Of the editor's node while a structure is edited: what to give back. A scene that is saved meanwhile has it, too."""
_PARAMETERS = ("BrushSphere", "BrushDiameterIsRelative", "BrushAbsoluteDiameter", "Islands.Operation")
"""Attributes in which the editor's effects keep their own settings, as far as ``editing.first_effect`` sets them."""


def editor_node():
    """The vtkMRMLSegmentEditorNode of the Segment Editor module; None where the scene has none yet."""
    return slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")


def keep_settings(node) -> None:
    """Remember the settings of a vtkMRMLSegmentEditorNode; those of the user where they are remembered already."""
    if node.GetAttribute(_BEFORE_ATTRIBUTE) is None:
        content = {
            "mask_mode": node.GetMaskMode(),
            "mask_segment": node.GetMaskSegmentID(),
            "overwrite_mode": node.GetOverwriteMode(),
            "intensity_mask": bool(node.GetSourceVolumeIntensityMask()),
            "intensity_range": list(node.GetSourceVolumeIntensityMaskRange()),
            "parameters": {name: node.GetAttribute(name) for name in _PARAMETERS},
        }
        write_json_attribute(node, _BEFORE_ATTRIBUTE, content)


def protect_others(node, prevents_overlap: bool) -> None:
    """Let no stroke take a voxel from another segment. With ``prevents_overlap`` nothing is drawn over the visible ones
    either: Slicer merges all of those into one image at each stroke."""
    segmentations = slicer.vtkMRMLSegmentationNode
    with told_once(node):
        node.SetOverwriteMode(node.OverwriteNone)
        # the edited segment itself is never a part of the mask (vtkMRMLSegmentationNode::GenerateEditMask)
        outside = segmentations.EditAllowedOutsideVisibleSegments
        node.SetMaskMode(outside if prevents_overlap else segmentations.EditAllowedEverywhere)


def limit_intensity(node, hu: tuple[float, float] | None) -> None:
    """Let strokes change only voxels of these CT numbers, lowest and highest; None: all."""
    with told_once(node):
        node.SetSourceVolumeIntensityMask(hu is not None)
        if hu is not None:
            node.SetSourceVolumeIntensityMaskRange(*hu)


def restore_settings() -> None:
    """Give the user's own settings back; nothing where none are remembered."""
    node = editor_node()
    content: Mapping[str, Any] | None = read_json(node.GetAttribute(_BEFORE_ATTRIBUTE)) if node is not None else None
    if content is None:
        return
    with told_once(node):
        node.SetMaskMode(content["mask_mode"])
        node.SetMaskSegmentID(content["mask_segment"])
        node.SetOverwriteMode(content["overwrite_mode"])
        node.SetSourceVolumeIntensityMaskRange(*content["intensity_range"])
        node.SetSourceVolumeIntensityMask(content["intensity_mask"])
        for name, value in content["parameters"].items():
            if value is None:
                node.RemoveAttribute(name)
            else:
                node.SetAttribute(name, value)
        write_json_attribute(node, _BEFORE_ATTRIBUTE, None)
