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
)
