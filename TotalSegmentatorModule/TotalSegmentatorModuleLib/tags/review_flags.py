"""The flags of a result in the scene: written at its import, read by the review.

Each segment carries its own flags in a tag, so that they survive a ``.seg.nrrd`` file, where only tags do; "[]" says
that the structure was checked without a remark, an absent tag that nothing was checked. Flags of structures that the
result lacks have no segment: they stand in an attribute of the node, with the whole review, and in a tag of the first
segment, which is read where the attribute is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.review_rules import sentence_of
from TotalSegmentatorWire.tables.review_state import ABSENT_TAG, FLAGS_TAG, REPAIRED, ReviewState

from TotalSegmentatorModuleLib.tags.segment_tags import (
    read_json,
    read_json_tag,
    read_tag,
    write_json_attribute,
    write_json_tag,
)

_OF_COARSER_MODEL = ("second_opinion", "missing_but_seen")
"""Rules that compare with what a coarser model found."""
REVIEW_ATTRIBUTE = PREFIX + "Review"
"""Of the segmentation node: the whole review as the engine made it, and what became of the structures without a
segment: ``{"version": 1, "flags": [...], "absent": {"flags": [...], "states": {...}}}``."""


@dataclass(frozen=True)
class ShownFlag:
    """A flag, and the English sentence that the engine gave it."""

    flag: Flag
    sentence: str = ""
    """Used where this version does not know the rule."""
    is_repaired: bool = False
    """Whether the structure was repaired or edited on account of it, and nothing was checked since."""


@dataclass(frozen=True)
class NodeReview:
    """What the review of a segmentation node says."""

    by_segment: Mapping[str, tuple[ShownFlag, ...]]
    """Of every segment that was checked, by its id."""
    absent: Mapping[str, tuple[ShownFlag, ...]]
    """Of structures without a segment, by their names."""
    absent_states: Mapping[str, ReviewState]
    """Of those that somebody judged."""


def write_review(node, segments: Mapping[str, Any], review: Mapping[str, Any] | None) -> None:
    """Keep the ``review`` of a result (ResultHeader.review; None if it was not checked) in its segmentation node and
    in its vtkSegments, by their ids; before these are added to the node, so that nobody hears of each tag.

    Flags that cannot be read are left out: they must not keep a result from the user.
    """
    if not review:
        node.RemoveAttribute(REVIEW_ATTRIBUTE)
        return
    flags = [row for row in review.get("flags", ()) if _shown(row) is not None]
    for segment_id, segment in segments.items():
        write_json_tag(segment, FLAGS_TAG, [row for row in flags if row["structure"] == segment_id])
    absent = {"flags": [row for row in flags if row["structure"] not in segments], "states": {}}
    _write_absent(node, segments.values(), {**review, "flags": flags}, absent)


def read_review(node) -> NodeReview:
    """What ``write_review`` and ``set_absent_state`` wrote, as far as it is still there."""
    segmentation = node.GetSegmentation()
    by_segment = {}
    for index in range(segmentation.GetNumberOfSegments()):
        segment_id = segmentation.GetNthSegmentID(index)
        rows = read_json_tag(segmentation.GetSegment(segment_id), FLAGS_TAG)
        if isinstance(rows, list):
            by_segment[segment_id] = tuple(_readable(rows))
    content = _absent(node)
    absent: dict[str, tuple[ShownFlag, ...]] = {}
    for each in _readable(content.get("flags", ())):
        absent[each.flag.structure] = (*absent.get(each.flag.structure, ()), each)
    absent = {name: flags for name, flags in absent.items() if segmentation.GetSegment(name) is None}
    states = {name: state for name in absent if (state := _state(content.get("states", {}).get(name))) is not None}
    return NodeReview(by_segment, absent, states)


def checked_segments(node) -> list[str]:
    """Ids of the segments of ``node`` (vtkMRMLSegmentationNode) that were checked, with or without a remark."""
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    return [each for each in ids if read_tag(segmentation.GetSegment(each), FLAGS_TAG)]


def set_absent_state(node, structure: str, state: ReviewState) -> None:
    """Keep the judgement on a structure that has no segment to hold it."""
    content = _absent(node)
    _set_absent(node, {**content, "states": {**content.get("states", {}), structure: state.value}})


def mark_repaired(segment, rule: str) -> None:
    """The flags of ``rule`` in a vtkSegment are seen to."""
    rows = _rows(segment)
    if rows is not None:
        write_json_tag(segment, FLAGS_TAG, [{**row, REPAIRED: True} if row["rule"] == rule else row for row in rows])


def mark_changed(segment) -> None:
    """Somebody has drawn in a vtkSegment: what the check said may no longer be so, until it runs again."""
    rows = _rows(segment)
    if rows is not None:
        write_json_tag(segment, FLAGS_TAG, [{**row, REPAIRED: True} for row in rows])


def mark_second_opinion(segment, is_of_this_shape: bool) -> None:
    """Whether what a coarser model said, which is not asked again, was about the voxels that a vtkSegment has."""
    rows = _rows(segment)
    if rows is None:
        return
    after = [{**row, REPAIRED: not is_of_this_shape} if row["rule"] in _OF_COARSER_MODEL else row for row in rows]
    if any(now.get(REPAIRED) is not was.get(REPAIRED, False) for now, was in zip(after, rows, strict=True)):
        write_json_tag(segment, FLAGS_TAG, after)


def replace_flags(segment, flags: Iterable[Flag]) -> None:
    """What was found when a vtkSegment was checked again without a coarser model: ``flags`` of it take the place of all
    but those that only a coarser model can tell."""
    before = _rows(segment)
    after = _replaced(before or (), flags)
    if after != before:  # so that nobody hears of what stays as it is
        write_json_tag(segment, FLAGS_TAG, after)


def replace_absent_flags(node, flags: Iterable[Flag]) -> None:
    """The same for structures that have no segment in ``node`` (vtkMRMLSegmentationNode), if it was checked before."""
    content = _absent(node)
    if not content and read_json(node.GetAttribute(REVIEW_ATTRIBUTE)) is None:
        return
    rows = [row for row in content.get("flags", ()) if _shown(row) is not None]
    _set_absent(node, {**content, "flags": _replaced(rows, flags)})


def exchange_flags(segments: Mapping[str, Any], new_names: Mapping[str, str], rule: str) -> dict[str, list | None]:
    """The flags that segments have when their voxels go from one to another: each flag follows the voxels that it is
    about, with the names changed, except those of ``rule``, which said that the names are wrong: they stay, as
    repaired ones.

    ``segments``: vtkSegments by id, ``new_names``: ids to those of the segments that get their voxels. Returns the JSON
    lists by the new ids; None for what was not checked.
    """
    before = {segment_id: _rows(segment) for segment_id, segment in segments.items()}
    after: dict[str, list | None] = {}
    for old, new in new_names.items():
        stays = [] if new not in before else [row for row in before[new] or () if row["rule"] == rule]
        if old not in new_names.values():  # its segment goes: what was said about it goes on with the voxels
            stays += [row for row in before[old] or () if row["rule"] == rule]
        follows = [_renamed(row, new_names) for row in before[old] or () if row["rule"] != rule]
        after[new] = None if before[old] is None else [*({**row, REPAIRED: True} for row in stays), *follows]
    return after


def _renamed(row: Mapping[str, Any], new_names: Mapping[str, str]) -> dict[str, Any]:
    others = [new_names.get(name, name) for name in row["others"]]
    return {**row, "structure": new_names.get(row["structure"], row["structure"]), "others": others}


def _rows(segment) -> list[dict[str, Any]] | None:
    """The flags of a vtkSegment that can be read, as they stand in its tag; None where it was not checked."""
    rows = read_json_tag(segment, FLAGS_TAG)
    return [row for row in rows if _shown(row) is not None] if isinstance(rows, list) else None


def _replaced(rows: Iterable[Mapping[str, Any]], flags: Iterable[Flag]) -> list[Mapping[str, Any]]:
    stays = [row for row in rows if row["rule"] in _OF_COARSER_MODEL]
    return [*(flag.to_json(sentence_of(flag)) for flag in flags), *stays]


def _set_absent(node, absent: Mapping[str, Any]) -> None:
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
    _write_absent(node, segments, read_json(node.GetAttribute(REVIEW_ATTRIBUTE)) or {}, absent)


def _write_absent(node, segments: Iterable[Any], review: Mapping[str, Any], absent: Mapping[str, Any]) -> None:
    """Only the first of ``segments`` (vtkSegment) holds it then: the review sheet and files believe every tag. Written
    only where it differs, so that nobody hears of what stays as it is."""
    content = {**review, "absent": absent}
    if read_json(node.GetAttribute(REVIEW_ATTRIBUTE)) != content:
        write_json_attribute(node, REVIEW_ATTRIBUTE, content)
    holds = bool(absent.get("flags") or absent.get("states"))
    for place, segment in enumerate(segments):
        text = read_tag(segment, ABSENT_TAG)
        if place == 0 and holds:
            if read_json(text) != absent:
                write_json_tag(segment, ABSENT_TAG, absent)
        elif text:
            segment.RemoveTag(ABSENT_TAG)


def _absent(node) -> Mapping[str, Any]:
    review = read_json(node.GetAttribute(REVIEW_ATTRIBUTE))
    if isinstance(review, dict) and isinstance(review.get("absent"), dict):
        return review["absent"]
    segmentation = node.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):  # the order of segments may have been changed
        segment = segmentation.GetNthSegment(index)
        content = read_json_tag(segment, ABSENT_TAG) if read_tag(segment, ABSENT_TAG) else None
        if isinstance(content, dict):
            return content
    return {}


def _readable(rows: Any) -> Iterator[ShownFlag]:
    for row in rows:
        shown = _shown(row)
        if shown is not None:
            yield shown


def _shown(row: Any) -> ShownFlag | None:
    try:
        return ShownFlag(Flag.from_json(row), str(row.get("sentence", "")), row.get(REPAIRED) is True)
    except (SegmentationError, AttributeError):
        logging.warning("A flag of the review cannot be read and is left out")
        return None


def _state(value: Any) -> ReviewState | None:
    try:
        return ReviewState(value)
    except ValueError:
        return None
