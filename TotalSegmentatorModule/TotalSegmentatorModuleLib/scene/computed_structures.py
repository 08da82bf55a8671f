"""The model's own structures, kept in the scene beside the segmentation that the user edits.

They lie in a text node that the segmentation node refers to: it is saved with the scene, and shown nowhere.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np
import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.computed import ComputedStructures, computed_from_json, computed_to_json

from TotalSegmentatorModuleLib.scene.segment_voxels import SegmentVoxels

_REFERENCE_ROLE = "TotalSegmentatorModule.Computed"


def keep_computed(node, text: str) -> None:
    """Keep with ``node`` (vtkMRMLSegmentationNode) what ``computed_to_json`` made, or nothing; replaces what was kept
    before. A copy of ``node`` keeps what it shared."""
    if not text:
        forget_computed(node)
        return
    text_node = _text_node(node)
    if text_node is None or _is_shared(node, text_node):
        name = "{} (as computed)".format(node.GetName())
        text_node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLTextNode")
        text_node.UnRegister(None)  # the scene holds it
        text_node.SetName(name)
        text_node.SetHideFromEditors(True)
        slicer.mrmlScene.AddNode(text_node)
        node.SetNodeReferenceID(_REFERENCE_ROLE, text_node.GetID())
    text_node.SetText(text)


def computed_text(node) -> str:
    """What ``keep_computed`` keeps with ``node`` (vtkMRMLSegmentationNode); empty where nothing is kept."""
    text_node = _text_node(node)
    return (text_node.GetText() or "") if text_node is not None else ""


def with_computed(text: str, newer: str, structures: Collection[str]) -> str:
    """``text`` of ``computed_to_json`` with these structures as ``newer`` has them; those that it lacks, or that lie on
    another grid, are not kept any more: what is kept of a structure is always what was computed last."""
    try:
        former = _parsed(text) if text else None
        latest = _parsed(newer) if newer else None
    except SegmentationError:
        return text
    base = former or latest
    if base is None:
        return ""
    kept = {name: each for name, each in former.structures.items() if name not in structures} if former else {}
    if latest is not None and _grid(latest) == _grid(base):
        kept.update({name: each for name, each in latest.structures.items() if name in structures})
    return computed_to_json(ComputedStructures(base.grid_shape, base.ijk_to_ras, kept)) if kept else ""


def _grid(computed: ComputedStructures) -> tuple:
    return (*computed.grid_shape, *(round(number, 4) for number in computed.ijk_to_ras))


def forget_computed(node) -> None:
    """``node`` is leaving the scene, or holds another result. A copy of it keeps what it shares."""
    text_node = _text_node(node)
    if text_node is None:
        return
    node.SetNodeReferenceID(_REFERENCE_ROLE, None)
    if not _is_shared(node, text_node):
        slicer.mrmlScene.RemoveNode(text_node)


def can_restore(node, structure: str) -> bool:
    """Whether the model's own voxels of a structure (its name in the label tables) are kept with ``node``."""
    try:
        computed = _computed(node)
    except SegmentationError:
        return False
    return computed is not None and structure in computed.structures


def computed_voxels(node, structure: str) -> SegmentVoxels:
    """The model's own voxels of a structure, in the space of ``node``.

    Raises SegmentationError: COMPUTED_NOT_KEPT, BAD_REQUEST where what is kept is damaged.
    """
    computed = _computed(node)
    if computed is None or structure not in computed.structures:
        raise SegmentationError("COMPUTED_NOT_KEPT")
    packed = computed.structures[structure]
    shape = tuple(packed.shape)
    bits = np.frombuffer(packed.unpacked(), np.uint8)
    inside = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).view(bool)
    return SegmentVoxels.cropped(inside, tuple(packed.start), np.reshape(computed.ijk_to_ras, (4, 4)))


def _text_node(node):
    return node.GetNodeReference(_REFERENCE_ROLE)


def _is_shared(node, text_node) -> bool:
    """Whether another segmentation than ``node`` refers to it, too."""
    others = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return any(other is not node and _text_node(other) is text_node for other in others)


def _computed(node) -> ComputedStructures | None:
    text = computed_text(node)
    return _parsed(text) if text else None


@lru_cache(maxsize=2)
def _parsed(text: str) -> ComputedStructures:
    """Raises SegmentationError("BAD_REQUEST")."""
    return computed_from_json(text)
