"""What another flag explains is not said twice: a vertebra that bears its neighbour's name is not missing as well."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorWire.messages.review import Flag

_BEARS_ANOTHERS_NAME = ("vertebra_double", "vertebra_spans_two", "rib_double")
"""Their ``others`` are the names that the bone, or a part of it, should bear."""
_IN_SEVERAL_PIECES = (
    *_BEARS_ANOTHERS_NAME,
    "vertebra_double_unplaced",
    "vertebra_piece",
    "lumbar_vertebra_double",
    "lumbar_vertebra_sixth",
    "rib_double_unplaced",
    "rib_thirteenth",
)
_FOUR_LUMBAR, _FIFTH_LUMBAR = "lumbar_vertebra_less", "vertebrae_L5"


def without_explained(flags: Sequence[Flag]) -> list[Flag]:
    not_missing = {name for flag in flags if flag.rule in _BEARS_ANOTHERS_NAME for name in flag.others}
    not_missing |= {_FIFTH_LUMBAR for flag in flags if flag.rule == _FOUR_LUMBAR}
    in_pieces = {flag.structure for flag in flags if flag.rule in _IN_SEVERAL_PIECES}
    explained = {(rule, name) for rule in ("missing_between", "missing_partner") for name in not_missing}
    explained |= {("divided", name) for name in in_pieces}
    return [flag for flag in flags if (flag.rule, flag.structure) not in explained]
