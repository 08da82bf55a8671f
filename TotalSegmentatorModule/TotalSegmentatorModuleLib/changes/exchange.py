"""A repair of names: segments get each other's voxels at once, and give them back when it is undone."""

from __future__ import annotations

from collections.abc import Mapping

from TotalSegmentatorWire.tables.review_state import ABSENT_TAG, FLAGS_TAG, ReviewState

from TotalSegmentatorModuleLib.changes.kept_tags import KeptTags
from TotalSegmentatorModuleLib.changes.segment_contents import exchange, keep_absent, make_segment, restore_order
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tags.review_flags import exchange_flags
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag, write_json_tag
from TotalSegmentatorModuleLib.tags.structure_measures import MEASURES_TAG


class Exchange:
    """Done when it is made; fulfils history.Action. Voxels, surfaces, measurements and remarks go with each other;
    name, colour, terminology and how the segment came about stay."""

    def __init__(self, node, moves: Mapping[str, str], rule: str) -> None:
        """``moves``: what ``new_names`` gives for ``node`` (vtkMRMLSegmentationNode); ``rule``: of the flag."""
        segmentation = node.GetSegmentation()
        self.node_id: str = node.GetID()
        self._moves = dict(moves)
        segments = {each: segmentation.GetSegment(each) for each in {*moves, *moves.values()}}
        there = {each: segment for each, segment in segments.items() if segment is not None}
        self._kept = {each: KeptTags(segment) for each, segment in there.items()}
        self._places = all_segments(node)
        flags = exchange_flags(there, moves, rule)
        measures = {new: read_tag(there[old], MEASURES_TAG) for old, new in moves.items()}
        made = {new: make_segment(new, there[old]) for old, new in moves.items() if new not in there}
        with told_once(node):
            for new in moves.values():
                _mark(there.get(new) or made[new], flags[new], measures[new])
            self._removed = exchange(node, moves, made)
            self._absent_holder = keep_absent(segmentation, self._removed)
        self.segment_ids = tuple(moves.values())
        """Of what has changed."""
        self.key = self.segment_ids[0]
        """Of the row to go to: what the first segment is now."""

    def undo(self, node) -> str | None:
        """What was drawn since goes back with the rest; a state that was given since stays."""
        segmentation = node.GetSegmentation()
        back = {new: old for old, new in self._moves.items()}
        if any(segmentation.GetSegment(new) is None for new in back):
            return None  # somebody has removed a segment
        if any(segmentation.GetSegment(old) is not None for old in self._removed):
            return None  # or made one of that name
        with told_once(node):
            exchange(node, back, self._removed)
            for segment_id, kept in self._kept.items():
                kept.write_back(segmentation.GetSegment(segment_id), ReviewState.EDITED)
            if self._absent_holder and segmentation.GetSegment(self._absent_holder) is not None:
                segmentation.GetSegment(self._absent_holder).RemoveTag(ABSENT_TAG)
            restore_order(segmentation, self._places)
        return next(iter(self._moves))


def _mark(segment, flags: list | None, measures: str) -> None:
    for tag in (FLAGS_TAG, MEASURES_TAG):
        if read_tag(segment, tag):
            segment.RemoveTag(tag)
    if flags is not None:
        write_json_tag(segment, FLAGS_TAG, flags)
    if measures:
        segment.SetTag(MEASURES_TAG, measures)
    set_state(segment, ReviewState.EDITED)
    set_approved_together(segment, False)
