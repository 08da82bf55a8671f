"""Whether a structure was looked at: one definition for the review, the export and the files.

The state is in two tags of the segment, so that it is kept with the scene and in ``.seg.nrrd`` files: Slicer's own
status, which the user sets in the Segment Editor, and a tag of ours for what Slicer has no word for.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from TotalSegmentatorWire.tables.result_tags import PREFIX

SLICER_STATUS_TAG = "Segmentation.Status"
"""vtkSlicerSegmentationsModuleLogic::GetStatusTagName; absent counts as not started."""
REVIEW_STATE_TAG = PREFIX + "ReviewState"
APPROVED_TOGETHER_TAG = PREFIX + "ApprovedTogether"
""""1" on a structure that was approved with all others without remarks, and not looked at by itself."""
DRAWN_TAG = PREFIX + "Drawn"
""""1" on a structure that this program did not make and in which somebody had drawn before it was judged: the judgement
has taken the place of the status that said so."""
FLAGS_TAG = PREFIX + "Flags"
"""JSON list of the structure's flags, each as ``Flag.to_json`` gives it; "[]" where it was checked without a remark."""
REPAIRED = "repaired"
"""Key in a flag's JSON beside those of ``Flag.to_json``: true after a repair, while nothing was checked since."""
ABSENT_TAG = PREFIX + "AbsentStructures"
"""Of one segment: JSON, ``{"flags": [...], "states": {name: state}}`` of the structures without a segment."""
VOXEL_DIGEST_TAG = PREFIX + "VoxelDigest"
"""Of the voxels as the engine made them (TotalSegmentatorEngine.imaging.voxel_digest): other voxels are edited ones."""


class ReviewState(enum.Enum):
    """The values of our tag."""

    UNREVIEWED = "unreviewed"
    EDITED = "edited"
    APPROVED = "approved"
    NEEDS_ATTENTION = "needs-attention"
    REJECTED = "rejected"


_FROM_BEST_TO_WORST = (
    ReviewState.APPROVED,
    ReviewState.EDITED,
    ReviewState.UNREVIEWED,
    ReviewState.NEEDS_ATTENTION,
    ReviewState.REJECTED,
)
_NOT_STARTED, _IN_PROGRESS, _FLAGGED = "notstarted", "inprogress", "flagged"
_OF_SLICER = {
    _NOT_STARTED: ReviewState.UNREVIEWED,
    _IN_PROGRESS: ReviewState.EDITED,
    "completed": ReviewState.APPROVED,
    _FLAGGED: ReviewState.NEEDS_ATTENTION,
}
"""vtkSlicerSegmentationsModuleLogic::GetSegmentStatusAsMachineReadableString."""
_TO_SLICER = {state: status for status, state in _OF_SLICER.items()} | {ReviewState.REJECTED: _FLAGGED}


def review_state(tags: Mapping[str, str], is_edited: bool = False) -> ReviewState:
    """What the tags say. Without a state a structure is edited where its voxels changed, else unreviewed.

    Slicer's status comes first, because the user sees and sets it; painting turns "notstarted" into "inprogress". Where
    it is "flagged", our tag tells rejected structures apart; where it is absent, our tag says all. An unknown value, of
    a later version, counts as no state.
    """
    status, own = tags.get(SLICER_STATUS_TAG, ""), _own_state(tags)
    state = _OF_SLICER.get(status, own)
    if status == _FLAGGED and own is ReviewState.REJECTED:
        state = own
    return ReviewState.EDITED if is_edited and state is ReviewState.UNREVIEWED else state


def review_tags(state: ReviewState) -> dict[str, str]:
    """Both tags of a structure in this state."""
    return {REVIEW_STATE_TAG: state.value, SLICER_STATUS_TAG: _TO_SLICER[state]}


def is_drawn(tags: Mapping[str, str]) -> bool:
    """Whether somebody drew in a structure. Painting sets Slicer's status to "inprogress"; "completed" and "flagged"
    are set by the user, whoever made the structure."""
    return tags.get(SLICER_STATUS_TAG) == _IN_PROGRESS or bool(tags.get(DRAWN_TAG))


def _own_state(tags: Mapping[str, str]) -> ReviewState:
    try:
        return ReviewState(tags.get(REVIEW_STATE_TAG, ReviewState.UNREVIEWED.value))
    except ValueError:
        return ReviewState.UNREVIEWED


def worst(states: Iterable[ReviewState]) -> ReviewState:
    """The state of a union of structures: a rejected part spoils it, then one that needs attention, then one that
    nobody looked at."""
    return max(states, key=_FROM_BEST_TO_WORST.index)
