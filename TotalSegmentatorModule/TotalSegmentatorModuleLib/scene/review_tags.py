"""The tags of segments in the scene: what they say about the review, and what goes out with an export."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.result_tags import AGREEMENT_TAG, PREVIEW_TAG, provenance_tags
from TotalSegmentatorWire.tables.review_state import (
    ABSENT_TAG,
    APPROVED_TOGETHER_TAG,
    DRAWN_TAG,
    FLAGS_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    VOXEL_DIGEST_TAG,
    ReviewState,
    is_drawn,
    review_state,
    review_tags,
)

from TotalSegmentatorModuleLib.tags.segment_tags import read_tag

_TERMINOLOGY_TAG = "TerminologyEntry"
_ALGORITHM_TAGS = ("DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName")
EXPORTED_TAGS = (
    _TERMINOLOGY_TAG,
    *_ALGORITHM_TAGS,
    *provenance_tags("", "", "", JobOptions().to_json(), series_instance_uid="1", seconds=0.0, device="cpu"),
    AGREEMENT_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    APPROVED_TOGETHER_TAG,
    DRAWN_TAG,
    VOXEL_DIGEST_TAG,
    FLAGS_TAG,
    ABSENT_TAG,
    PREVIEW_TAG,
)
"""VTK's Python does not list the tags of a segment: these are asked for by name."""


def segment_tags(segment) -> dict[str, str]:
    """The tags of a vtkSegment that an export needs, as far as it has them."""
    return _tags(segment, *EXPORTED_TAGS)


def state_of(segment) -> ReviewState:
    """What the tags say. Whether the voxels were edited meanwhile only an export finds out."""
    return review_state(_tags(segment, REVIEW_STATE_TAG, SLICER_STATUS_TAG))


def set_state(segment, state: ReviewState) -> None:
    """Write the state of a vtkSegment, so that Slicer's segment list shows it, too; what it has already is not written
    again: each change of a tag clears the Segment Editor's redo. That somebody drew in a structure of another origin is
    remembered, where the state hides it."""
    tags = _tags(segment, SLICER_STATUS_TAG, DRAWN_TAG, VOXEL_DIGEST_TAG)
    if (
        is_drawn(tags)
        and not tags.get(DRAWN_TAG)
        and not tags.get(VOXEL_DIGEST_TAG)
        and state is not ReviewState.EDITED
    ):
        segment.SetTag(DRAWN_TAG, "1")
    for name, value in review_tags(state).items():
        if read_tag(segment, name) != value:
            segment.SetTag(name, value)


def _tags(segment, *names: str) -> dict[str, str]:
    """Those that a vtkSegment has."""
    return {name: value for name in names if (value := read_tag(segment, name))}


def is_approved_together(segment) -> bool:
    """Whether a vtkSegment was approved with others at once, and nobody has judged it by itself since."""
    return state_of(segment) is ReviewState.APPROVED and bool(read_tag(segment, APPROVED_TOGETHER_TAG))


def set_approved_together(segment, is_together: bool) -> None:
    """Remember in a vtkSegment how it was approved."""
    if is_together:
        segment.SetTag(APPROVED_TOGETHER_TAG, "1")
    elif read_tag(segment, APPROVED_TOGETHER_TAG):
        segment.RemoveTag(APPROVED_TOGETHER_TAG)


def digests_of(node, segment_ids: Collection[str]) -> dict[str, str]:
    """Segment ids to the digests of the voxels that the engine made; empty for what it did not make."""
    segmentation = node.GetSegmentation()
    return {each: read_tag(segmentation.GetSegment(each), VOXEL_DIGEST_TAG) for each in segment_ids}


def mark_unreviewed(segment, digest: str) -> None:
    """A fresh result; ``digest`` of its voxels may be empty where the engine reported none."""
    segment.SetTag(REVIEW_STATE_TAG, ReviewState.UNREVIEWED.value)
    if digest:
        segment.SetTag(VOXEL_DIGEST_TAG, digest)


def mark_edited(node, segment_ids: Collection[str], digests: Mapping[str, str]) -> None:
    """Segments of ``node`` (vtkMRMLSegmentationNode) whose voxels were found to be others; a judgement stays.

    ``digests`` are those of when that was looked at: a new result may have taken the segments' place meanwhile.
    """
    segmentation = node.GetSegmentation()
    for segment_id in segment_ids:
        segment = segmentation.GetSegment(segment_id)
        if segment is None or read_tag(segment, VOXEL_DIGEST_TAG) != digests.get(segment_id):
            continue
        if state_of(segment) is ReviewState.UNREVIEWED:
            set_state(segment, ReviewState.EDITED)
