"""Hands a structure over to nnInteractive (the extension SlicerNNInteractive), where that is installed.

Its module has no interface for other modules. It takes segmentation, segment and source volume from the editor in its
own panel, ``ui.editor_widget``, whose node is the one of the Segment Editor module (SlicerNNInteractive 95a1bfa,
``setup``, ``get_selected_segmentation_node_and_segment_id``, ``get_volume_node``).
"""

from __future__ import annotations

import slicer

MODULE = "SlicerNNInteractive"


def has_points() -> bool:
    """Whether the module is there."""
    return hasattr(slicer.modules, MODULE.lower())


def points_panel():
    """The qSlicerAbstractModuleWidget of the module."""
    return getattr(slicer.modules, MODULE.lower()).widgetRepresentation()


def editor_of(panel):
    """The qMRMLSegmentEditorWidget in the module's panel; None in a version that has none of that name."""
    ui = getattr(panel.self(), "ui", None)
    return getattr(ui, "editor_widget", None)


def give_own_layer(node, segment_id: str) -> None:
    """Take a segment of ``node`` (vtkMRMLSegmentationNode) out of the image that it shares with others: nnInteractive
    writes into that image without regard to whose voxels are there (``_update_segment_region``)."""
    segmentation = node.GetSegmentation()
    sharing: list[str] = []
    segmentation.GetSegmentIDsSharingBinaryLabelmapRepresentation(segment_id, sharing, False)
    if sharing:
        segmentation.SeparateSegmentLabelmap(segment_id)


def arm_point_tool(panel) -> None:
    """Press the button *Point* where it can be pressed: the model may not be loaded yet."""
    button = getattr(panel.self().ui, "pbInteractionPoint", None)
    if button is not None and button.enabled and not button.checked:
        button.click()
