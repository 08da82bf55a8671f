"""What became of a structure while it was edited elsewhere, and of others that were drawn in meanwhile."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import slicer
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG, ReviewState

from TotalSegmentatorModuleLib.changes.kept_tags import KeptTags
from TotalSegmentatorModuleLib.changes.voxel_change import is_still
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.review_tags import set_approved_together, set_state, state_of
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, ImageVoxels, SegmentVoxels, voxel_stamp
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tags.review_flags import mark_changed
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag


class BeforeEditing:
    """A segmentation as it was when the editing of one of its segments began: in the editor any other can be chosen and
    drawn in, too. Holds a copy of each image that segments share."""

    def __init__(self, node, segment_id: str) -> None:
        """``node``: vtkMRMLSegmentationNode."""
        self.node, self._segment_id = node, segment_id
        self._images: dict[object, ImageVoxels] = {}
        self._before = {each: self._looks(each) for each in all_segments(node)}
        for before in self._before.values():
            if before.image is not None and before.image not in self._images:
                self._images[before.image] = ImageVoxels.of(before.image).copy()
        self._differing: dict[tuple[object, object], set[int] | None] = {}

    def change(self) -> EditChange | None:
        """What was done since: also to other segments, which then have to be reviewed again as the edited one has. None
        where no voxel is another one, and where a new result has taken the segments' place. A segment that was a
        surface is not looked at: the Segment Editor itself marks it as edited."""
        if not slicer.mrmlScene.IsNodePresent(self.node):
            return None
        changed = {}
        for segment_id in (self._segment_id, *(each for each in self._before if each != self._segment_id)):
            before = self._before[segment_id]
            change = self._changed(segment_id, before) if before.image is not None else None
            if change is not None:
                changed[segment_id] = change
        self._images = {}
        return EditChange(self.node.GetID(), changed) if changed else None

    def _changed(self, segment_id: str, before: _Looks) -> _Changed | None:
        segment = self.node.GetSegmentation().GetSegment(segment_id)
        if segment is None or segment.GetRepresentation(BINARY_LABELMAP) is None:
            return None
        now = self._looks(segment_id)
        if now.digest != before.digest or now.stamp == before.stamp or not self._may_differ(before, now):
            return None
        voxels, after = self._images[before.image].of_label(before.label), SegmentVoxels.of(segment)
        if voxels.is_same(after):
            return None
        if now.state is before.state:  # else the user has judged it where it was edited, or the editor has marked it
            set_state(segment, ReviewState.EDITED)
            set_approved_together(segment, False)
        mark_changed(segment)
        return _Changed(voxels, before.tags, after, state_of(segment))

    def _may_differ(self, before: _Looks, now: _Looks) -> bool:
        """Without a look at the segment's own voxels: most segments lie in the one image in which something was drawn,
        and have not changed."""
        images = before.image, now.image
        if images not in self._differing:
            self._differing[images] = self._images[before.image].labels_that_differ(ImageVoxels.of(now.image))
        differing = self._differing[images]
        return differing is None or before.label != now.label or now.label in differing

    def _looks(self, segment_id: str) -> _Looks:
        segment = self.node.GetSegmentation().GetSegment(segment_id)
        return _Looks(
            image=segment.GetRepresentation(BINARY_LABELMAP),
            label=segment.GetLabelValue(),
            stamp=voxel_stamp(segment),
            digest=read_tag(segment, VOXEL_DIGEST_TAG),
            state=state_of(segment),
            tags=KeptTags(segment),
        )


class _Looks(NamedTuple):
    """A segment without its voxels."""

    image: object
    """The vtkOrientedImageData in which they lie; None for a surface."""
    label: int
    """Their value there."""
    stamp: Hashable
    digest: str
    state: ReviewState
    tags: KeptTags


@dataclass(frozen=True, eq=False)
class _Changed:
    """One segment before and after."""

    before: SegmentVoxels
    tags: KeptTags
    after: SegmentVoxels
    left: ReviewState
    """The state with which the user came back."""


class EditChange:
    """Fulfils history.Action: all that was drawn in one go is taken back in one go."""

    def __init__(self, node_id: str, changed: Mapping[str, _Changed]) -> None:
        """``changed``: by the segments' ids; the one for which the editor was opened first, if it is among them."""
        self.node_id = node_id
        self._changed = changed
        self.segment_ids = tuple(changed)
        self.key = self.segment_ids[0]

    def undo(self, node) -> str | None:
        """A segment in which somebody has drawn since stays as it is; so does a state that was given since."""
        segmentation = node.GetSegmentation()
        undone = {
            each: change
            for each, change in self._changed.items()
            if is_still(segmentation.GetSegment(each), change.after)
        }
        with told_once(node):
            for segment_id, change in undone.items():
                change.before.write_to(node, segment_id)
                change.tags.write_back(segmentation.GetSegment(segment_id), change.left)
        return next(iter(undone), None)
