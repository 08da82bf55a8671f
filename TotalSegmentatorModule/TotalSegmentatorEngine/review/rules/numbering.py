"""Runs of vertebrae whose numbers are all shifted: consistent in themselves, so that only the ribs can tell.

Pairs of ribs vote: both sides must say the same. Votes alone do not tell whether the vertebrae or the ribs are
misnumbered; that takes a fixed end (see ``_Case``). Without one, and where fixed ends contradict each other, the
numbering is uncertain: people have another number of vertebrae or ribs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.spine.bones import L5, T1, Bone, Spine, name_of, short_name
from TotalSegmentatorEngine.review.spine.rib_heads import RIB_NUMBERS, SIDES, RibHead, rib_name

_C1, _C2 = 1.0, 2.0


@dataclass(frozen=True)
class Vote:
    """Of a pair of ribs."""

    rib: int
    shift: int
    """How much higher the number of its vertebra is than its own."""
    bones: tuple[Bone, ...]
    """At which its two ribs lie; mostly one."""


@dataclass(frozen=True)
class Numbering:
    flags: tuple[Flag, ...]
    explained: frozenset[tuple[str, str]]
    """Rules, and structures that they flag only because of the shifted numbers that a flag is about."""
    ribs: frozenset[str]
    """Those that do not fit to their vertebrae for the same reason."""


def numbering_flags(spine: Spine, heads: Sequence[RibHead]) -> Numbering:
    votes = _votes(heads)
    flags: list[Flag] = []
    explained: set[tuple[str, str]] = set()
    ribs: set[str] = set()
    for run in _runs(votes):
        case = _Case(spine, heads, votes, run)
        if len(run) < threshold("uncertain_pairs"):
            continue
        flags.append(case.flag())
        ribs |= {rib_name(side, vote.rib) for side in SIDES for vote in run}
        ribs |= {head.name for head in heads if head.shift == run[0].shift and head.bone in case.bones}
        if case.is_proposal:
            explained |= case.explained
    return Numbering(tuple(flags), frozenset(explained), frozenset(ribs))


def _votes(heads: Iterable[RibHead]) -> list[Vote]:
    """Of the pairs whose sides agree."""
    by_name: dict[str, list[RibHead]] = {}
    for head in heads:
        by_name.setdefault(head.name, []).append(head)
    votes = []
    for number in RIB_NUMBERS:
        sides = [by_name.get(rib_name(side, number), []) for side in SIDES]
        if any(len(pieces) != 1 or pieces[0].shift is None for pieces in sides):
            continue
        left, right = (pieces[0] for pieces in sides)
        if left.shift == right.shift:
            votes.append(Vote(number, left.shift, tuple(dict.fromkeys((left.bone, right.bone)))))
    return votes


def _runs(votes: Sequence[Vote]) -> list[list[Vote]]:
    """Votes for the same shift that follow each other, those for no shift left out."""
    runs: list[list[Vote]] = []
    for before, vote in zip([None, *votes], votes, strict=False):
        if vote.shift and before is not None and before.shift == vote.shift:
            runs[-1].append(vote)
        elif vote.shift:
            runs.append([vote])
    return runs


class _Case:
    """A run of vertebrae of which the ribs say that their numbers are off, and what speaks for and against it.

    For wrong vertebrae: their numbers do not go on at an end of the run, and would if it were renumbered; L5 would then
    lie at the sacrum; C1 would be the uppermost vertebra; ribs 1 to 12 are all there with none cut off. Against it,
    that is, for wrong ribs or another number of vertebrae: L5 lies at the sacrum already, C1 is at the top already, the
    numbers go on beyond the run to where the ribs fit, or there is no such name as the new one.
    """

    def __init__(self, spine: Spine, heads: Sequence[RibHead], votes: Sequence[Vote], run: list[Vote]) -> None:
        self._spine, self._heads, self._run = spine, heads, run
        self._shift = run[0].shift
        agreeing = {bone for vote in run for bone in vote.bones}
        self._contradicting = {bone for vote in votes if vote.shift != self._shift for bone in vote.bones} - agreeing
        positions = [spine.bones.index(bone) for bone in agreeing]
        self._first, self._last = self._extended(min(positions), -1), self._extended(max(positions), +1)
        self.bones = spine.bones[self._first : self._last + 1]

    @property
    def is_proposal(self) -> bool:
        return (
            len(self._run) >= threshold("shifted_pairs")
            and bool(self._structures)
            and self._speaks_for()
            and not self._speaks_against()
        )

    @property
    def explained(self) -> set[tuple[str, str]]:
        """Names left out next to the run, inside and outside, and a lowest vertebra that becomes L5."""
        ends = (self.bones[0].number - 1, self.bones[-1].number + 1)
        left_out = {name for number in ends if (name := name_of(number)) is not None}
        at_sacrum = {("lumbar_vertebra_less", self.bones[-1].name)}
        return {(rule, name) for rule in ("vertebra_skipped", "numbering_uncertain") for name in left_out} | at_sacrum

    def flag(self) -> Flag:
        structures = self._structures or self.bones
        names = tuple(bone.name for bone in structures)
        first, last = structures[0], structures[-1]
        numbers = {
            "shift": -self._shift,
            "pairs_used": len(self._run),
            "pairs_agreeing": len(self._run),
            "first": short_name(first.name),
            "last": short_name(last.name),
        }
        place = tuple(first.centre)
        if not self.is_proposal:
            offered = tuple(
                name for name in ("vertebrae_T13", "vertebrae_L6")
                if self._spine.is_known(name) and name not in self._spine.names
            )  # fmt: skip
            return Flag("vertebrae_or_ribs_misnumbered", Level.CHECK, names[0], names[1:] + offered, place, numbers)
        new = [short_name(name_of(bone.number - self._shift)) for bone in (first, last)]
        numbers |= {"new_first": new[0], "new_last": new[1]}
        return Flag("numbering_shifted", Level.WRONG, names[0], names[1:], place, numbers)

    @property
    def _structures(self) -> list[Bone]:
        """Bones of the run whose label holds nothing outside of it."""
        inside = set(self.bones)
        return [
            bone
            for bone in self.bones
            if all(other in inside for other in self._spine.bones if other.name == bone.name)
        ]

    def _extended(self, position: int, step: int) -> int:
        """The furthest bone that the numbers lead to without a break, before one that other ribs contradict."""
        bones = self._spine.bones
        while 0 <= position + step < len(bones):
            bone, following = bones[position], bones[position + step]
            if self._steps_apart(bone, following) != self._room(position, step) or following in self._contradicting:
                break
            position += step
        return position

    def _beyond(self, step: int) -> Bone | None:
        position = (self._first if step < 0 else self._last) + step
        bones = self._spine.bones
        return bones[position] if 0 <= position < len(bones) else None

    def _speaks_for(self) -> bool:
        return (
            any(self._joins_when_renumbered(step) for step in (-1, 1))
            or (self._lies_at_sacrum and self.bones[-1].number - self._shift == L5)
            or (self._is_uppermost and self.bones[0].number - self._shift == _C1 and self.bones[0].number == _C2)
            or (self._beyond(-1) is None and self._beyond(1) is None and self._has_all_ribs)
        )

    def _speaks_against(self) -> bool:
        names = [name_of(bone.number - self._shift) for bone in self._structures]
        taken = {bone.name for bone in self._spine.bones} - {bone.name for bone in self.bones}
        return (
            any(name is None or not self._spine.is_known(name) or name in taken for name in names)
            or (self._lies_at_sacrum is not False and self.bones[-1].number == L5)
            or (self._is_uppermost and self.bones[0].number == _C1)
            or any(self._goes_on(step) for step in (-1, 1))
        )

    def _joins_when_renumbered(self, step: int) -> bool:
        """The numbers break at this end of the run, and would go on."""
        position, beyond = self._end(step)
        if beyond is None:
            return False
        apart, room = self._steps_apart(self._spine.bones[position], beyond), self._room(position, step)
        return apart != room and apart + self._shift * step == room

    def _goes_on(self, step: int) -> bool:
        """The numbers go on beyond this end of the run, where other ribs fit to them."""
        position, beyond = self._end(step)
        return beyond is not None and self._steps_apart(self._spine.bones[position], beyond) == self._room(
            position, step
        )

    def _end(self, step: int) -> tuple[int, Bone | None]:
        """The position of the run's last bone in this direction, and the bone beyond it."""
        position = self._first if step < 0 else self._last
        return position, self._beyond(step)

    def _room(self, position: int, step: int) -> int:
        """Up to the next bone, in vertebrae: 2 where there is room for a further one, or where the next one is two."""
        is_wide = self._spine.has_room_for_another(min(position, position + step))
        return 2 if is_wide or self._spine.times_two_bones(self._spine.bones[position + step]) is not None else 1

    @staticmethod
    def _steps_apart(bone: Bone, other: Bone) -> float:
        return abs(other.number - bone.number)

    @property
    def _lies_at_sacrum(self) -> bool | None:
        """None where that is unknown."""
        if self._beyond(1) is not None or self._spine.sacrum is None:
            return False
        return None if self.bones[-1].is_cut else self._spine.lies_at_sacrum(self.bones[-1])

    @property
    def _is_uppermost(self) -> bool:
        """Whether no vertebra lies above it although the scan goes on for more than one."""
        first = self.bones[0]
        spacing = self._spine.spacing_near_mm(first)
        if self._beyond(-1) is not None or first.is_cut or spacing is None:
            return False
        above = first.centre - self._spine.line.direction_at(first.centre) * 2 * spacing
        index = self._spine.findings.index(above)
        return bool(((index >= 0) & (index < self._spine.findings.shape)).all())

    @property
    def _has_all_ribs(self) -> bool:
        """All twelve of a side begin where the scan shows them, and the spine goes on above and below them."""
        numbers = {head.number for head in self._heads if head.side == SIDES[0]} & {
            head.number for head in self._heads if head.side == SIDES[1]
        }
        inside = T1 + self._shift > self.bones[0].number and T1 + 11 + self._shift < self.bones[-1].number
        return numbers == set(RIB_NUMBERS) and inside
