"""Structures that lie where they cannot: on the wrong side of the body, or the wrong way round to most others.

Where the whole result lies so, it is the CT that must be mirrored or turned: one flag says it, not one for each.
The order of vertebrae and ribs among themselves is judged elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.review_thresholds import threshold
from TotalSegmentatorWire.tables.structure_rows import names_of

from TotalSegmentatorEngine.result_check.body_order import ORGANS, body_order
from TotalSegmentatorEngine.result_check.orientation_check import SMALLEST_MM3, check_places
from TotalSegmentatorEngine.result_check.places import Places, share_beyond
from TotalSegmentatorEngine.review.measures.body_frame import BodyFrame
from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.measures.pair_table import WHOLE, Pair, pairs

_ORIENTATION_RULES = {
    "RESULT_LEFT_RIGHT": "mirrored_left_right",
    "RESULT_FRONT_BACK": "mirrored_front_back",
    "RESULT_HEAD_FEET": "upside_down",
    "RESULT_TURNED": "turned",
}
"""By the code of the warning that the job gives."""


def wrong_places(findings: Findings) -> Iterator[Flag]:
    places = findings.places
    axes = check_places(places)
    if axes is not None:
        numbers = {"wrong": axes.wrong, "checked": axes.checked}
        place = findings.middle(findings[axes.first])
        yield Flag(_ORIENTATION_RULES[axes.code], Level.WRONG, axes.first, (axes.second,), place, numbers)
        return
    sides = list(_wrong_sides(findings))
    yield from sides
    yield from _misplaced(findings, places, {flag.structure for flag in sides})


# -- sides -------------------------------------------------------------------------------------------------------------


def _wrong_sides(findings: Findings) -> Iterator[Flag]:
    frame = BodyFrame(findings)
    for pair in pairs():
        present = [name for name in pair.both if name in findings]
        if not pair.side or (pair.side == WHOLE and any(findings[name].is_cut for name in present)):
            continue
        for name, off in _off_their_sides(findings, pair, present, frame).items():
            others = tuple(other for other in present if other != name)
            place = findings.middle(findings[name])
            yield Flag("wrong_side", Level.WRONG, name, others, place, {"distance_mm": rounded(off)})


def _off_their_sides(findings: Findings, pair: Pair, present: list[str], frame: BodyFrame) -> dict[str, float]:
    """Those of ``present`` that lie on the other side of the body, and how far beyond the middle, in mm; where the
    middle is not known, how far beyond their partner."""
    centres = {name: findings[name].centre_ras_mm for name in present}
    signs = {pair.left: 1, pair.right: -1}
    beyond = {
        name: signs[name] * float(frame.to_the_right(place))
        for name, place in centres.items()
        if frame.is_known_at(place[2])
    }
    if len(present) == 2:
        reversed_by = frame.right_of(centres[pair.left], centres[pair.right])
        if reversed_by > threshold("wrong_side_mm"):
            off = {name: reversed_by for name in present if name not in beyond}
            return off | {name: value for name, value in beyond.items() if value > 0}
    return {name: value for name, value in beyond.items() if value > threshold("alone_on_wrong_side_mm")}


# -- order -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Vote:
    """How far ``name`` lies as it should in respect of ``others``: 1 as in a body, 0 the other way round."""

    name: str
    others: tuple[str, ...]
    agreement: float


def _misplaced(findings: Findings, places: Places, known: set[str]) -> Iterator[Flag]:
    """The structures that others contradict; one after the other, the most contradicted first, so that those that are
    found already do not count against the rest. ``known``: those that are flagged already."""
    votes = [vote for vote in _votes(places) if not findings[vote.name].is_cut_at_a_side]
    against = [vote for vote in votes if vote.agreement < threshold("misplaced_agreement")]
    checked = Counter(vote.name for vote in votes)
    found = set(known)
    while True:
        still = [vote for vote in against if vote.name not in found and not found.intersection(vote.others)]
        counts = Counter(vote.name for vote in still)
        if not counts or max(counts.values()) < threshold("misplaced_relations"):
            return
        name = max(sorted(counts), key=lambda each: (counts[each], counts[each] / checked[each]))
        found.add(name)
        worst = min((vote for vote in still if vote.name == name), key=lambda vote: vote.agreement)
        numbers = {"wrong": counts[name], "checked": checked[name]}
        place = findings.middle(findings[name])
        yield Flag("misplaced", Level.WRONG, name, worst.others[:1], place, numbers)


def _votes(places: Places) -> Iterator[_Vote]:
    """Of each structure on both sides of each relation between organs. A single vertebra gets none: a rule for the
    whole spine tells nothing of one that lies far away from the organ."""
    known = [name for name in places.counts if places.volume_mm3([name]) >= SMALLEST_MM3]
    for relation in body_order():
        first, second = (names_of(term, known) for term in (relation.first, relation.second))
        if relation.group != ORGANS or not first or not second:
            continue
        of_first, of_second = (places.of(names, relation.axis) for names in (first, second))
        for name in _judged(first):
            share = share_beyond(places.of([name], relation.axis), of_second)
            yield _Vote(name, _largest_first(second, places), relation.agreement(share))
        for name in _judged(second):
            share = share_beyond(of_first, places.of([name], relation.axis))
            yield _Vote(name, _largest_first(first, places), relation.agreement(share))


def _judged(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("vertebrae_")]


def _largest_first(names: list[str], places: Places) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: -places.volume_mm3([name])))
