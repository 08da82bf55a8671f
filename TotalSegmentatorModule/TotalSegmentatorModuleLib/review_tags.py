"""The tags of segments in the scene: what they say about the review, and what goes out with an export."""

from __future__ import annotations

from collections.abc import Collection

import vtk
from TotalSegmentatorWire.options import JobOptions
from TotalSegmentatorWire.result_tags import provenance_tags
from TotalSegmentatorWire.review_state import REVIEW_STATE_TAG, VOXEL_DIGEST_TAG, ReviewState, review_state

_TERMINOLOGY_TAG = "TerminologyEntry"
_ALGORITHM_TAGS = ("DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName")
_EXPORTED_TAGS = (
    _TERMINOLOGY_TAG,
    *_ALGORITHM_TAGS,
    *provenance_tags("", "", "", JobOptions().to_json(), series_instance_uid="1"),
    REVIEW_STATE_TAG,
    VOXEL_DIGEST_TAG,
)
"""VTK's Python does not list the tags of a segment: these are asked for by name."""


def segment_tags(segment) -> dict[str, str]:
    """The tags of a vtkSegment that an export needs, as far as it has them."""
    tags = {}
    for name in _EXPORTED_TAGS:
        value = vtk.reference("")
        if segment.GetTag(name, value):
            tags[name] = str(value)
    return tags


def state_of(segment) -> ReviewState:
    """What the tags say. Whether the voxels were edited meanwhile only an export finds out."""
    value = vtk.reference("")
    return review_state({REVIEW_STATE_TAG: str(value)} if segment.GetTag(REVIEW_STATE_TAG, value) else {})


def mark_unreviewed(segment, digest: str) -> None:
    """A fresh result; ``digest`` of its voxels may be empty where the engine told none."""
    segment.SetTag(REVIEW_STATE_TAG, ReviewState.UNREVIEWED.value)
    if digest:
        segment.SetTag(VOXEL_DIGEST_TAG, digest)


def mark_edited(node, segment_ids: Collection[str]) -> None:
    """Segments of ``node`` (vtkMRMLSegmentationNode) whose voxels were found to be others; a judgement stays."""
    segmentation = node.GetSegmentation()
    for segment_id in segment_ids:
        segment = segmentation.GetSegment(segment_id)  # may have been removed meanwhile
        if segment is not None and state_of(segment) is ReviewState.UNREVIEWED:
            segment.SetTag(REVIEW_STATE_TAG, ReviewState.EDITED.value)
