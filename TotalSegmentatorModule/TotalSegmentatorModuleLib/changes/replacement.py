"""Structures that were computed again take the place of those that a segmentation has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from TotalSegmentatorWire.tables.review_state import (
    APPROVED_TOGETHER_TAG,
    DRAWN_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    ReviewState,
)

from TotalSegmentatorModuleLib.changes.segment_contents import Contents, next_in_table, remove_segment
from TotalSegmentatorModuleLib.scene.computed_structures import computed_text, keep_computed, with_computed
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import EXPORTED_TAGS, set_state, state_of
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.tags.review_flags import ABSENT_TAG
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag, write_tag
from TotalSegmentatorModuleLib.tags.structure_measures import MEASURES_TAG

OnBare = Callable[[Any, Sequence[str]], None]
"""Gets a vtkMRMLSegmentationNode, and the ids of its segments that have lost their surfaces; nobody has heard of it
yet."""
_OF_STATE = (REVIEW_STATE_TAG, SLICER_STATUS_TAG, APPROVED_TOGETHER_TAG, DRAWN_TAG)
_TERMINOLOGY = "TerminologyEntry"
_STAYS = (*_OF_STATE, _TERMINOLOGY, ABSENT_TAG)
_OF_RESULT = (*(name for name in EXPORTED_TAGS if name not in _STAYS), MEASURES_TAG)


class Replacement:
    """Done when it is made; fulfils history.Action. A segment keeps its name, colour and terminology; it is unreviewed
    then. The former voxels and surfaces are kept as they are, in the image that they shared, for as long as this is."""

    def __init__(self, node, segments: Mapping[str, Any], computed: str, on_bare: OnBare) -> None:
        """``segments``: new vtkSegments by the ids of those of ``node`` (vtkMRMLSegmentationNode) that they replace;
        those that it lacks are added. ``computed``: their voxels as ``computed_to_json`` packs them."""
        segmentation = node.GetSegmentation()
        self.node_id: str = node.GetID()
        self.segment_ids = tuple(segments)
        self._on_bare = on_bare
        there = {each: segment for each in segments if (segment := segmentation.GetSegment(each)) is not None}
        self._before = {each: Contents.of(segment) for each, segment in there.items()}
        self._tags = {each: _read(segment, (*_OF_RESULT, *_OF_STATE)) for each, segment in there.items()}
        self._image = {each: new.GetRepresentation(BINARY_LABELMAP) for each, new in segments.items()}
        self._computed = computed_text(node)
        bare: list[str] = []
        with told_once(node):
            for segment_id, new in segments.items():
                old = there.get(segment_id)
                if old is None:
                    segmentation.AddSegment(new, segment_id, next_in_table(segmentation, segment_id))
                    continue
                image = self._image[segment_id]
                if _loses_surface(old, Contents({BINARY_LABELMAP: image}, new.GetLabelValue())):
                    bare.append(segment_id)
                _write(old, _read(new, _OF_RESULT))
                _write(old, dict.fromkeys(_OF_STATE, ""))
                set_state(old, ReviewState.UNREVIEWED)
            keep_computed(node, with_computed(self._computed, computed, self.segment_ids))
            if bare:
                on_bare(node, bare)

    def undo(self, node) -> str | None:
        """What somebody has drawn in since, or given other voxels, stays; so does a state that was given since."""
        segmentation = node.GetSegmentation()
        undone = [each for each in self.segment_ids if self._is_as_left(segmentation.GetSegment(each), each)]
        bare: list[str] = []
        with told_once(node):
            for segment_id in undone:
                segment = segmentation.GetSegment(segment_id)
                if segment_id not in self._before:
                    remove_segment(segmentation, segment_id)
                    continue
                is_unjudged = state_of(segment) is ReviewState.UNREVIEWED
                if _loses_surface(segment, self._before[segment_id]):
                    bare.append(segment_id)
                kept = self._tags[segment_id]
                _write(segment, {name: kept[name] for name in (*_OF_RESULT, *(_OF_STATE if is_unjudged else ()))})
            if undone:
                keep_computed(node, with_computed(computed_text(node), self._computed, undone))
            if bare:
                self._on_bare(node, bare)
        if not undone:
            return None
        return next((each for each in undone if each in self._before), "")

    def _is_as_left(self, segment, segment_id: str) -> bool:
        if segment is None or state_of(segment) is ReviewState.EDITED:
            return False
        return segment.GetRepresentation(BINARY_LABELMAP) is self._image[segment_id]


def _loses_surface(segment, contents: Contents) -> bool:
    """Give a vtkSegment these contents; whether it had something beside its voxels that it has no more."""
    former = Contents.of(segment).representations
    contents.give_to(segment)
    return not former.keys() <= contents.representations.keys()


def _read(segment, names) -> dict[str, str]:
    return {name: read_tag(segment, name) for name in names}


def _write(segment, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        write_tag(segment, name, value)
