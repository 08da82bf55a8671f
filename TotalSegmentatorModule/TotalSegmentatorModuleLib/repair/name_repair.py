"""The repair of names that waits for the user's consent."""

from __future__ import annotations

from collections.abc import Mapping

import slicer

from TotalSegmentatorModuleLib.changes.exchange import Exchange
from TotalSegmentatorModuleLib.repair.texts import new_names_text
from TotalSegmentatorModuleLib.scene.output_segmentation import content_stamp


class NameRepair:
    """Swaps or renumbers the segments ``moves`` of ``node`` (vtkMRMLSegmentationNode); see ``new_names``."""

    def __init__(self, node, moves: Mapping[str, str], rule: str) -> None:
        self._node_id: str = node.GetID()
        self._moves, self._rule = moves, rule
        self._stamp = content_stamp(node)
        self.text: str = new_names_text(node, moves)
        """What will change, in words."""

    def apply(self) -> Exchange | None:
        """None where the segmentation has changed since the user was told what will become of it."""
        node = slicer.mrmlScene.GetNodeByID(self._node_id)
        if node is None or content_stamp(node) != self._stamp:
            return None
        return Exchange(node, self._moves, self._rule)
