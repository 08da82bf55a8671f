"""Whether the CT's axes can be right: where what was found lies as in a body, they are.

A header with a wrong sign, or voxels in an order that the header does not tell, put the liver on the left or the lungs
below it; the networks find structures in such a CT all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.tables.structure_rows import names_of
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorEngine.result_check.body_order import ORGANS, PAIRS, VERTEBRAE, Relation, body_order
from TotalSegmentatorEngine.result_check.places import FRONT, HEAD, RIGHT, Places, share_beyond

SMALLEST_AGREEMENT = 0.8
"""Of a group of relations, the mean share of voxels on their right side. Measured with the header as it is: at least
0.98 for the published labels of a real CT (three models) and our own, 0.97 for 50 phantoms, 0.83 for 900 random parts
of them. With a mirrored header, each of the seven wrong ones: at most 0.73 in at least one group of the labels that a
network finds in such a CT, and at most 0.04 of mirrored labels."""
RIGHT_WITHOUT_ONE = 0.9
"""The same of the rest, where one structure is at a wrong place and the CT is not mirrored. Measured: 0.97 and more for
chests with wrong findings; at most 0.80 with a mirrored header."""
PLAINLY_WRONG = 0.65
"""Below that, a second axis is named as well: what a network finds in a CT that is mirrored along one axis is often
disordered along the others, too."""
FEWEST_RELATIONS = {ORGANS: 6, PAIRS: 4, VERTEBRAE: 4}
"""Of a group: with fewer it is not judged."""
FEWEST_STRUCTURES = 6
"""That take part in the relations of a group."""
SMALLEST_MM3 = 1000.0
"""Smaller findings take no part: a gallbladder of 1 ml is mostly not one."""
FULL_WEIGHT_MM3 = 100000.0
"""A relation with a smaller finding counts less: what a network takes for a hip in a CT of the chest has a few ml, and
no relation to the rest. (100 ml is less than a kidney. In two chests the mean is 0.94 and 0.95, and 0.63 and 0.68
without weights; with a mirrored header it is as without.)"""
_CODES = {RIGHT: "RESULT_LEFT_RIGHT", FRONT: "RESULT_FRONT_BACK", HEAD: "RESULT_HEAD_FEET"}


@dataclass(frozen=True)
class WrongAxes:
    """The structures lie so that the CT must be mirrored, upside down or turned."""

    code: str
    """Of the warning."""
    wrong: int
    checked: int
    """Relations that were looked at; ``wrong`` of them do not hold."""
    first: str
    second: str
    """Names, as in the label tables, of two that contradict the axes most."""

    @property
    def problem(self) -> Problem:
        shown = {name: known_structures()[name].display_name for name in (self.first, self.second)}
        values = {
            "wrong": self.wrong,
            "checked": self.checked,
            "first": shown[self.first],
            "second": shown[self.second],
        }
        return Problem(self.code, values)


@dataclass(frozen=True)
class _Vote:
    """How far one relation holds in a result: 1 as in a body, 0 the other way round."""

    relation: Relation
    agreement: float
    weight: float
    """0 to 1."""
    first: str
    """The largest structure of that side."""
    second: str

    @property
    def sides(self) -> tuple[str, str]:
        return self.relation.first, self.relation.second


def check_places(places: Places) -> WrongAxes | None:
    """None where the structures lie right, or too few were found to tell.

    ``places``: of structures of the tables of the 104 and 117; others take no part.
    """
    agreement: dict[int, float] = {}
    worst: list[_Vote] = []
    for votes in _groups(_votes(places)):
        axis, mean = votes[0].relation.axis, _agreement(votes)
        if mean < min([SMALLEST_AGREEMENT, *agreement.values()]):
            worst = votes
        agreement[axis] = min(mean, agreement.get(axis, 1.0))
    if not worst:
        return None
    example = min(worst, key=lambda vote: vote.agreement)
    wrong = sum(vote.agreement < SMALLEST_AGREEMENT for vote in worst)
    is_turned = sum(mean < PLAINLY_WRONG for mean in agreement.values()) > 1
    code = "RESULT_TURNED" if is_turned else _CODES[worst[0].relation.axis]
    return WrongAxes(code, wrong, len(worst), example.first, example.second)


def _votes(places: Places) -> list[_Vote]:
    votes = []
    for relation in body_order():
        sides = [names_of(term, places.counts) for term in (relation.first, relation.second)]
        smaller = min(places.volume_mm3(side) for side in sides)
        if smaller < SMALLEST_MM3:
            continue
        first, second = (places.of(side, relation.axis) for side in sides)
        largest = [max(side, key=lambda name: places.volume_mm3([name])) for side in sides]
        agreement = relation.agreement(share_beyond(first, second))
        votes.append(_Vote(relation, agreement, min(smaller / FULL_WEIGHT_MM3, 1.0), *largest))
    return votes


def _agreement(votes: list[_Vote]) -> float:
    """The weighted mean; without one side of a relation, where the rest is plainly right: one structure at a wrong
    place does not turn the CT round."""
    sides = {side for vote in votes for side in vote.sides}
    rest = max(_mean([vote for vote in votes if side not in vote.sides]) for side in sides)
    return rest if rest >= RIGHT_WITHOUT_ONE else _mean(votes)


def _mean(votes: list[_Vote]) -> float:
    """1 without votes: where all are of one structure, nothing else contradicts."""
    if not votes:
        return 1.0
    return float(np.average([vote.agreement for vote in votes], weights=[vote.weight for vote in votes]))


def _groups(votes: list[_Vote]) -> list[list[_Vote]]:
    """The votes of each axis and group that has enough of them; the vertebrae where the organs say too little."""
    by_group: dict[tuple[int, str], list[_Vote]] = {}
    for vote in votes:
        by_group.setdefault((vote.relation.axis, vote.relation.group), []).append(vote)
    enough = {key: votes for key, votes in by_group.items() if _are_enough(votes)}
    if (HEAD, ORGANS) in enough:  # a network that numbers vertebrae wrongly does not turn the CT upside down
        enough.pop((HEAD, VERTEBRAE), None)
    return list(enough.values())


def _are_enough(votes: list[_Vote]) -> bool:
    structures = {term for vote in votes for term in (vote.relation.first, vote.relation.second)}
    return len(votes) >= FEWEST_RELATIONS[votes[0].relation.group] and len(structures) >= FEWEST_STRUCTURES
