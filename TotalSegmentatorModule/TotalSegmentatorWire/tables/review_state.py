"""Whether a structure was looked at: one definition for the review, the export and the files.

The state is a tag of the segment, so that it is kept with the scene and in ``.seg.nrrd`` files.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from TotalSegmentatorWire.tables.result_tags import PREFIX

REVIEW_STATE_TAG = PREFIX + "ReviewState"
VOXEL_DIGEST_TAG = PREFIX + "VoxelDigest"
"""Of the voxels as the engine made them (TotalSegmentatorEngine.imaging.voxel_digest): other voxels are edited ones."""


class ReviewState(enum.Enum):
    """The values of the tag."""

    UNREVIEWED = "unreviewed"
    EDITED = "edited"
    APPROVED = "approved"
    REJECTED = "rejected"


_FROM_BEST_TO_WORST = (ReviewState.APPROVED, ReviewState.EDITED, ReviewState.UNREVIEWED, ReviewState.REJECTED)


def review_state(tags: Mapping[str, str], is_edited: bool = False) -> ReviewState:
    """What the tags say. Without a state a structure is edited where its voxels changed, else unreviewed.

    An unknown value, of a later version, counts as no review state.
    """
    try:
        state = ReviewState(tags.get(REVIEW_STATE_TAG, ReviewState.UNREVIEWED.value))
    except ValueError:
        state = ReviewState.UNREVIEWED
    return ReviewState.EDITED if is_edited and state is ReviewState.UNREVIEWED else state


def worst(states: Iterable[ReviewState]) -> ReviewState:
    """The state of a union of structures: a rejected part spoils it, then one that nobody looked at."""
    return max(states, key=_FROM_BEST_TO_WORST.index)
