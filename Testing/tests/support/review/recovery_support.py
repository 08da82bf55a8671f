"""A review with all kinds of decisions and edits, and everything of it that a crash must not take."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import slicer
from panel_support import PanelUser
from review_support import ReviewUser
from TotalSegmentatorModuleLib.recovery.saved_review import SavedReview, read_review_file
from TotalSegmentatorModuleLib.scene.computed_structures import computed_text, keep_computed
from TotalSegmentatorModuleLib.tags.review_flags import ABSENT_TAG, FLAGS_TAG, REVIEW_ATTRIBUTE
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag
from TotalSegmentatorModuleLib.tags.structure_measures import MEASURES_TAG
from TotalSegmentatorWire.job_folder import reviews_folder
from TotalSegmentatorWire.messages.computed import ComputedStructure, ComputedStructures, computed_to_json
from TotalSegmentatorWire.tables.review_state import (
    APPROVED_TOGETHER_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    ReviewState,
)

TAGS = (
    FLAGS_TAG,
    MEASURES_TAG,
    ABSENT_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    APPROVED_TOGETHER_TAG,
    "TerminologyEntry",
    "TotalSegmentatorModule.Model",
)
TUMOUR = "tumour"


def use_work_folder(folder: Path) -> None:
    """Several Slicers share it; before the panel is opened."""
    from TotalSegmentatorModuleLib import settings

    settings.set_text("WorkFolder", str(folder))


def edited_review(user: PanelUser) -> ReviewUser:
    """A result of six structures in which one is rejected, a missing one approved and one edited, and a segment of the
    user's own lies over others."""
    reviewer = ReviewUser(user)
    node = reviewer.add_result()
    packed = ComputedStructure.packed([0, 0, 0], [2, 2, 2], b"\x81")
    matrix = np.eye(4).ravel().tolist()
    keep_computed(node, computed_to_json(ComputedStructures([24, 28, 32], matrix, {"spleen": packed})))
    reviewer.click_row("kidney right")
    reviewer.press("R")
    reviewer.click_row("missing: aorta")
    reviewer.press("A")
    draw(reviewer, "gallbladder")
    reviewer.set_state("gallbladder", ReviewState.EDITED)
    node.GetSegmentation().AddEmptySegment(TUMOUR, TUMOUR, (1.0, 0.0, 0.0))
    draw(reviewer, TUMOUR)
    reviewer.settle()
    return reviewer


def draw(reviewer: ReviewUser, segment_id: str, first: int = 3) -> None:
    """A block from slice ``first`` on, whatever is there already."""
    mask = np.zeros((24, 28, 32), np.uint8)
    mask[first : first + 9, 4:20, 5:25] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, reviewer.node, segment_id, reviewer.ct)


def everything(node, ct) -> dict:
    """Of a segmentation that somebody reviews, such that JSON can hold it."""
    segmentation = node.GetSegmentation()
    segments = []
    for segment_id in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segment_id)
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct)
        segments.append(
            {
                "id": segment_id,
                "name": segment.GetName(),
                "colour": [round(channel, 6) for channel in segment.GetColor()],
                "tags": [read_tag(segment, tag) for tag in TAGS],
                "voxels": int(np.count_nonzero(voxels)),
                "digest": hashlib.sha256(np.packbits(voxels != 0).tobytes()).hexdigest(),
            }
        )
    return {"segments": segments, "review": node.GetAttribute(REVIEW_ATTRIBUTE), "computed": computed_text(node)}


def saved_folders(work_folder: Path) -> list[Path]:
    parent = reviews_folder(work_folder)
    return [folder for folder in parent.iterdir() if (folder / "review.json").is_file()] if parent.is_dir() else []


def saved_review(work_folder: Path) -> SavedReview | None:
    """The only one; None where there is none yet."""
    folders = saved_folders(work_folder)
    return read_review_file(folders[0]) if len(folders) == 1 else None


def is_saved(work_folder: Path, reviewer: ReviewUser) -> bool:
    """Whether what is saved is what the scene holds: names and states, and as many label images."""
    review, segmentation = saved_review(work_folder), reviewer.node.GetSegmentation()
    if review is None:
        return False
    saved = [(each.id, each.tags.get(REVIEW_STATE_TAG, "")) for each in review.segments]
    present = [
        (each, read_tag(segmentation.GetSegment(each), REVIEW_STATE_TAG)) for each in segmentation.GetSegmentIDs()
    ]
    return saved == present and len(review.layers) == segmentation.GetNumberOfLayers()
