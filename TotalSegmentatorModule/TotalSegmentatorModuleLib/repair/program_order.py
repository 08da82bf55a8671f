"""Which repair of a structure's voxels a flag asks for, and how the program is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.review_rules import RULES, Repair
from TotalSegmentatorWire.tables.review_thresholds import threshold
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.scene.segments import all_segments, reference_volume
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.tags.structure_measures import read_measures

_NEEDS_PLACE = (Repair.BRIDGE_GAP, Repair.MOVE_PIECE)
_NEEDS_NEIGHBOURS = (Repair.BRIDGE_GAP, Repair.FILL_HOLES)
"""These leave the other structures theirs."""


@dataclass(frozen=True)
class ProgramOrder:
    """One repair for the program."""

    node: Any
    """vtkMRMLSegmentationNode"""
    ct: Any
    """vtkMRMLScalarVolumeNode on which it was made."""
    rule: str
    """Of the flag; empty where none asks for it."""
    kind: str
    """One of Repair.ALL that changes voxels."""
    segment_id: str
    other_id: str
    """The segment, there or not, that gets a piece; empty: none."""
    place_ras_mm: tuple[float, float, float] | None
    """In the segmentation's own space."""

    @property
    def makes_other(self) -> bool:
        return bool(self.other_id) and self.node.GetSegmentation().GetSegment(self.other_id) is None

    @property
    def sends_voxels(self) -> bool:
        """Whether the CT's own voxels are needed."""
        return self.kind == Repair.BRIDGE_GAP

    @property
    def segment_ids(self) -> tuple[str, ...]:
        """What is handed over."""
        if self.kind in _NEEDS_NEIGHBOURS:
            return all_segments(self.node)
        return tuple(each for each in (self.segment_id, self.other_id) if each and not self._is_missing(each))

    def arguments(self) -> list[str]:
        """Of the command ``repair``, without its folders."""
        words = [self.kind, "--segment", self.segment_id]
        if self.other_id:
            words += ["--other", self.other_id, *(["--new"] if self.makes_other else [])]
        if self.kind in _NEEDS_PLACE:
            place = (segmentation_to_ct(self.node, self.ct) @ [*self.place_ras_mm, 1.0])[:3]
            words.append("--place=" + ",".join(format(x, ".2f") for x in place))  # one word: it may begin with a minus
        if self.kind == Repair.REMOVE_ISLANDS:
            words += ["--smallest", format(_smallest_ml(self.node, self.segment_id), ".4f")]
        return words

    def _is_missing(self, segment_id: str) -> bool:
        return self.node.GetSegmentation().GetSegment(segment_id) is None


def program_order(node, flag: Flag) -> ProgramOrder | None:
    """None where the flag asks for nothing of the kind, or what it takes is not there."""
    kind = RULES[flag.rule].repair if flag.rule in RULES else Repair.NONE
    segmentation = node.GetSegmentation()
    if kind in (Repair.NONE, *Repair.BY_NAMES) or not can_be_mended(node, flag.structure):
        return None
    if kind in _NEEDS_PLACE and flag.place_ras_mm is None:
        return None
    if kind == Repair.REMOVE_ISLANDS and read_measures(segmentation.GetSegment(flag.structure)) is None:
        return None
    other = flag.others[0] if kind == Repair.MOVE_PIECE and flag.others else ""
    if other and segmentation.GetSegment(other) is None and other not in known_structures():
        return None
    return ProgramOrder(node, reference_volume(node), flag.rule, kind, flag.structure, other, flag.place_ras_mm)


def can_be_mended(node, segment_id: str) -> bool:
    """Whether the program can change the voxels of this segment of ``node`` (vtkMRMLSegmentationNode)."""
    segmentation, ct = node.GetSegmentation(), reference_volume(node)
    if segmentation.GetSegment(segment_id) is None or ct is None or ct.GetImageData() is None:
        return False
    return segmentation.GetSourceRepresentationName() == BINARY_LABELMAP


def _smallest_ml(node, segment_id: str) -> float:
    """From there on a piece is a part of the organ, and no island."""
    measures = read_measures(node.GetSegmentation().GetSegment(segment_id))
    return threshold("large_piece_share") * measures.volume_ml
