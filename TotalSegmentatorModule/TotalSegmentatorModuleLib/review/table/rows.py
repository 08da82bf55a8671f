"""What the review lists: one row a structure, with what is known about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.published_scores import published_dice
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.review_rules import shown_name
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import Structure, known_structures

from TotalSegmentatorModuleLib.scene.review_tags import is_approved_together, state_of
from TotalSegmentatorModuleLib.tags.review_flags import ShownFlag, read_review
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag
from TotalSegmentatorModuleLib.tags.structure_measures import Measures, read_measures

_MODEL_TAG = PREFIX + "Model"


class Kind:
    """Under which heading a row stands: the worst level of its flags, or one of these."""

    CLEAR = "clear"
    """Checked, without a remark."""
    UNCHECKED = "unchecked"
    """Nobody looked for faults: drawn by hand, or of another program."""

    FROM_WORST = (*Level.FROM_WORST, UNCHECKED, CLEAR)


OPEN_STATES = (ReviewState.UNREVIEWED, ReviewState.EDITED, ReviewState.NEEDS_ATTENTION)
"""Of structures that still wait for a judgement."""


@dataclass(frozen=True)
class ReviewRow:
    key: str
    """Id of the segment; of a structure without one, its name."""
    order: int
    """Place in the segmentation."""
    has_segment: bool
    name: str
    tg263: str
    """Empty where the structure has none; with ``~`` where the scan cuts it."""
    group: str
    """One of structures.GROUPS; empty where the structure is not known."""
    colour: tuple[float, float, float] | None
    """0..1 per channel; None without a segment."""
    state: ReviewState
    is_together: bool
    """Whether it was approved with all others without remarks."""
    kind: str
    """One of Kind.FROM_WORST."""
    flags: tuple[ShownFlag, ...]
    """The worst first."""
    measures: Measures | None
    dice: float | None
    """Published mean Dice of the structure; None where the model's authors have published none."""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_cut(self) -> bool:
        """Whether the scan ends within it, so that its volume is that of a part."""
        return self.has_flag(Level.CUT)

    def has_flag(self, level: str) -> bool:
        return any(shown.flag.level == level for shown in self.flags)

    @property
    def volume_ml(self) -> float | None:
        return self.measures.volume_ml if self.measures is not None else None

    @property
    def mean_hu(self) -> float | None:
        return self.measures.mean_hu if self.measures is not None else None

    @property
    def worst_first(self) -> tuple[int, int, int]:
        """Sorts rows: by heading, then those with more remarks, then as in the segmentation."""
        of_kind = sum(shown.flag.level == self.kind for shown in self.flags)
        return Kind.FROM_WORST.index(self.kind), -of_kind, self.order


def rows_of(node) -> list[ReviewRow]:
    """The rows of a vtkMRMLSegmentationNode, the worst first; structures that it lacks have one if a flag says so."""
    review = read_review(node)
    segmentation = node.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    rows = []
    for order in range(count):
        segment_id = segmentation.GetNthSegmentID(order)
        flags = review.by_segment.get(segment_id)
        rows.append(_row_of_segment(segment_id, order, segmentation.GetSegment(segment_id), flags))
    for name, flags in review.absent.items():
        state = review.absent_states.get(name, ReviewState.UNREVIEWED)
        rows.append(_row_of_absent(name, count, flags, state))
    return sorted(rows, key=lambda row: row.worst_first)


def next_open(keys: Sequence[str], rows: Mapping[str, ReviewRow], current: str | None, step: int) -> str | None:
    """The next (``step`` 1) or previous (-1) structure of ``keys`` that waits for a judgement, beginning anew at the
    end; those that were put off come when no other is left. None where nothing waits but ``current`` itself."""
    if current in keys:
        place = keys.index(current)
        following = [*keys[place + 1 :], *keys[:place]]
    else:
        following = list(keys)
    waiting = [key for key in (following if step > 0 else reversed(following)) if rows[key].is_open]
    first = [key for key in waiting if rows[key].state is not ReviewState.NEEDS_ATTENTION]
    return next(iter(first or waiting), None)


def _row_of_segment(segment_id: str, order: int, segment, flags: tuple[ShownFlag, ...] | None) -> ReviewRow:
    structure = known_structures().get(segment_id)
    return ReviewRow(
        key=segment_id,
        order=order,
        has_segment=True,
        name=segment.GetName(),
        tg263=_tg263(structure, flags or ()),
        group=structure.group if structure is not None else "",
        colour=tuple(segment.GetColor()),
        state=state_of(segment),
        is_together=is_approved_together(segment),
        kind=Kind.UNCHECKED if flags is None else _worst_level(flags),
        flags=_sorted(flags or ()),
        measures=read_measures(segment),
        dice=published_dice(read_tag(segment, _MODEL_TAG)).get(segment_id),
    )


def _row_of_absent(name: str, order: int, flags: tuple[ShownFlag, ...], state: ReviewState) -> ReviewRow:
    structure = known_structures().get(name)
    return ReviewRow(
        key=name,
        order=order,
        has_segment=False,
        name=shown_name(name),
        tg263=_tg263(structure, ()),
        group=structure.group if structure is not None else "",
        colour=None,
        state=state,
        is_together=False,
        kind=_worst_level(flags),
        flags=_sorted(flags),
        measures=None,
        dice=None,
    )


def _worst_level(flags: Iterable[ShownFlag]) -> str:
    levels = {shown.flag.level for shown in flags}
    return next((level for level in Level.FROM_WORST if level in levels), Kind.CLEAR)


def _sorted(flags: Iterable[ShownFlag]) -> tuple[ShownFlag, ...]:
    return tuple(sorted(flags, key=lambda shown: Level.FROM_WORST.index(shown.flag.level)))


def _tg263(structure: Structure | None, flags: Iterable[ShownFlag]) -> str:
    if structure is None:
        return ""
    is_cut = any(shown.flag.level == Level.CUT for shown in flags)
    return structure.tg263_cut_name if is_cut and structure.tg263_cut_name else structure.tg263_name
