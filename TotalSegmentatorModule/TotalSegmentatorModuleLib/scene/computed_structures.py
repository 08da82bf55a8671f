"""The model's own structures, kept in the scene beside the segmentation that the user edits.

They lie in a text node that the segmentation node refers to: it is saved with the scene, and shown nowhere.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.computed import ComputedStructures, computed_from_json
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.scene.review_tags import set_state

_REFERENCE_ROLE = "TotalSegmentatorModule.Computed"


def keep_computed(node, text: str) -> None:
    """Keep with ``node`` (vtkMRMLSegmentationNode) what ``computed_to_json`` made, or nothing; replaces what was kept
    before."""
    text_node = _text_node(node)
    if not text:
        forget_computed(node)
        return
    if text_node is None:
        name = "{} (as computed)".format(node.GetName())
        text_node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLTextNode")
        text_node.UnRegister(None)  # the scene holds it
        text_node.SetName(name)
        text_node.SetHideFromEditors(True)
        slicer.mrmlScene.AddNode(text_node)
        node.SetNodeReferenceID(_REFERENCE_ROLE, text_node.GetID())
    text_node.SetText(text)


def forget_computed(node) -> None:
    """``node`` is leaving the scene, or holds another result. A copy of it keeps what it shares."""
    text_node = _text_node(node)
    if text_node is None:
        return
    node.SetNodeReferenceID(_REFERENCE_ROLE, None)
    others = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    if not any(_text_node(other) is text_node for other in others):
        slicer.mrmlScene.RemoveNode(text_node)


def can_restore(node, structure: str) -> bool:
    """Whether the model's own voxels of a structure (its name in the label tables) are kept with ``node``."""
    try:
        computed = _computed(node)
    except SegmentationError:
        return False
    return computed is not None and structure in computed.structures


def restore(node, segment_id: str) -> None:
    """Give the segment the model's own voxels again, as unreviewed ones; the other segments keep theirs, also where the
    two overlap then.

    Raises SegmentationError: what ``computed_image`` raises.
    """
    image = computed_image(node, segment_id)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.SetBinaryLabelmapToSegment(image, node, segment_id, logic.MODE_REPLACE):
        raise SegmentationError("COMPUTED_NOT_KEPT")
    set_state(node.GetSegmentation().GetSegment(segment_id), ReviewState.UNREVIEWED)


def computed_image(node, structure: str):
    """The model's own voxels as a vtkOrientedImageData of 0 and 1, in the space of ``node``.

    Raises SegmentationError: COMPUTED_NOT_KEPT, BAD_REQUEST where what is kept is damaged.
    """
    computed = _computed(node)
    if computed is None or structure not in computed.structures:
        raise SegmentationError("COMPUTED_NOT_KEPT")
    packed = computed.structures[structure]
    shape = tuple(packed.shape)
    bits = np.frombuffer(packed.unpacked(), np.uint8)
    voxels = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)
    matrix = np.reshape(computed.ijk_to_ras, (4, 4))
    image = slicer.vtkOrientedImageData()
    k, j, i = packed.start
    image.SetExtent(i, i + shape[2] - 1, j, j + shape[1] - 1, k, k + shape[0] - 1)
    scalars = vtk.util.numpy_support.numpy_to_vtk(voxels.reshape(-1), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return image


def _text_node(node):
    return node.GetNodeReference(_REFERENCE_ROLE)


def _computed(node) -> ComputedStructures | None:
    text_node = _text_node(node)
    return None if text_node is None or not text_node.GetText() else _parsed(text_node.GetText())


@lru_cache(maxsize=2)
def _parsed(text: str) -> ComputedStructures:
    """Raises SegmentationError("BAD_REQUEST")."""
    return computed_from_json(text)
