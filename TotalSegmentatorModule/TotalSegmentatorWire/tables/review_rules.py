"""The rules of the review: what each says, and which repair fits it.

The table holds the only copy of each sentence, as the tables of errors do (``TotalSegmentatorWire.errors.definition``).
A sentence may hold ``{structure}``, ``{others}`` and the names in a flag's ``numbers``; those that a flag formats as
texts (rounded, with a unit) are texts there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.definition import translatable as _
from TotalSegmentatorWire.messages.review import Flag, review_object, review_to_json


class Repair:
    """What can mend a flagged structure; each shows a preview first."""

    NONE = ""
    LARGEST_PIECE = "largest_piece"
    REMOVE_ISLANDS = "remove_islands"
    FILL_HOLES = "fill_holes"
    BRIDGE_GAP = "bridge_gap"
    SWAP = "swap"
    RENUMBER = "renumber"
    MOVE_PIECE = "move_piece"

    MERGE_INTO = "merge_into"

    ALL = (LARGEST_PIECE, REMOVE_ISLANDS, FILL_HOLES, BRIDGE_GAP, SWAP, RENUMBER, MOVE_PIECE, MERGE_INTO)
    BY_NAMES = (SWAP, RENUMBER)
    """These change what segments are called, and no voxels."""


@dataclass(frozen=True)
class ReviewRule:
    id: str
    sentence: str
    repair: str
    """One of Repair.ALL, or NONE."""
    source_file: str
    """From which ``slicer.i18n.getContext`` makes the translation context."""

    def text(self, flag: Flag) -> str:
        """The English sentence of a flag of this rule."""
        return self.sentence.format(
            structure=shown_name(flag.structure), others=shown_names(flag.others), **flag.numbers
        )


def shown_name(name: str) -> str:
    """As a clinician reads it: "vertebrae_T8" becomes "vertebrae T8"."""
    return name.replace("_", " ")


def shown_names(names: tuple[str, ...]) -> str:
    return ", ".join(shown_name(name) for name in names)


def sentence_of(flag: Flag) -> str:
    """Raises KeyError for a rule that the table does not hold."""
    return RULES[flag.rule].text(flag)


def flags_to_object(flags: Iterable[Flag]) -> dict[str, Any]:
    """The flags with their English sentences, as they stand in a result's header."""
    return review_object(flag.to_json(sentence_of(flag)) for flag in flags)


def flags_to_json(flags: Iterable[Flag]) -> str:
    """What the command ``review --json`` prints: the flags with their English sentences."""
    return review_to_json(flag.to_json(sentence_of(flag)) for flag in flags)


def _table(*rows: tuple[str, str, str]) -> dict[str, ReviewRule]:
    return {rule: ReviewRule(rule, sentence, repair, __file__) for rule, repair, sentence in rows}


RULES: dict[str, ReviewRule] = _table(
    (
        "cut_by_scan",
        Repair.NONE,
        _("The scan ends within {structure} ({sides})."),
    ),
    (
        "second_opinion",
        Repair.NONE,
        _("A coarser model finds another shape of {structure}: {volume_ml} ml lie more than {distance_mm} mm apart."),
    ),
    (
        "mirrored_left_right",
        Repair.NONE,
        _(
            "The CT may be mirrored: left and right of what was found do not fit its axes ({wrong} of {checked} "
            "comparisons, for example {structure} and {others})."
        ),
    ),
    (
        "mirrored_front_back",
        Repair.NONE,
        _(
            "The CT may be mirrored or turned over: front and back of what was found do not fit its axes ({wrong} of "
            "{checked} comparisons, for example {structure} and {others})."
        ),
    ),
    (
        "upside_down",
        Repair.NONE,
        _(
            "The CT may be mirrored or upside down: head and feet of what was found do not fit its axes ({wrong} of "
            "{checked} comparisons, for example {structure} and {others})."
        ),
    ),
    (
        "turned",
        Repair.NONE,
        _(
            "The CT may be mirrored, upside down or turned: what was found does not fit its axes in several "
            "directions ({wrong} of {checked} comparisons, for example {structure} and {others})."
        ),
    ),
    (
        "wrong_side",
        Repair.SWAP,
        _("{structure} lies on the wrong side of the body, {distance_mm} mm beyond the middle."),
    ),
    (
        "misplaced",
        Repair.NONE,
        _(
            "{structure} lies where it cannot be: {wrong} of {checked} comparisons with other structures contradict "
            "it, for example with {others}."
        ),
    ),
    (
        "missing_between",
        Repair.NONE,
        _("{structure} was not found, though its neighbours were: {others}."),
    ),
    (
        "missing_partner",
        Repair.NONE,
        _("{structure} was not found, though {others} was."),
    ),
    (
        "missing_but_seen",
        Repair.NONE,
        _("{structure} was not found, though a coarser model found {volume_ml} ml of it."),
    ),
    (
        "islands",
        Repair.REMOVE_ISLANDS,
        _("{structure} has stray pieces: {pieces} in all where at most {expected} is usual; they hold {volume_ml} ml."),
    ),
    (
        "divided",
        Repair.MOVE_PIECE,
        _("{structure} is in {pieces} large parts where at most {expected} is usual."),
    ),
    (
        "tube_gap",
        Repair.BRIDGE_GAP,
        _("{structure} has a gap of {gap_mm} mm; the part beyond it holds {volume_ml} ml."),
    ),
    # voxels and volumes
    (
        "holes",
        Repair.FILL_HOLES,
        _("{structure} has {volume_ml} ml of holes."),
    ),
    (
        "volume",
        Repair.NONE,
        _("{structure} has an unusual volume: {volume_ml} ml; usual: {usual_ml} ml."),
    ),
    (
        "asymmetry",
        Repair.NONE,
        _("{structure} ({volume_ml} ml) is much smaller than {others} ({other_ml} ml)."),
    ),
    (
        "lung_share",
        Repair.NONE,
        _("{structure} has an unusual share of both lungs: {share} %; usual: {usual} %."),
    ),
    (
        "mean_hu",
        Repair.NONE,
        _("{structure} has a mean of {mean_hu} HU; its tissue has {usual_hu} HU."),
    ),
    (
        "metal",
        Repair.NONE,
        _("Metal lies beside {structure}: {share} % of it is less than {distance_mm} mm away."),
    ),
    # vertebrae
    (
        "vertebrae_swapped",
        Repair.SWAP,
        _("{structure} lies below {others}: the two seem to be swapped."),
    ),
    (
        "vertebra_out_of_order",
        Repair.NONE,
        _("{structure} lies out of order, beside {others}."),
    ),
    (
        "vertebra_double",
        Repair.MOVE_PIECE,
        _("Two bones are named {structure}; this one, of {volume_ml} ml, lies where {others} belongs."),
    ),
    (
        "vertebra_double_unplaced",
        Repair.NONE,
        _("Two bones are named {structure}; this one, of {volume_ml} ml, does not fit there."),
    ),
    (
        "vertebra_spans_two",
        Repair.NONE,
        _("{structure} seems to span two vertebrae: {ratio} times the volume of those beside it, and the room of two."),
    ),
    (
        "vertebra_piece",
        Repair.MOVE_PIECE,
        _("A part of {volume_ml} ml named {structure} lies at {others}, apart from the rest."),
    ),
    (
        "vertebra_skipped",
        Repair.NONE,
        _("The numbering leaves {structure} out: {others} are neighbours."),
    ),
    (
        "vertebra_gap",
        Repair.NONE,
        _("Between {structure} and {others} there is room for another vertebra."),
    ),
    (
        "vertebra_spacing",
        Repair.NONE,
        _("{structure} lies oddly far from or near to {others}: {ratio} times the usual distance there."),
    ),
    (
        "vertebra_volume",
        Repair.NONE,
        _("{structure} has an odd volume: {ratio} times what the vertebrae beside it let expect."),
    ),
    # numbering
    (
        "numbering_shifted",
        Repair.RENUMBER,
        _(
            "Renumber {first} to {last} as {new_first} to {new_last}? {pairs_agreeing} of {pairs_used} pairs of ribs "
            "lie at the vertebra with the next number. Look first: the ribs may be the misnumbered ones."
        ),
    ),
    (
        "vertebrae_or_ribs_misnumbered",
        Repair.NONE,
        _(
            "Numbering uncertain: {pairs_agreeing} of {pairs_used} pairs of ribs do not fit to {first} to {last}, and "
            "either may be misnumbered. About 8 of 100 people have another number of vertebrae, and as many another "
            "number of ribs."
        ),
    ),
    (
        "numbering_uncertain",
        Repair.NONE,
        _(
            "Numbering uncertain: {structure} is left out, and {others} are neighbours. About 8 of 100 people have "
            "another number of vertebrae."
        ),
    ),
    (
        "lumbar_vertebra_more",
        Repair.NONE,
        _(
            "Numbering uncertain: between {vertebra} and the sacrum there is room for a further vertebra, such as L6. "
            "About 4 of 100 people have one more."
        ),
    ),
    (
        "lumbar_vertebra_sixth",
        Repair.MOVE_PIECE,
        _(
            "Numbering uncertain: two vertebrae are named {structure}, and no name is left out. About 4 of 100 people "
            "have one more: it may be {others}."
        ),
    ),
    (
        "lumbar_vertebra_double",
        Repair.NONE,
        _(
            "Numbering uncertain: two vertebrae are named {structure}, and no name is left out. About 4 of 100 people "
            "have one more, often called L6."
        ),
    ),
    (
        "lumbar_vertebra_less",
        Repair.NONE,
        _(
            "Numbering uncertain: {vertebra} lies at the sacrum, where L5 usually is. About 3 of 100 people have one "
            "vertebra less."
        ),
    ),
    # ribs
    (
        "ribs_swapped",
        Repair.SWAP,
        _("{structure} begins below {others}: the two seem to be swapped."),
    ),
    (
        "rib_double",
        Repair.MOVE_PIECE,
        _("Two ribs are named {structure}; this one, of {volume_ml} ml, lies where {others} belongs."),
    ),
    (
        "rib_double_unplaced",
        Repair.NONE,
        _("Two ribs are named {structure}; this one, of {volume_ml} ml, does not fit there."),
    ),
    (
        "rib_thirteenth",
        Repair.NONE,
        _(
            "Numbering uncertain: {volume_ml} ml of {structure} are a rib of their own below it. A few people have "
            "thirteen pairs."
        ),
    ),
    (
        "ribs_misnumbered",
        Repair.RENUMBER,
        _("{structure} begins at {vertebra}, unlike the rib of the other side: its number seems to be off by {shift}."),
    ),
    (
        "rib_at_other_vertebra",
        Repair.NONE,
        _("{structure} begins at {vertebra}, unlike the rib of the other side."),
    ),
    (
        "rib_heads_unlike",
        Repair.NONE,
        _("{structure} and {others} begin at heights that differ by {apart_mm} mm."),
    ),
    (
        "rib_asymmetry",
        Repair.NONE,
        _("{structure} has {smaller_ml} ml, the rib of the other side {larger_ml} ml: a part may be missing."),
    ),
)
